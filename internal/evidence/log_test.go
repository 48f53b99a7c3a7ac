package evidence

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTheLogarithmIsThatOfPackageMath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64Range(0x1p-1022, math.MaxFloat64), rapid.Float64Range(0.5, 2), rapid.Float64Range(0.999, 1.001)).Draw(t, "x")
		want := math.Log(x)
		require.InDelta(t, want, ln(x), 1e-15*max(1, math.Abs(want)))
	})
	require.Zero(t, ln(1))
	require.InEpsilon(t, 0x1p-40, ln(1+0x1p-40), 1e-12, "nothing cancels near 1")
	require.InEpsilon(t, -0x1p-40, ln(1-0x1p-40), 1e-12, "nothing cancels near 1")
}

func TestTheExponentialIsThatOfPackageMath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64Range(-700, 700), rapid.Float64Range(-1, 1)).Draw(t, "x")
		require.InEpsilon(t, math.Exp(x), exp(x), 1e-13)
	})
	require.Equal(t, 1.0, exp(0))
}

func BenchmarkLogarithms(b *testing.B) {
	for name, log := range map[string]func(float64) float64{"here": ln, "math": math.Log} {
		b.Run(name, func(b *testing.B) {
			for i := 1.0; b.Loop(); i++ {
				log(i)
			}
		})
	}
}
