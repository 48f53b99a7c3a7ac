package canary_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/planfile"
)

// The mistakes of a schedule have their place, and a plan without one is the plan that it was.
func TestThePlanOfAReturnInStepsIsChecked(t *testing.T) {
	for want, b := range map[string]canary.Builder{
		`returnInSteps: only a plan that ends with "promote stable" returns in steps`:       canary.NewPlan("p").Weights(canary.List(canary.Full), canary.Step{}).ReturnInSteps(0, percent),
		"returnInSteps hold: -1ns is negative":                                              smallPlan().ReturnInSteps(-1, percent),
		"returnInSteps hold: 5ns is a number without a unit":                                smallPlan().ReturnInSteps(5, percent),
		"returnInSteps stable: want at least one share to hold":                             smallPlan().ReturnInSteps(time.Minute),
		"returnInSteps stable: 101 entries, at most 100 are allowed":                        smallPlan().ReturnInSteps(0, make([]canary.Weight, 101)...),
		"returnInSteps stable 1: 0%; want more than 0% and less than 100%":                  smallPlan().ReturnInSteps(0, 0, percent),
		"returnInSteps stable 2: 100%; want more than 0% and less than 100%, which follows": smallPlan().ReturnInSteps(0, percent, canary.Full),
		"returnInSteps stable 2: 5% is not more than the 5% before it":                      smallPlan().ReturnInSteps(0, canaries(5, 5)...),
		"returnInSteps stable 1: 10 parts per million; did you mean 10*canary.Percent?":     smallPlan().ReturnInSteps(0, 10, 50),
		"returnInSteps stable 2: 50 parts per million; did you mean 50*canary.Percent?":     smallPlan().ReturnInSteps(0, 10, 50),
	} {
		_, err := b.Build()
		require.ErrorContains(t, err, want)
	}
	plain, zero := mustBuild(t, smallPlan()), mustBuild(t, smallPlan().ReturnInSteps(0, []canary.Weight{}...))
	require.Equal(t, plain.Digest(), zero.Digest())
	require.Equal(t, plain, zero)
	plan := mustBuild(t, inSteps())
	require.NotEqual(t, plain.Digest(), plan.Digest())
	require.Contains(t, plan.String(), "then promote stable; return by 10%, 50%, hold 20m0s")
	hold, stable := plan.ReturnInSteps()
	require.Equal(t, 20*time.Minute, hold)
	require.Equal(t, canaries(10, 50), stable)
	stable[0] = 0
	_, again := plan.ReturnInSteps()
	require.Equal(t, canaries(10, 50), again, "a plan does not change")
}

// A Builder keeps nothing of its caller's, and a plan is the same after JSON and YAML.
func TestAReturnInStepsIsTheSameAfterJSONAndYAML(t *testing.T) {
	mine := canaries(10, 50)
	b := smallPlan().ReturnInSteps(20*time.Minute, mine...)
	mine[0] = 0
	plan := mustBuild(t, b)
	data, err := json.Marshal(plan)
	require.NoError(t, err)
	require.Contains(t, string(data), `"returnInSteps":{"hold":"20m0s","stable":["10%","50%"]}`)
	fromYAML, err := planfile.Parse(data)
	require.NoError(t, err)
	require.Equal(t, plan, fromYAML)
	require.Equal(t, plan.For("v2"), mustBuild(t, b).For("v2"))
}
