package evidence

import "math"

// sight is how well a step was looked at (section 9): what its looks would have said at the most
// of a canary all of whose requests were bad.
type sight struct{ nats float64 }

// clear reports whether a step was seen well enough for any number of metrics, so that nothing has
// to be added.
func (s *sight) clear() bool { return s.nats > 64 }

// see adds a look: factor is the log factor, tempered, of each of n multipliers, with all requests
// of the canary bad. None adds more than the limit, which is what a look may say. The last
// multiplier is the greatest, and mostly suffices.
func (s *sight) see(n int, factor func(i int) float64, limit float64) {
	most := 0.0
	for i := n - 1; i >= 0 && most < limit; i-- {
		most = max(most, factor(i))
	}
	s.nats += min(limit, most)
}

// allBad returns the look with all requests of the canary bad.
func (l Look) allBad() Look {
	l.Canary.Bad = l.Canary.Total
	return l
}

// Sighted is how many nats a step has to be looked at until a canary that fails wholly in one of
// so many metrics would have failed: what a fail takes at the level alpha, and what a look adds.
func Sighted(alpha, lookCap float64, metrics int) float64 {
	return math.Log(float64(metrics)/alpha) + lookCap
}
