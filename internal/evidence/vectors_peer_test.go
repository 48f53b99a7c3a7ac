package evidence_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/peers"
)

var peerKinds = map[string]compute{
	"mann_whitney_exact": func(t *testing.T, v vector) map[string]any {
		test := mannWhitney(t, v, peers.Exact)
		require.True(t, test.Exact)
		return map[string]any{"U": test.U, "p_less": test.Less, "p_greater": test.Greater, "p_two_sided": test.TwoSided}
	},
	"mann_whitney_normal": func(t *testing.T, v vector) map[string]any {
		test := mannWhitney(t, v, peers.Normal)
		require.False(t, test.Exact)
		return map[string]any{"U": test.U, "sigma": test.Sigma, "z": test.Z,
			"p_less": test.Less, "p_greater": test.Greater, "p_two_sided": test.TwoSided}
	},
	"kayenta_interval": func(t *testing.T, v vector) map[string]any {
		in := input[struct {
			X, Y       []float64
			Confidence float64
		}](t, v)
		i, err := peers.Shift(in.X, in.Y, in.Confidence)
		require.NoError(t, err)
		return map[string]any{
			"lower_min": i.Lower.Min, "lower_max": i.Lower.Max, "upper_min": i.Upper.Min, "upper_max": i.Upper.Max,
			"estimate_min": i.Estimate.Min, "estimate_max": i.Estimate.Max,
		}
	},
	"cles": func(t *testing.T, v vector) map[string]any {
		in := input[bothArms](t, v)
		effect, err := peers.CLES(in.Experiment, in.Control)
		require.NoError(t, err)
		return map[string]any{"cles": effect}
	},
	"mean_ratio": func(t *testing.T, v vector) map[string]any {
		in := input[bothArms](t, v)
		ratio, ok, err := peers.MeanRatio(in.Experiment, in.Control)
		require.NoError(t, err)
		require.True(t, ok)
		return map[string]any{"ratio": ratio}
	},
	"percentile_r7": func(t *testing.T, v vector) map[string]any {
		in := input[struct{ Values, P []float64 }](t, v)
		var q []float64
		for _, p := range in.P {
			value, err := peers.Percentile(in.Values, p)
			require.NoError(t, err)
			q = append(q, value)
		}
		return map[string]any{"q": q}
	},
	"z_pooled": func(t *testing.T, v vector) map[string]any {
		in := input[struct{ X, N, Y, M float64 }](t, v)
		z, p := peers.PooledZ(in.X, in.N, in.Y, in.M)
		return map[string]any{"z": z, "p_one_sided": p}
	},
	"msprt": func(t *testing.T, v vector) map[string]any {
		in := input[struct{ N, Diff, Sigma2, Tau2 float64 }](t, v)
		return map[string]any{"log_e": peers.MSPRT(in.N, in.Diff, in.Sigma2, in.Tau2)}
	},
}

// bothArms is an input with the values of both bothArms.
type bothArms struct{ Control, Experiment []float64 }

func mannWhitney(t *testing.T, v vector, test func(x, y []float64) (peers.Test, error)) peers.Test {
	in := input[struct{ X, Y []float64 }](t, v)
	got, err := test(in.X, in.Y)
	require.NoError(t, err)
	return got
}
