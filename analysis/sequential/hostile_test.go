package sequential_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
)

// Fields at their limits are mistakes, and no times before the rollout, nor looks without end.
func TestFieldsAtTheirLimitsAreMistakes(t *testing.T) {
	for says, tuning := range map[string]sequential.Tuning{
		"the Warmup is 9223372036854775807; want a number of looks, 1000 at most": {Warmup: math.MaxInt},
		"the Warmup is 1001": {Warmup: 1001},
		"looks of 2562047h47m16.854775807s with a Lag of 0s; want 24h0m0s": {Look: math.MaxInt64},
		"looks of 0s with a Lag of 2562047h47m16.854775807s":               {Lag: math.MaxInt64},
		"EventsPerCause is 1.7976931348623157e+308":                        {EventsPerCause: math.MaxFloat64},
	} {
		judge := judgeOf(newShop(arm{}, arm{}))
		judge.Tuning = tuning
		_, err := judge.Analyze(t.Context(), request(60))
		require.ErrorContains(t, err, says)
	}
}

// Weights whose sum is no number would fail no canary.
func TestWeightsHaveASum(t *testing.T) {
	judge := judgeOf(newShop(arm{bad: 0.001}, arm{bad: 1}))
	judge.Metrics = []sequential.Metric{sequential.Rate{Weight: math.MaxFloat64}, sequential.Rate{Weight: math.MaxFloat64}}
	require.ErrorContains(t, judge.Validate(), "the weight is 1.7976931348623157e+308; want a number, 1e+09 at most, or None")
	judge.Metrics = []sequential.Metric{sequential.Rate{Weight: 1e9}, sequential.Rate{Weight: 1e9}}
	result, err := judge.Analyze(t.Context(), request(600))
	require.NoError(t, err)
	require.Equal(t, analysis.Fail, result.Verdict, result.Reason)
}

// A forecast has numbers, and times that have not passed, at any load.
func TestAForecastHasNoImpossibleNumbers(t *testing.T) {
	const forever = 100 * 365 * 24 * time.Hour // the longest of a plan
	for _, bad := range []float64{0, math.SmallestNonzeroFloat64, 1e-300, 0.5, math.Nextafter(1, 0)} {
		for _, requests := range []float64{math.SmallestNonzeroFloat64, 1e-9, 1, 1e12} {
			r := planned(analysis.Load{PerSecond: requests, Bad: bad}, pass(1e-6, forever), pass(0.5, time.Hour))
			f, err := sequential.Judge{}.Forecast(t.Context(), r)
			require.NoError(t, err)
			for _, s := range f.Steps {
				require.True(t, s.Chance >= 0 && s.Chance <= 1, "%v requests, %v bad: a chance of %v", requests, bad, s.Chance)
				for _, d := range []time.Duration{s.Usual, s.Least, s.Outage.After, s.Doubled.After, s.Point.After, s.Remedy.Deadline} {
					require.GreaterOrEqual(t, d, time.Duration(0), "%v requests, %v bad: %+v", requests, bad, s)
				}
				for _, n := range []float64{s.Outage.Bad, s.Doubled.Bad, s.Point.Bad} {
					require.False(t, !(n >= 0) || math.IsInf(n, 1), "%v requests, %v bad: %+v", requests, bad, s)
				}
			}
		}
	}
	_, err := sequential.Judge{Metrics: []sequential.Metric{nil}}.Forecast(t.Context(), planned(analysis.Load{PerSecond: 1}, pass(0.5, 0)))
	require.NoError(t, err)
	for _, requests := range []float64{math.NaN(), math.Inf(1), math.MaxFloat64, -1} {
		_, err := sequential.Judge{}.Forecast(t.Context(), planned(analysis.Load{PerSecond: requests}, pass(0.5, time.Hour)))
		require.ErrorContains(t, err, "the load is")
	}
}
