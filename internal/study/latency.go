package main

import (
	"math"
	"math/rand/v2"

	"github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/internal/evidence"
)

// bounds are the upper ends of Envoy's buckets in ms, without those that no
// request of these scenarios comes near.
var bounds = [...]float64{1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, math.Inf(1)}

// The bounds that rules look at, as indices.
const (
	judgedBound    = 6 // 250 ms, of the rules that look at one bound
	objectiveBound = 7 // 500 ms, of Flagger and Argo
)

// above returns the share of requests slower than a bound: lognormal with a median
// of 80 ms and sigma 0.6, slowed by a factor.
func above(bound, slower float64) float64 {
	return math.Erfc(math.Log(bound/(80*slower))/(0.6*math.Sqrt2)) / 2
}

// speed is the share of requests slower than a bound.
type speed func(bound float64) float64

func lognormal(slower float64) speed {
	return func(bound float64) float64 { return above(bound, slower) }
}

// slow are the shares slower than 100, 250 and 500 ms. The others take more than 50 ms and none
// more than a second, so that no other bound is useful.
type slow [3]float64

func (s slow) speed() speed {
	return func(bound float64) float64 {
		switch {
		case bound < 100:
			return 1
		case bound < 250:
			return s[0]
		case bound < 500:
			return s[1]
		case bound < 1000:
			return s[2]
		}
		return 0
	}
}

// usual is how slow both arms are where the canary's slow counts.
var usual = slow{0.355, 0.029, 0.004}

// speeds are that of the baseline and of healthy canaries, and that of the canary later.
func (s scenario) speeds() (healthy, later speed) {
	if s.slow != (slow{}) {
		return usual.speed(), s.slow.speed()
	}
	return lognormal(1), lognormal(s.slower)
}

// buckets returns how many of n requests fall into each bucket, on the average.
func buckets(n float64, above speed) (mean [len(bounds)]float64) {
	rest := 1.0
	for i, b := range bounds {
		next := above(b)
		mean[i] = n * (rest - next)
		rest = next
	}
	return mean
}

// before is what the baseline's histogram showed in an hour before the rollout,
// and which of its bounds are useful.
func before(above speed) (counts []evidence.Count, useful []int) {
	var all []evidence.Count
	for _, b := range bounds[:len(bounds)-1] {
		all = append(all, evidence.Count{Bad: 1e5 * above(b), Total: 1e5})
	}
	useful = evidence.UsefulBounds(all)
	for _, i := range useful {
		counts = append(counts, all[i])
	}
	return counts, useful
}

// rollLatency draws a rollout of histograms.
func (s scenario) rollLatency(r *rand.Rand) rollout {
	healthy, later := s.speeds()
	counts, useful := before(healthy)
	out := rollout{of: s, latency: true, expected: counts}
	var minute [2][len(bounds)]float64
	for k := range s.all() {
		n, now := s.requests(k), healthy
		if k >= s.healthy {
			now = later
		}
		c := drawBuckets(r, buckets(n.canary, now))
		b := drawBuckets(r, buckets(n.baseline, healthy))
		alone := n.baseline == 0
		out.looks = append(out.looks, evidence.Look{Canary: slowerThan(c, judgedBound), Baseline: slowerThan(b, judgedBound)})
		out.slow = append(out.slow, evidence.LatencyLook{
			Canary: over(c, useful), Baseline: over(b, useful),
			Alone: alone, Step: alone && k == s.healthy,
		})
		for i := range bounds {
			minute[0][i] += c[i]
			minute[1][i] += b[i]
		}
		if k%perMinute == perMinute-1 {
			out.tooSlow = append(out.tooSlow, slowerThan(minute[0], objectiveBound))
			out.percentiles = append(out.percentiles, arms{percentile(minute[0]), percentile(minute[1])})
			minute = [2][len(bounds)]float64{}
		}
	}
	out.minutes = inMinutes(out.looks)
	return out
}

func drawBuckets(r *rand.Rand, mean [len(bounds)]float64) (counts [len(bounds)]float64) {
	for i, m := range mean {
		counts[i] = draw.Poisson(r, m)
	}
	return counts
}

// slowerThan counts the requests above bound i.
func slowerThan(counts [len(bounds)]float64, i int) evidence.Count {
	var c evidence.Count
	for j, v := range counts {
		c.Total += v
		if j > i {
			c.Bad += v
		}
	}
	return c
}

// over counts the requests above each useful bound.
func over(counts [len(bounds)]float64, useful []int) evidence.Slow {
	var s evidence.Slow
	for j, i := range useful {
		c := slowerThan(counts, i)
		s.Total, s.Over[j] = c.Total, c.Bad
	}
	return s
}

// percentile is the 99th, in the bucket where it lies on a straight line.
func percentile(counts [len(bounds)]float64) float64 {
	all := make([]evidence.Bucket, len(bounds))
	sum := 0.0
	for i, v := range counts {
		sum += v
		all[i] = evidence.Bucket{Le: bounds[i], Count: sum}
	}
	return evidence.Quantile(0.99, all)
}
