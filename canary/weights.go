package canary

import (
	"iter"
	"slices"
)

// Linear yields from, from+by, from+2*by and so on, and to as the last weight:
// Linear(30*Percent, 30*Percent, 50*Percent) is 30 %, 50 %. It yields nothing if by is
// not positive or from is greater than to.
func Linear(from, by, to Weight) iter.Seq[Weight] {
	return rising(from, to, func(w Weight) Weight { return w + min(by, to-w) })
}

// Exponential yields from, from*factor, from*factor*factor and so on, rounded down, and
// to as the last weight: Exponential(Percent, 2, 10*Percent) is 1 %, 2 %, 4 %, 8 %, 10 %.
// It yields nothing if the second weight would not be greater than from, or if from is
// greater than to.
func Exponential(from Weight, factor float64, to Weight) iter.Seq[Weight] {
	return rising(from, to, func(w Weight) Weight {
		// The comparison is made in floating point, where no factor overflows.
		if next := float64(w) * factor; next < float64(to) {
			return Weight(next)
		}
		return to
	})
}

// List yields the given weights.
func List(weights ...Weight) iter.Seq[Weight] { return slices.Values(weights) }

// rising yields from and what next makes of each weight, up to and including
// to; nothing if next does not rise.
func rising(from, to Weight, next func(Weight) Weight) iter.Seq[Weight] {
	return func(yield func(Weight) bool) {
		if from > to || from < to && next(from) <= from {
			return
		}
		for w := from; yield(w) && w < to; {
			w = max(next(w), w+1)
		}
	}
}
