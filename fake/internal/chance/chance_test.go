package chance

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Mean, variance and every probability above a thousandth are those of the
// binomial distribution, whatever way it is drawn.
func TestBinomialDrawsAreBinomial(t *testing.T) {
	for _, c := range []struct {
		n uint64
		p float64
	}{{0, 0.5}, {1, 0.3}, {5, 0}, {5, 1}, {5, -1}, {5, 2}, {10, 0.2}, {10, 0.9}, {50, 0.3}, {200, 0.5}, {1000, 0.001}, {1000, 0.02}, {100000, 0.4}, {1e9, 1e-8}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			const draws = 100_000
			d := New(7)
			n, p := float64(c.n), min(1, max(0, c.p))
			seen := map[uint64]float64{}
			sum, squares := 0.0, 0.0
			for range draws {
				k := d.Binomial(c.n, c.p)
				seen[k]++
				sum += float64(k)
				squares += (float64(k) - n*p) * (float64(k) - n*p)
			}
			require.LessOrEqual(t, slices.Max(slices.Collect(maps.Keys(seen))), c.n)
			variance := n * p * (1 - p)
			require.InDelta(t, n*p, sum/draws, 6*math.Sqrt(variance/draws)+1e-9)
			require.InEpsilon(t, variance+1, squares/draws+1, 0.05)
			for k, times := range seen {
				if p <= 0 || p >= 1 {
					continue
				}
				want := math.Exp(lnFactorial(n) - lnFactorial(float64(k)) - lnFactorial(n-float64(k)) +
					float64(k)*math.Log(p) + (n-float64(k))*math.Log1p(-p))
				if want > 0.001 {
					require.InDelta(t, want, times/draws, 6*math.Sqrt(want*(1-want)/draws), k)
				}
			}
		})
	}
}
