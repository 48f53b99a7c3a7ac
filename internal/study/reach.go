package main

import (
	"math"
	"math/rand/v2"

	"github.com/serin-go/serin/internal/evidence"
)

// lost is the share of requests that reach no pod in quiet times.
const lost = 1e-4

// unreachable judges looks whose bad requests are those that reached no pod, by the test and by
// each of its halves.
var unreachable = []rule{
	{"Serin", reachedBy(func(few, unreached float64) float64 { return min(few, unreached) })},
	{"few", reachedBy(func(few, _ float64) float64 { return few })},
	{"unreached", reachedBy(func(_, unreached float64) float64 { return unreached })},
}

func reachedBy(logE func(few, unreached float64) float64) func(ro *rollout) (int, error) {
	return func(ro *rollout) (int, error) {
		t, err := evidence.NewReachTest(ro.before, evidence.Settings{})
		return reached(len(ro.looks), math.Log(20), func(k int) float64 {
			c, b := ro.looks[k].Canary, ro.looks[k].Baseline
			t.Update(evidence.ReachLook{
				Share: ro.of.share, Canary: c.Total - c.Bad, Baseline: b.Total - b.Bad, Unreached: c.Bad + b.Bad,
			})
			return logE(t.Halves())
		}), err
	}
}

// unreached are rollouts whose errors are requests that reach no pod.
func unreached() (each []scenario) {
	const later = 60
	usual := constant(lost, lost)
	for _, s := range []struct {
		scenario
		part float64 // of the planned weight that the routes give
	}{
		{scenario{name: "healthy", errors: usual}, 1},
		{scenario{name: "canary unreachable from the start", errors: constant(1, lost)}, 1},
		{scenario{name: "canary unreachable after 60 looks", healthy: later, errors: then(later, usual, fixed(1))}, 1},
		{scenario{name: "half of the canary's after 60", healthy: later, errors: then(later, usual, fixed(0.5))}, 1},
		{scenario{name: "20% of the canary's after 60", healthy: later, errors: then(later, usual, fixed(0.2))}, 1},
		{scenario{name: "half of stable's", errors: constant(lost, 0.5)}, 1},
		{scenario{name: "20% of both", errors: constant(0.2, 0.2)}, 1},
		{scenario{name: "all for 10 looks of 60", errors: sometimes(0.99)}, 1},
		{scenario{name: "weights not applied", errors: usual}, 0},
		{scenario{name: "half the weight, 1% of both", errors: constant(0.01, 0.01)}, 0.5},
		{scenario{name: "half the weight, 5% of both", errors: constant(0.05, 0.05)}, 0.5},
	} {
		for _, share := range []float64{0.01, 0.05, 0.2, 0.5} {
			at := s.scenario
			at.before, at.share, at.weight = lost, share, func(int) float64 { return s.part * share }
			if at.healthy > 0 {
				at.looks = hour - at.healthy
			}
			each = append(each, atRates([]scenario{at}, []float64{2, 10, 100, 1000})...)
		}
	}
	return each
}

// sometimes has a rate in both arms for 10 looks of 60.
func sometimes(rate float64) func(*rand.Rand) func(int) moment {
	return func(*rand.Rand) func(int) moment {
		return func(look int) moment {
			if look%60 < 10 {
				return moment{rate, rate}
			}
			return moment{lost, lost}
		}
	}
}
