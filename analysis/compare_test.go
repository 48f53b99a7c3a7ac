package analysis_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		canary, stable metrics.Counts
		factor, delta  float64
		want           analysis.Verdict
		reason         string
	}{
		"worse than stable": {of(12, 1530), of(3, 6121), 2, 0.001, analysis.Fail,
			"canary has 12/1530 (0.78%) server errors, stable 3/6121 (0.05%): more than the 0.198% accepted"},
		"as good as stable": {of(1, 1530), of(3, 6121), 2, 0.001, analysis.Pass,
			"canary has 1/1530 (0.07%) server errors, stable 3/6121 (0.05%): at most 0.198% accepted"},
		"both as bad": {of(300, 1000), of(1300, 4000), 1.1, 0, analysis.Pass,
			"canary has 300/1000 (30.00%) server errors, stable 1300/4000 (32.50%): at most 35.75% accepted"},
		"exactly the bound":     {of(2, 100), of(1, 100), 2, 0, analysis.Pass, "canary has 2/100 (2.00%) server errors, stable 1/100 (1.00%): at most 2% accepted"},
		"factor is 1 by itself": {of(2, 100), of(1, 100), 0, 0.02, analysis.Pass, "canary has 2/100 (2.00%) server errors, stable 1/100 (1.00%): at most 3% accepted"},
		"few requests to the canary": {of(0, 99), of(0, 500), 2, 0, analysis.Inconclusive,
			"canary has 99 of the 100 requests needed: canary has 0/99 (0.00%) server errors, stable 0/500 (0.00%)"},
		"few requests to stable": {of(500, 500), of(0, 99), 2, 0, analysis.Blind,
			"stable has 99 of the 100 requests needed: canary has 500/500 (100.00%) server errors, stable 0/99 (0.00%)"},
		"settled early": {of(5, 6), of(1, 100), 2, 0.01, analysis.Fail,
			"canary has 5/6 (83.33%) server errors, stable 1/100 (1.00%): more than the 3% accepted, even if the next 94 are good"},
	} {
		t.Run(name, func(t *testing.T) {
			judge := analysis.Compare{Provider: store{v1: c.stable, v2: c.canary}, Canary: v2, Baseline: v1, Factor: c.factor, Extra: c.delta}
			result, err := judge.Analyze(t.Context(), minute)
			require.NoError(t, err)
			require.Equal(t, c.want, result.Verdict)
			require.Equal(t, c.reason, result.Reason)
			require.Equal(t, []analysis.Value{
				{Name: "server errors", Arm: "canary", Counts: c.canary},
				{Name: "server errors", Arm: "stable", Counts: c.stable},
			}, result.Values)
		})
	}
}

func TestWithoutRequestsToTheOtherArmThereIsNothingToCompareWith(t *testing.T) {
	judge := analysis.Compare{Provider: store{v2: of(1, 100)}, Canary: v2, Baseline: v1, BaselineName: "baseline", Factor: 2}
	result, err := judge.Analyze(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, analysis.Result{
		Blindness: analysis.FewRequests, Reason: "no requests to baseline yet",
		Values: []analysis.Value{{Name: "server errors", Arm: "canary", Counts: of(1, 100)}},
	}, result)
}

func TestCompareReportsEveryMistakeAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		judge analysis.Compare
		want  []string
	}{
		"zero":           {analysis.Compare{}, []string{"the arm needs", "stable: ", "compared with itself", "no Provider", "with Factor 1 and Extra 0"}},
		"a wild factor":  {analysis.Compare{Factor: math.Inf(1), Extra: -1}, []string{"Factor is +Inf", "Extra is -1"}},
		"a small factor": {analysis.Compare{Factor: 0.5, MinRequests: -3}, []string{"Factor is 0.5", "MinRequests is -3"}},
		"not a factor":   {analysis.Compare{Factor: math.NaN(), Extra: math.NaN()}, []string{"Factor is NaN", "Extra is NaN"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.judge.Analyze(t.Context(), minute)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
