package evidence_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/internal/evidence"
)

// The pace without noise is the growth that a Need is forecast by: of either verdict, against a baseline and
// against a constant.
func TestThePaceIsTheGrowthOfARequest(t *testing.T) {
	split, err := evidence.Settings{Noise: evidence.None}.For(evidence.Errors)
	require.NoError(t, err)
	slo, err := evidence.Settings{Noise: evidence.None}.For(evidence.SLO)
	require.NoError(t, err)
	slow, err := evidence.Settings{Noise: evidence.None}.For(evidence.Latency)
	require.NoError(t, err)
	const n = 20.
	good, bad := evidence.Rates{Canary: 0.001, Baseline: 0.001, Ratio: 19}, evidence.Rates{Canary: 0.002, Baseline: 0.001, Ratio: 19}
	for name, c := range map[string]struct {
		pace   evidence.Pace
		growth float64
	}{
		"pass":             {split.PassPace(good, n), evidence.SplitGrowth(good, split.Pass, split.PassGrid.Multipliers())},
		"fail":             {split.FailPace(bad, n), evidence.SplitGrowth(bad, split.Fail, split.FailGrid.Multipliers())},
		"latency, pass":    {slow.LatencyPass(0.05, 19, n), evidence.Missing(0.05, 0.8, 0) / 1355},
		"objective, pass":  {slo.ConstantPass(0.001, 0.01, n), evidence.ObjectiveGrowth(0.001, 0.01, slo.PassGrid.Multipliers())},
		"objective, fail":  {slo.ConstantFail(0.1, 0.01, n), evidence.ObjectiveGrowth(0.1, 0.01, slo.FailGrid.Multipliers())},
		"healthy, fail":    {split.FailPace(good, n), 0},
		"objective is met": {slo.ConstantFail(0.01, 0.01, n), 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.InDelta(t, n*c.growth, c.pace.Mean, 1e-4)
			require.Equal(t, c.growth > 0, c.pace.Deviation > 0)
		})
	}
	require.Zero(t, split.PassPace(good, 0))
	need := evidence.Missing(0.05, split.FirstShare, 0) / split.FailPace(bad, 1).Mean
	require.InEpsilon(t, 13_400, need, 0.03, "as the table of package sequential says")
	noisy, err := evidence.Settings{}.For(evidence.Errors)
	require.NoError(t, err)
	require.Less(t, noisy.FailPace(bad, n).Mean, split.FailPace(bad, n).Mean)
}

// What looks say on average is less than what a look with the average requests says, if these are few.
func TestThinLooksSayLess(t *testing.T) {
	rho := evidence.Margin{Factor: 1.5}
	r := rand.New(rand.NewPCG(1, 1))
	says := func(x, y float64) float64 { return x * y / (1.5*x + y) }
	for _, c := range [][2]float64{{0.06, 0.24}, {0.6, 2.4}, {2, 2}, {6, 24}, {30, 60}} {
		sum, x, y, open, looks := 0.0, 0.0, 0.0, 0, 400_000
		for range looks { // a look waits for the arm without requests, but not for ever
			x, y = x+draw.Poisson(r, c[0]), y+draw.Poisson(r, c[1])
			if open++; x*y > 0 || open == evidence.MostOpen {
				sum += says(x+1e-9, y)
				x, y, open = 0, 0, 0
			}
		}
		require.InDelta(t, sum/float64(looks)/says(c[0], c[1]), rho.Thin(c[0], c[1]), 0.07, c)
	}
	require.InDelta(t, 1, rho.Thin(1e4, 1e5), 1e-9)
	require.InDelta(t, 1, rho.Thin(0, 5), 0)
}

// Without a third moment the chance is that of a Brownian motion; with one it stays a probability.
func TestTheChanceOfLooks(t *testing.T) {
	even := evidence.Looks{}.Add(100, evidence.Pace{Mean: 0.04, Deviation: 0.1})
	require.InDelta(t, evidence.Chance(4, 4, 1), even.Chance(4), 1e-12)
	skew := evidence.Looks{}.Add(100, evidence.Pace{Mean: 0.04, Deviation: 0.1, Third: -0.01})
	require.Greater(t, skew.Chance(4), even.Chance(4), "most have more than the mean")
	require.Less(t, skew.Chance(5.5), even.Chance(5.5), "none has much more")
	require.Zero(t, skew.Chance(6.5))
	require.Zero(t, evidence.Looks{}.Chance(4))
}
