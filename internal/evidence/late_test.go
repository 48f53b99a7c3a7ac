package evidence_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/internal/evidence"
)

// late is how many looks a regression takes to be found that begins after healthy looks, as the
// median of some runs; more than most if it is not.
func late(t *testing.T, share, requests float64, healthy int, worse func(rate float64) float64) int {
	const rate, runs, most = 0.002, 9, 300
	var all []int
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, uint64(healthy)))
		test, err := evidence.NewErrorTest(evidence.Settings{})
		require.NoError(t, err)
		others := requests / share * (1 - share)
		looks := 0
		for k := 0; looks < most && test.Evidence().Fail < math.Log(20); k++ {
			p := rate
			if k >= healthy {
				p = worse(rate)
				looks++
			}
			test.Update(evidence.Look{
				Canary:   evidence.Count{Bad: min(requests, draw.Poisson(rng, requests*p)), Total: requests},
				Baseline: evidence.Count{Bad: min(others, draw.Poisson(rng, others*rate)), Total: others},
			})
		}
		all = append(all, looks)
	}
	slices.Sort(all)
	return all[runs/2]
}

// V1, V2: an outage takes three looks at every age of a rollout, whatever the traffic and the share (four
// at one request a second after many hours), and a worse canary is never found later than a less
// bad one.
func TestAnOutageIsFoundInThreeLooksAtEveryAge(t *testing.T) {
	for _, share := range []float64{0.05, 0.2, 0.5} {
		for _, requests := range []float64{15, 150, 1500} { // of the canary in a look
			for _, healthy := range []int{0, 4, 60, 240, 5760} {
				t.Run(fmt.Sprintf("%v of the traffic, %v requests, after %d looks", share, requests, healthy), func(t *testing.T) {
					outage := late(t, share, requests, healthy, func(float64) float64 { return 10 })
					most := 3
					if requests == 15 && healthy == 5760 { // 15 requests in a look, after a day
						most = 4
					}
					require.LessOrEqual(t, outage, most)
					before := outage
					for _, times := range []float64{100, 10, 3} {
						looks := late(t, share, requests, healthy, func(p float64) float64 { return times * p })
						require.GreaterOrEqual(t, looks, before, "x %v", times)
						before = looks
					}
				})
			}
		}
	}
}

// However much there was against the split, it is gone soon after the requests are divided as
// planned again, and counts anew: a while without a route must not hold the rollout for ever.
func TestASplitThatWasWrongForLongIsForgiven(t *testing.T) {
	for _, wrong := range []int{4, 20, 2000} {
		rng := rand.New(rand.NewPCG(1, uint64(wrong)))
		test, err := evidence.NewTrafficTest(evidence.Settings{})
		require.NoError(t, err)
		missing := func(looks int) {
			for range looks {
				test.Update(evidence.TrafficLook{Share: 0.5, Others: 15000})
			}
			require.Greater(t, test.LogE(), math.Log(1000))
		}
		missing(wrong)
		for range 240 {
			n := draw.Poisson(rng, 7500)
			test.Update(evidence.TrafficLook{Share: 0.5, Canary: n, Others: 15000 - n})
		}
		require.Less(t, test.LogE(), 0., "after %d looks", wrong)
		missing(1)
	}
}
