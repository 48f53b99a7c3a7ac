package draw_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/draw"
)

// moments returns mean and variance of many draws.
func moments(number func(r *rand.Rand) float64) (mean, variance float64) {
	const n = 40_000
	r, sum, squares := rand.New(rand.NewPCG(1, 2)), 0.0, 0.0
	first := number(r)
	for range n {
		d := number(r) - first
		sum += d
		squares += d * d
	}
	return first + sum/n, squares/n - sum/n*sum/n
}

func TestCountsHaveThePoissonDistribution(t *testing.T) {
	for _, mean := range []float64{0.01, 0.9, 11.9, 12, 30, 400, 285_000} {
		m, v := moments(func(r *rand.Rand) float64 { return draw.Poisson(r, mean) })
		require.InDelta(t, mean, m, 5*math.Sqrt(mean/40_000), "mean of %v", mean)
		require.InEpsilon(t, mean, v, 0.05+0.05/math.Sqrt(mean), "variance of %v", mean)
	}
	require.Zero(t, draw.Poisson(rand.New(rand.NewPCG(1, 1)), 0))
}

func TestEachCountIsAsLikelyAsItShouldBe(t *testing.T) {
	const mean, n = 14.0, 200_000
	r, seen := rand.New(rand.NewPCG(5, 5)), map[float64]float64{}
	for range n {
		seen[draw.Poisson(r, mean)]++
	}
	p := math.Exp(-mean)
	for k := 0.0; k < 40; k++ {
		require.InDelta(t, n*p, seen[k], 4.5*math.Sqrt(n*p)+1, "%v", k)
		p *= mean / (k + 1)
	}
}

func TestNoiseHasItsSpread(t *testing.T) {
	for _, cv := range []float64{0.3, 0.6, 1, 1.5} {
		m, v := moments(func(r *rand.Rand) float64 { return draw.Gamma(r, cv) })
		require.InDelta(t, 1, m, 5*cv/200, "mean at %v", cv)
		require.InDelta(t, cv, math.Sqrt(v), 0.05*cv, "spread at %v", cv)
	}
	require.Equal(t, 1.0, draw.Gamma(nil, 0))
}
