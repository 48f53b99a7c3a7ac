package evidence_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/internal/evidence"
)

// bad draws how many of n requests are bad: one by one if they are few, else as a
// Poisson count.
func bad(r *rand.Rand, n, p float64) (count float64) {
	if n > 100 {
		return min(draw.Poisson(r, n*p), n)
	}
	for range int(n) {
		if r.Float64() < p {
			count++
		}
	}
	return count
}

// counted is a look at n canary and m baseline requests with error rates p and q.
func counted(r *rand.Rand, n, p, m, q float64) evidence.Look {
	return evidence.Look{
		Canary:   evidence.Count{Bad: bad(r, n, p), Total: n},
		Baseline: evidence.Count{Bad: bad(r, m, q), Total: m},
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// bound is alpha with room for three standard deviations of the simulation.
func bound(alpha float64, runs int) float64 {
	return alpha + 3*math.Sqrt(alpha*(1-alpha)/float64(runs))
}
