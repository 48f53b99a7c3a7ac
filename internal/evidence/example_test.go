package evidence_test

import (
	"fmt"
	"math"

	"github.com/serin-go/serin/internal/evidence"
)

// A canary at 5 % of 200 requests a second has ten times the baseline's errors.
func ExampleErrorTest() {
	test, err := evidence.NewErrorTest(evidence.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var judge evidence.Judge
	for look := 1; ; look++ {
		test.Update(evidence.Look{
			Canary:   evidence.Count{Bad: 2, Total: 150},
			Baseline: evidence.Count{Bad: 3, Total: 2850},
		})
		e := test.Evidence()
		verdict := judge.Update([]evidence.Metric{{Evidence: e}}, 0, true)
		fmt.Printf("look %d: E = %.1f, %s\n", look, math.Exp(e.Fail), verdict)
		if verdict != evidence.Continue {
			return
		}
	}
	// Output:
	// look 1: E = 2.6, continue
	// look 2: E = 9.7, continue
	// look 3: E = 39.7, fail
}

// Several metrics share one alpha: the mean of their evidence counts.
func ExampleStandings() {
	metrics := []evidence.Metric{
		{Evidence: evidence.Evidence{Fail: math.Log(90)}},               // errors
		{Evidence: evidence.Evidence{Fail: math.Log(25)}},               // latency
		{Evidence: evidence.Evidence{Fail: math.Log(0.3)}, Weight: 0.5}, // memory
	}
	fmt.Printf("E = %.1f\n", math.Exp(evidence.LogFail(metrics)))
	fmt.Println(evidence.Standings(metrics, 0.05))
	// Output:
	// E = 46.1
	// [culprit suspect clear]
}

// What a mistake is answered with.
func ExampleSettings_Validate() {
	s := evidence.Settings{Fail: evidence.Margin{Factor: 1.05}, Pass: evidence.Margin{Factor: 1.02}, EventsPerCause: 0.5}
	fmt.Println(s.Validate(evidence.Errors))
	// Output:
	// the Factor of the Fail margin is 1.05, above the 1.02 of the Pass margin: lower it to 1.02 or less
	// EventsPerCause is 0.5: use the largest number of events with one cause, 1 or more, and 1e9 at most
}

// "99 % within 700 ms", with bounds at 500 ms and 1 s.
func ExampleQuantileTest() {
	test, err := evidence.NewQuantileTest(0.99, evidence.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 20 {
		test.Update(evidence.QuantileLook{Total: 1000, AboveLow: 30, AboveHigh: 4})
	}
	e := test.Evidence()
	fmt.Printf("fail %t, pass %t, coarse %t\n", e.Fail > math.Log(20), e.Pass > math.Log(20), test.Coarse())
	// Output:
	// fail false, pass false, coarse true
}

// Two bounds, with what the baseline did before the rollout.
func ExampleLatencyTest() {
	before := []evidence.Count{{Bad: 3500, Total: 10_000}, {Bad: 120, Total: 10_000}}
	test, err := evidence.NewLatencyTest(before, evidence.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 4 { // a minute
		test.Update(evidence.LatencyLook{
			Canary:   evidence.Slow{Total: 300, Over: [evidence.Bounds]float64{170, 16}},
			Baseline: evidence.Slow{Total: 5700, Over: [evidence.Bounds]float64{2000, 70}},
		})
	}
	fmt.Printf("E = %.0f, of the bounds %.0f and %.0f\n", math.Exp(test.Evidence().Fail),
		math.Exp(test.Bound(0).Fail), math.Exp(test.Bound(1).Fail))
	// Output:
	// E = 276, of the bounds 277 and 275
}

// Half of the planned 5 % arrives.
func ExampleTrafficTest() {
	test, err := evidence.NewTrafficTest(evidence.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	test.Update(evidence.TrafficLook{Share: 0.05, Canary: 75, Others: 2925})
	var judge evidence.Judge
	fmt.Println(judge.Update([]evidence.Metric{{}}, test.LogE(), true))
	// Output:
	// invalid
}
