package canary_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
)

// A rollout in memory: the Router stands for a mesh, the Judge for its metrics.
func Example() {
	plan, err := canary.NewPlan("shop v2").
		Interval(time.Millisecond).
		Step(canary.Step{Name: "dark launch", Traffic: canary.Traffic{Mirror: canary.Full}, Hold: 2 * time.Millisecond, Requires: canary.NoFailure}).
		Weights(canary.List(5*canary.Percent, canary.Full), canary.Step{Hold: 2 * time.Millisecond}).
		Build()
	if err != nil {
		fmt.Println(err)
	}
	runner, err := canary.NewRunner(canary.Config{
		Plan:     plan,
		Router:   new(canarytest.Router),
		Analyzer: new(canarytest.Judge),
		Observers: []canary.Observer{func(_ context.Context, e canary.Event) {
			if e.Wrote {
				fmt.Printf("%v: %v\n", e.After.Phase, e.After.Traffic)
			}
		}},
	})
	if err != nil {
		fmt.Println(err)
	}
	state, err := runner.Run(context.Background())
	fmt.Println(state.Name, "is", state.Phase, err)
	// Output:
	// Preparing: stable only
	// Progressing: canary 0%, mirror 100%
	// Progressing: canary 5%
	// Progressing: canary 100%
	// Promoted: canary 100%
	// shop v2 is Promoted <nil>
}

// A plan is a value that encodes to JSON. Decoding is strict, and tells all mistakes
// at once. Package planfile reads the same from YAML.
func ExamplePlan_UnmarshalJSON() {
	var plan canary.Plan
	fmt.Println(json.Unmarshal([]byte(`{
		"name": "shop v2",
		"steps": [
			{"name": "dark launch", "mirror": "100%", "hold": "5m", "requires": "no failure"},
			{"canary": "20%", "hold": "10m", "deadline": "1h", "onDeadline": "roll back"},
			{"canary": "100%", "hold": "10m", "leaveGates": ["release manager"]}
		],
		"end": {"kind": "promote stable", "deadline": "15m"}
	}`), &plan))
	for i, step := range plan.Steps() {
		fmt.Println(i+1, step.Name, "for", step.Hold)
	}
	fmt.Println(json.Unmarshal([]byte(`{
		"name": "p",
		"steps": [{"canary": 20, "holdd": "10m"}],
		"settle": "-10s"
	}`), &plan))
	// Output:
	// <nil>
	// 1 dark launch for 5m0s
	// 2 canary 20% for 10m0s
	// 3 canary 100% for 10m0s
	// canary: plan "p": line 3: steps 1 canary: found 20, want a percentage in quotes or with its sign, such as "12.5%"
	// line 3: steps 1 holdd: there is no such field; did you mean hold?
	// line 4: settle: -10s is negative
}

// Build returns every mistake at once, each with its place.
func ExampleBuilder_Build() {
	_, err := canary.NewPlan("shop v2").
		Step(canary.Step{Traffic: canary.Traffic{Canary: 120 * canary.Percent}}).
		Step(canary.Step{Name: "half", Traffic: canary.Traffic{Canary: 50 * canary.Percent}, Hold: time.Hour, Deadline: time.Minute}).
		Build()
	fmt.Println(err)
	// Output:
	// canary: plan "shop v2": steps 1 "canary 120%" canary: 120%; a share lies between 0% and 100%
	// steps 2 "half" deadline: 1m0s is over before the hold of 1h0m0s; make it longer
	// end: "stay" needs a last step that gives the canary 100%, this one gives it 50%; add a step, or end with "discard"
}

func ExampleLinear() {
	fmt.Println(slices.Collect(canary.Linear(30*canary.Percent, 30*canary.Percent, canary.Full)))
	// Output: [30% 60% 90% 100%]
}

func ExampleExponential() {
	fmt.Println(slices.Collect(canary.Exponential(canary.Percent/10, 10, canary.Full)))
	// Output: [0.1% 1% 10% 100%]
}

func ExampleParseWeight() {
	w, err := canary.ParseWeight("12.5%")
	fmt.Println(w == 125*canary.Percent/10, err)
	_, err = canary.ParseWeight("0.5")
	fmt.Println(err)
	// Output:
	// true <nil>
	// canary: weight "0.5": want a percentage such as "12.5%"
}

// A controller takes one turn in each Reconcile.
func ExampleRunner_Turn() {
	plan, err := canary.NewPlan("shop v2").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Requires: canary.Nothing}).Build()
	if err != nil {
		fmt.Println(err)
	}
	runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: new(canarytest.Router)})
	if err != nil {
		fmt.Println(err)
	}
	for {
		e, err := runner.Turn(context.Background())
		if err != nil || e.Done {
			fmt.Println("done:", e.After.Phase, err)
			return
		}
		fmt.Println(e.After.Phase, "again after", e.Wait)
	}
	// Output:
	// Preparing again after 0s
	// Progressing again after 0s
	// done: Promoted <nil>
}

// An order reaches the rollout through its State, from any process.
func ExampleSend() {
	err := canary.Send(context.Background(), new(canarytest.Router), canary.Command{Order: order.Abort, By: "ann", Why: "checkout looks odd"})
	fmt.Println(errors.Is(err, canary.ErrNotNow), err)
	// Output: true canary: not now: a rollout that is Idle cannot abort; possible: none
}

// The second step migrates a schema that the old version cannot read. When the canary fails
// behind it, the rollout stays where it is until somebody repairs the canary or orders an
// Abort.
func ExampleStep_noReturn() {
	plan, err := canary.NewPlan("shop v2").Interval(time.Millisecond).
		Step(
			canary.Step{Traffic: canary.Traffic{Canary: 10 * canary.Percent}, Requires: canary.Pass},
			canary.Step{Name: "migrated", Traffic: canary.Traffic{Canary: 50 * canary.Percent}, NoReturn: true},
			canary.Step{Traffic: canary.Traffic{Canary: canary.Full}},
		).
		Build()
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(plan)
	router := new(canarytest.Router)
	runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: router, Analyzer: &canarytest.Judge{Script: []canarytest.Ruling{
		{Verdict: analysis.Pass}, {Verdict: analysis.Fail, Reason: "7% of the orders fail"},
	}}})
	if err != nil {
		fmt.Println(err)
	}
	for {
		e, err := runner.Turn(context.Background())
		if e.Reason.Cause == cause.NoReturn || err != nil {
			fmt.Println(e.Traffic, "stays:", e.Reason, err)
			break
		}
		<-time.After(e.Wait)
	}
	// Output:
	// shop v2, interval 1ms, on drift reassert, 5 times at most
	//    1  canary 10%               requires pass
	//    2  migrated     canary 50%  requires pass; point of no return
	//    3  canary 100%              requires pass
	// then stay
	// canary 50% stays: point of no return: behind the point of no return: the judge failed step "migrated": 7% of the orders fail; repair it, or order an abort all the same <nil>
}
