package fake_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var wholeRuns = flag.Uint64("fake.rollouts", 4, "services whose rollouts are simulated, of a healthy version and of bad ones")

// wholeServices are all services.
func wholeServices() (all []wholeService) {
	for _, perSecond := range []float64{0.2, 1, 10, 100, 1000} {
		for _, usual := range []float64{0, 0.0001, 0.001, 0.01, 0.05} {
			for _, p := range badPlans[:2] {
				all = append(all, wholeService{p.name, p.plan, perSecond, usual})
			}
		}
	}
	return all
}

func TestWholeRollouts(t *testing.T) {
	services := wholeServices()
	for i := range *wholeRuns {
		if *badOnly >= 0 && uint64(*badOnly) != i {
			continue
		}
		s := services[i*21%uint64(len(services))]
		dice := rand.New(rand.NewPCG(*badSeed, i))
		seed := dice.Uint64()
		real := time.Now()
		h := s.whole(t, seed, nil, 0)
		t.Logf("%v: healthy %v after %v: %s (%v)", s, h.end, h.lasted, h.why, time.Since(real))
		for k := range wholeHarms {
			harm := &wholeHarms[k]
			if harm.bad(s.usual) <= s.usual {
				continue
			}
			at := harm.begins(dice, h)
			real := time.Now()
			o := s.whole(t, seed, harm, at)
			t.Logf("%v: %s at %v: %v after %v, back %v, %.0f bad: %s (%v)", s, harm.name, at, o.end, o.lasted, o.back-at, o.bad, o.why, time.Since(real))
		}
	}
}
