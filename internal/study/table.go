package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/serin-go/serin/internal/evidence"
)

// run says how a study is done.
type run struct {
	n    int // repetitions
	seed uint64
}

// outcome is what one rule did in the repetitions of a scenario that count.
type outcome struct {
	n     int
	looks []int     // after the healthy ones, of the repetitions that were rolled back, sorted
	bad   []float64 // requests until then or until the end, of each repetition
}

// share is how many of 100 were rolled back.
func (o outcome) share() float64 { return 100 * float64(len(o.looks)) / float64(o.n) }

// median is the time of those that were rolled back, in minutes.
func (o outcome) median() float64 {
	if len(o.looks) == 0 {
		return math.NaN()
	}
	return float64(o.looks[len(o.looks)/2]) / perMinute
}

func (o outcome) meanBad() float64 {
	sum := 0.0
	for _, b := range o.bad {
		sum += b
	}
	return sum / float64(o.n)
}

// apply lets all rules judge the same repetitions. Each repetition has a stream of
// random numbers of its own, so that neither the number of processors nor the
// other rules change the result.
func (r run) apply(s scenario, rules []rule) ([]outcome, error) {
	firsts := make([][]int, r.n)
	bad := make([][]float64, r.n)
	var wait sync.WaitGroup
	processors := runtime.GOMAXPROCS(0)
	wrong := make([]error, processors)
	for p := range processors {
		wait.Go(func() {
			for i := p; i < r.n && wrong[p] == nil; i += processors {
				firsts[i], bad[i], wrong[p] = r.repetition(i, s, rules)
			}
		})
	}
	wait.Wait()
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(rules))
	for j := range rules {
		var o outcome
		for i := range r.n {
			first := firsts[i][j]
			if first > 0 && first <= s.healthy {
				continue
			}
			o.n++
			o.bad = append(o.bad, bad[i][j])
			if first > 0 {
				o.looks = append(o.looks, first-s.healthy)
			}
		}
		slices.Sort(o.looks)
		outcomes[j] = o
	}
	return outcomes, nil
}

// repetition returns after which look each rule rolls back, and the bad requests
// until then.
func (r run) repetition(i int, s scenario, rules []rule) (firsts []int, bad []float64, err error) {
	ro := s.roll(rand.New(rand.NewPCG(r.seed, uint64(i))))
	for _, rule := range rules {
		first, err := rule.first(&ro)
		if err != nil {
			return nil, nil, fmt.Errorf("%s by %s: %w", s.name, rule.name, err)
		}
		firsts = append(firsts, first)
		bad = append(bad, ro.badUntil(first))
	}
	return firsts, bad, nil
}

// badUntil counts the canary's bad requests up to a look, or all; where everything
// is slower, all of its requests are bad.
func (ro *rollout) badUntil(look int) float64 {
	looks := ro.looks
	if look > 0 {
		looks = looks[:look]
	}
	var c evidence.Count
	for _, l := range looks {
		c = plus(c, l.Canary)
	}
	if ro.latency {
		return c.Total
	}
	return c.Bad
}
