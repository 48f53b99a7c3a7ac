package fake_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/serin-go/serin/canary/phase"
)

var (
	wholeRuns = flag.Uint64("fake.rollouts", 2, "services whose whole rollouts are simulated, of a healthy version and of bad ones")
	wholeSlow = flag.Bool("fake.slow", false, "also services whose rollouts take days, and are slow to simulate")
	wholeOnly = flag.String("fake.service", "", "a regular expression for the names of the services")
)

// wholeServices are the services of the whole rollouts.
func wholeServices() (all []wholeService) {
	only := regexp.MustCompile(*wholeOnly)
	for _, perSecond := range []float64{0.2, 1, 10, 100, 1000} {
		for _, usual := range []float64{0, 0.0001, 0.001, 0.01, 0.05} {
			for _, p := range badPlans[:2] {
				if s := (wholeService{p.name, p.plan, perSecond, usual}); (*wholeSlow || !s.slow()) && only.MatchString(s.String()) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// The README's plans with the default judge, from nothing to users who all have the new version,
// or the old one again: healthy versions are promoted as often as a forecast says, and a great harm
// is found if there is time.
func TestWholeRollouts(t *testing.T) {
	services := wholeServices()
	all := make([][]*wholeOutcome, *wholeRuns)
	eachBadRun(t, *wholeRuns, func(t *testing.T, i uint64) {
		all[i] = services[i*23%uint64(len(services))].rollouts(t, i)
	})
	table := wholeTable(services, slices.Concat(all...))
	for _, wrong := range table.wrong {
		t.Error(wrong)
	}
	if testing.Verbose() {
		t.Log(table)
	}
}

// rollouts are the one of a healthy version, and of one with each harm.
func (s wholeService) rollouts(t *testing.T, i uint64) (all []*wholeOutcome) {
	dice := rand.New(rand.NewPCG(*badSeed, i))
	seed := dice.Uint64()
	healthy := s.whole(t, seed, nil, 0)
	all = append(all, healthy)
	for k := range wholeHarms {
		harm, dice := &wholeHarms[k], rand.New(rand.NewPCG(seed, uint64(k)))
		if *badKindName != "" && *badKindName != harm.name || harm.bad(s.usual) <= s.usual {
			continue
		}
		at := harm.begins(dice, healthy)
		if at >= healthy.lasted { // a rollout that is paused does not come so far
			continue
		}
		o := s.whole(t, seed, harm, at)
		o.chance, o.expected = o.found(o.spells, o.lasted), o.found(healthy.spells, healthy.lasted)
		all = append(all, o)
	}
	for _, o := range all {
		o.seed, o.number = *badSeed, i
		if *badOnly >= 0 || o.surprises() {
			t.Logf("%v", o)
		}
	}
	return all
}

// surprises reports whether somebody should look at the rollout.
func (o *wholeOutcome) surprises() bool {
	if o.harm == nil {
		return o.end != phase.Promoted
	}
	return o.end == phase.Promoted && o.harm.great || !o.end.Final()
}

// missed reports whether a great harm was promoted although there was time to find it.
func (o *wholeOutcome) missed() bool {
	return o.harm != nil && o.harm.great && o.end == phase.Promoted && o.chance >= 0.999 && o.service.perSecond >= 1
}

// fewer is the probability that at most k of n things happen that happen with a probability of p.
func fewer(k, n int, p float64) (sum float64) {
	choose := 1.0
	for i := range k + 1 {
		sum += choose * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
		choose *= float64(n-i) / float64(i+1)
	}
	return min(1, sum)
}
