// Package draw draws the random numbers of simulated traffic.
package draw

import (
	"math"
	"math/rand/v2"
)

// Poisson draws a count of the given mean: term by term while it is small, else
// by transformed rejection (Hörmann 1993, PTRS).
func Poisson(r *rand.Rand, mean float64) float64 {
	if mean <= 0 {
		return 0
	}
	if mean < 12 {
		return fewPoisson(r, mean)
	}
	b := 0.931 + 2.53*math.Sqrt(mean)
	a := -0.059 + 0.02483*b
	accept := 0.9277 - 3.6224/(b-2)
	scale := math.Log(1.1239 + 1.1328/(b-3.4))
	logMean := math.Log(mean)
	for {
		u, v := r.Float64()-0.5, r.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= accept {
			return k
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		factorial, _ := math.Lgamma(k + 1)
		if math.Log(v)+scale-math.Log(a/(us*us)+b) <= k*logMean-mean-factorial {
			return k
		}
	}
}

// fewPoisson goes through the distribution until a uniform number is used up.
func fewPoisson(r *rand.Rand, mean float64) float64 {
	k, p, u := 0.0, math.Exp(-mean), r.Float64()
	for u > p && p > 0 {
		u -= p
		k++
		p *= mean / k
	}
	return k
}

// Gamma draws a factor of mean 1 with the given coefficient of variation (Marsaglia
// and Tsang 2000).
func Gamma(r *rand.Rand, cv float64) float64 {
	if cv == 0 {
		return 1
	}
	shape := 1 / (cv * cv)
	d := shape - 1./3
	if shape < 1 { // the method is for 1 and more
		d++
	}
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		v *= v * v
		if v <= 0 || math.Log(1-r.Float64()) >= x*x/2+d*(1-v+math.Log(v)) {
			continue
		}
		if shape < 1 {
			v *= math.Pow(1-r.Float64(), 1/shape)
		}
		return d * v / shape
	}
}
