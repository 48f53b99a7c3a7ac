package evidence_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
