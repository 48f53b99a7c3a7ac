package evidence

import "math"

// sight is how well a step was looked at (section 9): what its looks would have said at the most
// of a canary all of whose requests were bad.
type sight struct{ nats float64 }

// wellSeen is in nats what suffices for any level and number of metrics.
const wellSeen = 64

// clear reports whether nothing has to be added any more, also for one of [Bounds] bounds.
func (s *sight) clear() bool { return s.nats > wellSeen+3 }

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

// Sighted is how many nats a step has to be looked at until a canary that fails wholly in a metric
// would have failed: what a fail takes at the level alpha beside the other metrics, and what a look
// adds; without a cap as well. The weight of all metrics is so many times that of the metric.
func Sighted(alpha, lookCap, metrics float64) float64 {
	return min(math.Log(metrics/alpha)+lookCap, wellSeen)
}
