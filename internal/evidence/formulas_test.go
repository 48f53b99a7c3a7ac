package evidence_test

import "math"

// The formulas of this file are bands and bets of the literature: references for
// TestVectors. The judge itself uses none of them.

// fixedDKW is the half width of the band around one arm's empirical distribution
// function after n observations that holds at one look, fixed beforehand (Massart
// 1990): sqrt(ln(2/alpha) / (2n)).
func fixedDKW(n, alpha float64) float64 { return math.Sqrt(math.Log(2/alpha) / (2 * n)) }

// closedDKW is the half width of the band that holds at all looks t >= 1 (Howard and
// Ramdas 2022, arXiv 1906.09712): 0.85 sqrt((ln ln(e t) + 0.8 ln(1612/alpha)) / t).
func closedDKW(t, alpha float64) float64 {
	return 0.85 * math.Sqrt((math.Log1p(math.Log(t))+0.8*math.Log(1612/alpha))/t)
}

// tunedDKW is the half width at t of the band that holds at all looks t >= tMin
// (Howard and Ramdas 2022, theorem 2): a sqrt((ln(1+ln(t/tMin)) + c) / t), with the
// least c whose error is alpha, for a > 1/sqrt(2). It is +Inf before tMin.
func tunedDKW(t, tMin, alpha, a float64) (halfWidth, c float64) {
	c = root(1e-3, 1e6, func(c float64) bool { return dkwError(a, c) > alpha })
	if t < tMin {
		return math.Inf(1), c
	}
	return a * math.Sqrt((math.Log1p(math.Log(t/tMin))+c)/t), c
}

// dkwError is the bound on the error of the band with constants a and c,
//
//	min over eta of 4 exp(-gamma c) (1 + 1/((gamma-1) ln eta))
//	gamma = 2/eta (a - sqrt(2 (eta-1)/c))^2 > 1
//
// It has one minimum in eta, found by golden section.
func dkwError(a, c float64) float64 {
	bound := func(eta float64) float64 {
		rest := a - math.Sqrt(2*(eta-1)/c)
		gamma := 2 / eta * rest * rest
		if rest <= 0 || gamma <= 1 {
			return math.Inf(1)
		}
		return 4 * math.Exp(-gamma*c) * (1 + 1/((gamma-1)*math.Log(eta)))
	}
	highest := root(1, 2*a*a, func(eta float64) bool {
		return math.Sqrt(eta/2)+math.Sqrt(2*(eta-1)/c) < a
	})
	lo, hi := 1.0, highest
	const golden = 0.6180339887498949
	for range 80 {
		left, right := hi-golden*(hi-lo), lo+golden*(hi-lo)
		if bound(left) <= bound(right) {
			hi = right
		} else {
			lo = left
		}
	}
	return bound((lo + hi) / 2)
}

// bets is the capital after each observation x in [0, 1] of bets that the
// mean is above m: it multiplies by 1 + bet (x-m), with the predictable plug-in bet
//
//	sqrt( 2 ln(1/alpha) / (variance t ln(1+t)) ), at most trunc/m
//
// of observation t, variance and mean shrunk by one observation at 1/2 with variance
// 1/4 (Waudby-Smith and Ramdas 2024, arXiv 2010.09686, section 3 and 4).
func bets(x []float64, m, alpha, trunc float64) []float64 {
	capital := make([]float64, len(x))
	now, sum, squares, variance := 1.0, 0.5, 0.25, 0.25
	for i, v := range x {
		t := float64(i + 1)
		bet := math.Sqrt(2 * math.Log(1/alpha) / (variance * t * math.Log1p(t)))
		now *= 1 + min(bet, trunc/m)*(v-m)
		capital[i] = now
		sum += v
		mean := sum / (t + 1)
		squares += (v - mean) * (v - mean)
		variance = squares / (t + 1)
	}
	return capital
}

// root returns where before turns from true to false between lo and hi: the last
// place where it was true, or lo.
func root(lo, hi float64, before func(float64) bool) float64 {
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid == lo || mid == hi {
			break
		}
		if before(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}
