package canary_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/planfile"
)

const percent = canary.Percent

func mustBuild(t testing.TB, b canary.Builder) canary.Plan {
	t.Helper()
	plan, err := b.Build()
	require.NoError(t, err)
	return plan
}

// s2 is the mirror-first plan with promotion of the stable workload.
func s2() canary.Builder {
	return canary.NewPlan("reviews").Owner("suite").Settle(time.Second).ScrapeLag(time.Second).
		Step(canary.Step{Name: "dark launch", Traffic: canary.Traffic{Mirror: canary.Full}, Hold: time.Minute, Requires: canary.NoFailure}).
		Weights(canary.Linear(20*percent, 20*percent, canary.Full), canary.Step{Hold: time.Minute, Deadline: 10 * time.Minute}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: 5 * time.Minute})
}

func TestABuilderIsAValueThatCanBeVaried(t *testing.T) {
	base := canary.NewPlan("p").Step(canary.Step{Traffic: canary.Traffic{Canary: percent}})
	full := canary.Step{Traffic: canary.Traffic{Canary: canary.Full}}
	a := mustBuild(t, base.Step(canary.Step{Name: "a", Traffic: canary.Traffic{Canary: 2 * percent}}).Step(full))
	b := mustBuild(t, base.Step(canary.Step{Name: "b", Traffic: canary.Traffic{Canary: 3 * percent}}).Step(full))
	names := func(p canary.Plan) (names []string) {
		for _, s := range p.Steps() {
			names = append(names, s.Name)
		}
		return names
	}
	require.Equal(t, []string{"canary 1%", "a", "canary 100%"}, names(a))
	require.Equal(t, []string{"canary 1%", "b", "canary 100%"}, names(b))
	require.NotEqual(t, a.Digest(), b.Digest())
}

func TestBuildReturnsEveryMistakeWithItsPlace(t *testing.T) {
	_, err := canary.NewPlan("").Owner(strings.Repeat("o", 200)).Settle(-1).ScrapeLag(-1).Interval(-1).BlindLimit(-1).ErrorLimit(-1).PauseLimit(-1).
		OnDrift(9).DriftLimit(-1).
		Step(canary.Step{Name: "a", Traffic: canary.Traffic{Canary: 101 * percent}, Hold: -1, Deadline: -1, OnDeadline: 7, Requires: 7, LeaveGates: []string{"g", "g"}}).
		Step(canary.Step{Name: "a", Traffic: canary.Traffic{Canary: 60 * percent, Baseline: 60 * percent}, Hold: 2, Deadline: 1}).
		Step(canary.Step{Name: "gate only", OnDeadline: canary.DeadlinePause}).
		Step(canary.Step{Name: strings.Repeat("n", 200), Traffic: canary.Traffic{Canary: percent, Mirror: -1}}).
		Weights(canary.Linear(percent, 0, percent*2), canary.Step{}).
		Weights(func(yield func(canary.Weight) bool) {
			for yield(percent) {
			}
		}, canary.Step{}).
		End(canary.End{Kind: canary.Stay, Deadline: -1}).
		Build()
	for _, want := range []string{
		"name: it is missing", "owner: it has more than 128 bytes", "settle: -1ns", "scrapeLag: -1ns", "interval: -1ns", "blindLimit: -1ns", "errorLimit: -1ns", "pauseLimit: -1ns",
		"drift policy: drift 9 has no name", "drift limit: -1", "weights: the sequence is empty", "weights: more than 1000;",
		`steps 1 "a" canary: 101%; a share`, `steps 1 "a" hold: -1ns`, `steps 1 "a" leaveGates: ["g" "g"] has a gate twice`, `steps 1 "a" deadline: -1ns`, "onDeadline 7 has no name", "requirement 7 has no name",
		`steps 2 "a" name: "a" is the name of step 1 as well`, `steps 2 "a" baseline: 60%, which is more than 100% together with 60% of canary`,
		`steps 2 "a" deadline: 1ns is over before the hold of 2ns`, `steps 3 "gate only" onDeadline: it is "pause" but there is no deadline`,
		`steps 3 "gate only": the canary gets nothing that could be judged`, `n..." name: it has more than 128 bytes`, "mirror: -0.0001%",
		"end deadline: -1ns", `end: a deadline and holdOnFailure belong to "promote stable"`, `"stay" needs a last step that gives the canary 100%`,
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = canary.NewPlan("x").Weights(canary.List(10, 50, 100), canary.Step{}).Build()
	require.ErrorContains(t, err, "did you mean 100*canary.Percent?")
	_, err = canary.NewPlan("x").End(canary.End{Kind: 9}).Build()
	require.ErrorContains(t, err, "steps: want at least one")
	require.ErrorContains(t, err, "end kind: end 9 has no name")
}

func TestAPlanIsTheSameAfterJSONAndYAML(t *testing.T) {
	plan := mustBuild(t, s2().Verify().Interval(5*time.Second).BlindLimit(time.Minute).ErrorLimit(time.Hour).OnDrift(canary.Adopt).DriftLimit(2).
		Step(canary.Step{Name: "soak", Traffic: canary.Traffic{Canary: canary.Full, Cohorts: "staff"}, LeaveGates: []string{"release"}, Requires: canary.NoFailure,
			Deadline: time.Hour, OnDeadline: canary.DeadlineAdvance}))
	data, err := json.Marshal(plan)
	require.NoError(t, err)
	var back canary.Plan
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, plan.Digest(), back.Digest())
	require.Equal(t, plan, back)

	fromYAML, err := planfile.Parse(data) // all JSON is YAML
	require.NoError(t, err)
	require.Equal(t, plan.Digest(), fromYAML.Digest())
}

// A State written by an older version of the library names the plan by its digest.
func TestTheDigestOfAPlanLasts(t *testing.T) {
	plan := mustBuild(t, canary.NewPlan("p<&>").
		Step(canary.Step{
			Name: "a\u2028<", Traffic: canary.Traffic{Canary: percent, Mirror: 3}, Hold: 5 * time.Second, Deadline: 9 * time.Second,
			OnDeadline: canary.DeadlinePause, LeaveGates: []string{"g"},
		}).
		End(canary.End{Kind: canary.Discard}))
	require.Equal(t, "13e6268230fc1f16", plan.Digest())
}

func TestARevisionIsARolloutOfItsOwn(t *testing.T) {
	plan := mustBuild(t, s2())
	v2, v3 := plan.For("v2"), plan.For("v3")
	require.Equal(t, "reviews v2", v2.Name())
	require.NotEqual(t, v2.Digest(), v3.Digest())
	data, err := json.Marshal(v2)
	require.NoError(t, err)
	var back canary.Plan
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, v2.Digest(), back.Digest())
}

func TestDecodingIsStrictAndNamesThePlace(t *testing.T) {
	for document, want := range map[string]string{
		`{"name":"p","stepz":[]}`: "stepz: there is no such field; did you mean steps?",
		`{"name":"p","name":"q"}`: "name: the field stands twice",
		`{"name":"p","steps":[{"canary":"100%","hold":"1m","Hold":"2m"}]}`:                "steps 1 Hold: the field stands twice",
		`{"name":"p","steps":[{"canary":"100%"},{"canary":"5","name":"x"}]}`:              `steps 2 "x" canary: weight "5"`,
		`{"name":"p","steps":[{"canary":"100%","holdd":"1m"}]}`:                           `steps 1 holdd: there is no such field; did you mean hold?`,
		`{"name":"p","steps":[{"canary":"100%","hold":"1 minute"}]}`:                      "want a form such as 1m30s",
		`{"name":"p","steps":[{"canary":"100%","requires":"maybe"}]}`:                     `want one of pass, no failure, nothing`,
		`{"name":"p","steps":[{"canary":"100%"}],"end":{"kind":"away"}}`:                  `want one of stay, promote stable, discard`,
		`{"name":"p","steps":[{"canary":"100%"}],"drift":{"limit":99999999999999999999}}`: "drift limit",
		`{"name":"p","steps":[{"name":"a","canary":"5%"},{"name":"a","canary":"100%"}]}`:  `steps 2 "a" name: "a" is the name of step 1 as well`,
		`{"name":"p","steps":[{"canary":"99999%"}]}`:                                      "between 0% and 100%",
		`{"name":"p"} {}`: "invalid character",
	} {
		var plan canary.Plan
		require.ErrorContains(t, json.Unmarshal([]byte(document), &plan), want, document)
		require.Zero(t, plan)
	}
	var plan canary.Plan
	require.ErrorContains(t, plan.UnmarshalJSON([]byte(`{"name":"p"} {}`)), "follows the end")
}

func TestTheZeroPlanIsRefusedEverywhere(t *testing.T) {
	var plan canary.Plan
	_, err := json.Marshal(plan)
	require.ErrorContains(t, err, "the plan is zero")
	_, d := plan.Next(canary.State{}, canary.Observation{})
	require.ErrorIs(t, d.Err, canary.ErrRefused)
	_, err = canary.NewRunner(canary.Config{})
	require.ErrorIs(t, err, canary.ErrRefused)
	require.Zero(t, plan.Len())
	require.Empty(t, plan.Name())
	require.Empty(t, plan.Digest())
	require.Zero(t, plan.End())
	require.Equal(t, plan, plan.For("v2"))
	for range plan.Steps() {
		t.Fatal("the zero plan has no steps")
	}
}

func FuzzPlanJSON(f *testing.F) {
	f.Add([]byte(`{"name":"p","steps":[{"canary":"100%","hold":"1m"}],"end":{"kind":"stay"}}`))
	f.Add([]byte(`{"name":"p","steps":[[[[]]]]}`))
	f.Add([]byte("{\"nome\":\"p\",\n\"steps\":[{\"hold\":1,\"hold\":null,\"name\":\"\xff\"}],\"\xff\":1}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var plan canary.Plan
		if err := plan.UnmarshalJSON(data); err != nil {
			require.Less(t, len(err.Error()), 64<<10)
			require.True(t, utf8.ValidString(err.Error()))
			return
		}
		again, err := json.Marshal(plan)
		require.NoError(t, err)
		var back canary.Plan
		require.NoError(t, json.Unmarshal(again, &back))
		require.Equal(t, plan.Digest(), back.Digest())
	})
}

func TestANumberWithoutAUnitIsNoTime(t *testing.T) {
	_, err := canary.NewPlan("p").Interval(10).Step(canary.Step{Name: "all", Traffic: canary.Traffic{Canary: canary.Full}, Hold: 5}).Build()
	require.ErrorContains(t, err, "interval: 10ns is a number without a unit; did you mean 10*time.Second?")
	require.ErrorContains(t, err, `steps 1 "all" hold: 5ns is a number without a unit; did you mean 5*time.Second?`)
}
