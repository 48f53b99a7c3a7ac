package evidence

import (
	"fmt"
	"iter"
	"math"
)

// Interval is an estimate with the bounds of a confidence sequence: with
// probability 1-alpha the true value is within the bounds at every look, however
// often one looks. Lower <= Estimate <= Upper always holds, and none is NaN.
// Upper is +Inf where the counts set no upper bound.
type Interval struct{ Estimate, Lower, Upper float64 }

// String prints three digits: "1.12 (0.547 to 2.26)", or "3.79 or more" if there
// is no upper bound.
func (i Interval) String() string {
	if math.IsInf(i.Upper, 1) {
		return fmt.Sprintf("%.3g or more", i.Lower)
	}
	return fmt.Sprintf("%.3g (%.3g to %.3g)", i.Estimate, i.Lower, i.Upper)
}

// RatioGrid is the grid of ratios that Ratio uses by default. Its 32 is for a
// baseline without an error, of which nothing near 1 would say how much it differs.
func RatioGrid() []float64 { return []float64{0.25, 0.5, 0.8, 1, 1.25, 2, 4, 8, 32} }

// Ratio estimates how many times higher the canary's error rate is than the
// baseline's, from the looks in any order: x of n bad in the canary, y of m in the
// baseline (section 2). It is
//
//	{ r : ln L(r) > ln mean_j L(r_j) - ln(1/alpha) }
//	ln L(r) = sum over looks of x ln r - (x+y) ln(r n + m)
//
// with r_j on a grid of ratios above 0 (none: RatioGrid). L(r_j)/L(r) is the e-process of
// the errors-against-baseline test with margin rho = r and delta = 0, so the
// coverage holds at all looks at once, for any trend that both arms share and any
// changing split. The estimate is the r of the largest L. alpha is within (0, 1).
//
// A look without an error, or with only one arm in traffic, says nothing. If all
// looks are such, nothing is known of the ratio and Ratio returns false. Without
// a bad canary request Estimate and Lower are 0; without a bad baseline request
// Estimate and Upper are +Inf.
//
// All looks are needed, as ln L has a term for each look with an error: time and
// memory are proportional to their number (about a microsecond per such look).
func Ratio(looks iter.Seq[Look], grid []float64, alpha float64) (Interval, bool) {
	var l likelihood
	for k := range looks {
		k = k.clean()
		n, m := k.Canary.Total, k.Baseline.Total
		if e := k.Canary.Bad + k.Baseline.Bad; e > 0 && n > 0 && m > 0 {
			l.x += k.Canary.Bad
			l.y += k.Baseline.Bad
			l.terms = append(l.terms, term{e, math.Log(n) - math.Log(m)})
		}
	}
	if len(l.terms) == 0 {
		return Interval{}, false
	}
	if len(grid) == 0 {
		grid = RatioGrid()
	}
	at := make([]float64, len(grid))
	for j, r := range grid {
		at[j] = l.log(math.Log(r))
	}
	lower, mode, upper := l.above(logMean(at) + math.Log(alpha))
	return Interval{ratioOf(mode), ratioOf(lower), ratioOf(upper)}, true
}

// MantelHaenszel estimates the ratio of error rates over strata (Mantel and
// Haenszel 1959), here looks: sum(x m/(n+m)) / sum(y n/(n+m)). It needs one pass
// and no memory, and nearly equals the Estimate of Ratio. It is +Inf without a
// bad baseline request, and false without any bad request.
func MantelHaenszel(looks iter.Seq[Look]) (float64, bool) {
	var canary, baseline float64
	for k := range looks {
		k = k.clean()
		if all := k.Canary.Total + k.Baseline.Total; all > 0 {
			canary += k.Canary.Bad * (k.Baseline.Total / all)
			baseline += k.Baseline.Bad * (k.Canary.Total / all)
		}
	}
	if canary <= 0 && baseline <= 0 {
		return 0, false
	}
	return canary / baseline, true
}

// Rate estimates one arm's error rate from all its requests so far: it is
// RateWithPrior with a = b = 1/2.
func Rate(total Count, alpha float64) (Interval, bool) {
	return RateWithPrior(total, 0.5, 0.5, alpha)
}

// RateWithPrior is the confidence sequence of the beta-binomial mixture (section
// 3), for x bad ones of n requests:
//
//	{ p : p^x (1-p)^(n-x) >= alpha B(a+x, b+n-x) / B(a, b) }
//
// (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021, arXiv 1810.08240). The
// prior's a and b, both above 0, decide where it is narrow, not whether it
// covers. Errors must come at one rate, the same at all looks; where it moves,
// the interval is of no rate in particular. The estimate is x/n. Without requests
// nothing is known and RateWithPrior returns false. alpha is within (0, 1).
func RateWithPrior(total Count, a, b, alpha float64) (Interval, bool) {
	total = total.clean()
	x, n := total.Bad, total.Total
	if n == 0 {
		return Interval{}, false
	}
	l := likelihood{x: x, y: n - x, terms: []term{{n, 0}}}
	lower, _, upper := l.above(math.Log(alpha) + lnBeta(a+x, b+n-x) - lnBeta(a, b))
	estimate := x / n
	return Interval{estimate, min(shareOf(lower), estimate), max(shareOf(upper), estimate)}, true
}

// likelihood is ln L(u) = x u - sum of e ln(1 + exp(u + shift)), concave in u; the
// sum of e is x + y. For the ratio r of rates, u = ln r and a look has e = x+y,
// shift = ln(n/m): ln L(r) but for a constant. For a rate p, u = ln(p/(1-p)) and one
// term has e = n, shift = 0.
type likelihood struct {
	x, y  float64
	terms []term
}

type term struct{ e, shift float64 }

// edge is how far u goes to either side; beyond it is zero or infinity.
const edge = 700

func (l likelihood) log(u float64) float64 {
	sum := l.x * u
	for _, t := range l.terms {
		v := u + t.shift
		sum -= t.e * (max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))))
	}
	return sum
}

// slope is the derivative of log.
func (l likelihood) slope(u float64) float64 {
	slope := l.x
	for _, t := range l.terms {
		slope -= t.e / (1 + math.Exp(-u-t.shift))
	}
	return slope
}

// above returns the place of the maximum and both ends of the u with ln L > c.
func (l likelihood) above(c float64) (lower, mode, upper float64) {
	mode = l.mode()
	return l.end(mode, c, -1), mode, l.end(mode, c, 1)
}

// mode bisects the slope, which falls. If all shifts were one, u would be
// ln(x/y) - shift, so it lies between these.
func (l likelihood) mode() float64 {
	switch {
	case l.x <= 0:
		return -edge
	case l.y <= 0:
		return edge
	}
	least, most := math.Inf(1), math.Inf(-1)
	for _, t := range l.terms {
		least, most = min(least, t.shift), max(most, t.shift)
	}
	middle := math.Log(l.x) - math.Log(l.y)
	lo, hi := max(middle-most, -edge), min(middle-least, edge)
	for hi-lo > 1e-10 {
		if mid := lo + (hi-lo)/2; l.slope(mid) > 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo + (hi-lo)/2
}

// end returns where ln L falls to c when u goes from the mode to one side (sign),
// or the edge: outwards in doubling steps, and back by Newton's method, which never
// passes the end because ln L is concave.
func (l likelihood) end(mode, c, sign float64) float64 {
	if !(l.log(mode) > c) {
		return mode
	}
	u := mode
	for step := 0.5; l.log(u) > c; step *= 2 {
		if math.Abs(u) >= edge && u*sign > 0 {
			return sign * edge
		}
		u = min(max(mode+sign*step, -edge), edge)
	}
	for range 100 {
		back := (l.log(u) - c) / l.slope(u)
		if !(math.Abs(back) > 1e-11) {
			break
		}
		u -= back
	}
	return sign * max(sign*u, sign*mode)
}

func ratioOf(u float64) float64 {
	switch {
	case u <= -edge:
		return 0
	case u >= edge:
		return math.Inf(1)
	}
	return math.Exp(u)
}

func shareOf(u float64) float64 {
	switch {
	case u <= -edge:
		return 0
	case u >= edge:
		return 1
	}
	return 1 / (1 + math.Exp(-u))
}

// logMean is ln mean exp(v), without overflow.
func logMean(v []float64) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, x := range v {
		top = max(top, x)
	}
	for _, x := range v {
		sum += math.Exp(x - top)
	}
	return top + math.Log(sum/float64(len(v)))
}

// lnBeta is ln B(a, b) for a, b > 0.
func lnBeta(a, b float64) float64 {
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	both, _ := math.Lgamma(a + b)
	return la + lb - both
}
