package main

import (
	"fmt"
	"math/rand/v2"

	"github.com/serin-go/serin/internal/evidence"
)

const (
	leastLooks = 10 * perMinute // of a step
	mostLooks  = hour + 1       // until its deadline
)

// plans are rollouts of 20, 40, 60, 80 and 100 %, in one of whose steps the canary turns bad: at
// any look of the ten minutes that the step has at least. Every step is drawn up to its deadline.
func plans(rates []float64) (each []scenario) {
	for _, base := range []float64{0.001, 0.01} {
		for _, bad := range []float64{10 * base, 0.3, 1} {
			for step := range 5 {
				each = append(each, scenario{
					name:   fmt.Sprintf("err %v->%v%% at %d%%", 100*base, 100*bad, 20*(step+1)),
					looks:  5 * mostLooks,
					weight: func(look int) float64 { return 0.2 * float64(look/mostLooks+1) },
					errors: func(r *rand.Rand) func(int) moment {
						return then(step*mostLooks+r.IntN(leastLooks), constant(base, base), fixed(bad))(r)
					},
				})
			}
		}
	}
	return atRates(each, rates)
}

var planned = append(
	by([]rule{{"failed", func(ro *rollout) (int, error) {
		looks, _, err := carriedOut(ro)
		return looks, err
	}}}, found),
	by([]rule{{"promoted", func(ro *rollout) (int, error) {
		_, promoted, err := carriedOut(ro)
		return promoted, err
	}}}, falsely)...)

// carriedOut takes the canary through a plan. A step ends at the first pass after its least time; what
// was drawn beyond that is left out. It returns how many looks of a bad canary it took to fail it, and
// 1 if it was promoted.
func carriedOut(ro *rollout) (looks, promoted int, err error) {
	var judge evidence.Judge
	test, err := evidence.NewErrorTest(evidence.Settings{})
	for from := 0; from < len(ro.looks) && err == nil; from += mostLooks {
		said := evidence.Continue
		for k := 0; k < mostLooks && said != evidence.Pass; k++ {
			l := ro.looks[from+k]
			l.Step = k == 0
			test.Update(l)
			if from+k >= ro.begins {
				looks++
			}
			said = judge.Update([]evidence.Metric{{Evidence: test.Evidence()}}, 0, k+1 >= leastLooks)
			if said == evidence.Fail {
				return looks, 0, nil
			}
		}
		if said != evidence.Pass {
			return 0, 0, nil
		}
	}
	return 0, 1, err
}
