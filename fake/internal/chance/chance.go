// Package chance draws the random numbers of a mesh: how many of many requests go
// which way.
package chance

import (
	"math"
	"math/rand/v2"
)

// Dice draw how many of many requests go which way. Drawing for a crowd at once
// has the same distribution as drawing for each request alone. Dice are not safe
// for concurrent use.
type Dice struct{ *rand.Rand }

// New returns Dice that draw the same for the same seed.
func New(seed uint64) Dice { return Dice{rand.New(rand.NewPCG(seed, 0x5e217))} }

// Binomial draws how many of n independent requests take a way of probability p.
func (d Dice) Binomial(n uint64, p float64) uint64 {
	switch {
	case n == 0 || p <= 0:
		return 0
	case p >= 1:
		return n
	case p > 0.5:
		return n - d.Binomial(n, 1-p)
	case float64(n)*p < 12:
		return d.binomialBySkips(n, p)
	}
	return d.binomialByRejection(float64(n), p)
}

// binomialBySkips draws the gaps between hits. Its time grows with n*p.
func (d Dice) binomialBySkips(n uint64, p float64) uint64 {
	if n == 1 {
		if d.Float64() < p {
			return 1
		}
		return 0
	}
	var hits uint64
	miss := math.Log1p(-p)
	for at := 0.0; ; hits++ {
		at += 1 + math.Floor(math.Log1p(-d.Float64())/miss)
		if at > float64(n) {
			return hits
		}
	}
}

// binomialByRejection is the algorithm BTRS of W. Hörmann, "The generation of
// binomial random variates", 1993, for p <= 1/2 and n*p >= 10. Its time does not
// grow with n.
func (d Dice) binomialByRejection(n, p float64) uint64 {
	sd := math.Sqrt(n * p * (1 - p))
	b := 1.15 + 2.53*sd
	a := -0.0873 + 0.0248*b + 0.01*p
	c := n*p + 0.5
	vr := 0.92 - 4.2/b
	alpha := (2.83 + 5.1/b) * sd
	odds := math.Log(p / (1 - p))
	mode := math.Floor((n + 1) * p)
	h := lnFactorial(mode) + lnFactorial(n-mode)
	for {
		u, v := d.Float64()-0.5, d.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + c)
		if k < 0 || k > n {
			continue
		}
		if us >= 0.07 && v <= vr {
			return uint64(k)
		}
		if math.Log(v*alpha/(a/(us*us)+b)) <= h-lnFactorial(k)-lnFactorial(n-k)+(k-mode)*odds {
			return uint64(k)
		}
	}
}

func lnFactorial(k float64) float64 {
	value, _ := math.Lgamma(k + 1)
	return value
}

// Portion draws the part of n that takes a way of the given weight, of all that
// is left. Taking Portion after Portion, each time of the rest, shares n out.
func (d Dice) Portion(n, weight, left uint64) uint64 {
	return d.Part(n, float64(weight), float64(left))
}

// Part is Portion for weights that need not be whole.
func (d Dice) Part(n uint64, weight, left float64) uint64 {
	if weight >= left-1e-9 { // but for errors of rounding
		return n
	}
	return d.Binomial(n, weight/left)
}
