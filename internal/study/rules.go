package main

import (
	"math"
	"slices"

	"github.com/serin-go/serin/internal/evidence"
)

// rule is a way to judge. It returns the look after which it rolls back, from 1;
// 0 is never. A rule of some tables returns another number of looks.
type rule struct {
	name  string
	first func(ro *rollout) (int, error)
}

// recommended spells out the settings that the defaults are compared with: a grid
// of equal weights.
func recommended(latency bool) evidence.Settings {
	s := evidence.Settings{
		Alpha: 0.05, Beta: 0.05, EventsPerCause: 1, Block: perMinute, Blocks: 60, FirstShare: 0.8,
		LookCap: math.Log(20) / 2, Noise: 0.15, Fail: evidence.Margin{Factor: 1.05},
		FailGrid: evidence.Grid{1.2, 1.5, 2, 3, 5, 10, 30, 200},
	}
	if latency {
		s.Noise, s.Fail = 0.05, evidence.Margin{Factor: 1.05, Extra: 0.001}
		s.FailGrid = evidence.Grid{1.1, 1.25, 1.5, 2, 3, 6, 15, 60}
	}
	return s
}

func defaults(bool) evidence.Settings { return evidence.Settings{} }

func strict(bool) evidence.Settings { return evidence.Settings{Preset: evidence.Strict} }

// judged makes a rule of the library's tests, at every look.
func judged(settings func(latency bool) evidence.Settings) func(ro *rollout) (int, error) {
	return func(ro *rollout) (int, error) {
		filled, err := settings(false).For(evidence.Errors)
		if err != nil {
			return 0, err
		}
		limit := -math.Log(filled.Alpha)
		if ro.latency {
			t, err := evidence.NewLatencyTest(ro.expected, settings(true))
			return reached(len(ro.slow), limit, func(k int) float64 {
				t.Update(ro.slow[k])
				return t.Evidence().Fail
			}), err
		}
		next, err := compared(ro, settings(false))
		return reached(len(ro.looks), limit, func(k int) float64 { return next(k).Fail }), err
	}
}

// compared returns what adds the next look of errors to the library's evidence.
func compared(ro *rollout, s evidence.Settings) (func(k int) evidence.Evidence, error) {
	t, err := evidence.NewErrorTest(s)
	return func(k int) evidence.Evidence {
		t.Update(ro.looks[k])
		return t.Evidence()
	}, err
}

// says makes a rule of the library's judge: the first look at which it says so, of those before a
// fail.
func says(verdict evidence.Verdict, s evidence.Settings) func(ro *rollout) (int, error) {
	return func(ro *rollout) (int, error) {
		var judge evidence.Judge
		next, err := compared(ro, s)
		if err != nil {
			return 0, err
		}
		for k := range ro.looks {
			said := judge.Update([]evidence.Metric{{Evidence: next(k)}}, 0, true)
			if said == verdict {
				return k + 1, nil
			}
			if said != evidence.Continue {
				break
			}
		}
		return 0, nil
	}
}

// looksWith counts the looks at which the evidence for a fail is as asked.
func looksWith(asked func(logE float64) bool) func(ro *rollout) (int, error) {
	return func(ro *rollout) (looks int, err error) {
		next, err := compared(ro, evidence.Settings{})
		for k := range ro.looks {
			if asked(next(k).Fail) {
				looks++
			}
		}
		return looks, err
	}
}

// reached returns after which of n looks the logarithm of the evidence is enough,
// from 1; 0 if never.
func reached(n int, limit float64, logE func(k int) float64) int {
	for k := range n {
		if logE(k) >= limit {
			return k + 1
		}
	}
	return 0
}

// newPlain is the split of errors alone: without margin, noise, cap, or evidence
// that starts later.
func newPlain() (evidence.ErrorTest, error) {
	s := recommended(false)
	s.Fail, s.FirstShare, s.LookCap = evidence.Margin{Factor: 1}, 1, math.Inf(1)
	s.Noise, s.FixedNoise = evidence.None, true
	return evidence.NewErrorTest(s)
}

// plainLooks is the plain process after every look; plainMinutes after every
// minute.
func plainLooks(ro *rollout) (int, error) { return plain(ro.looks, ro.slow, len(ro.expected)) }

func plainMinutes(ro *rollout) (int, error) {
	minute, err := plain(ro.minutes, slowMinutes(ro.slow), len(ro.expected))
	return perMinute * minute, err
}

// plain takes the mean over the bounds if it is about latency.
func plain(looks []evidence.Look, slow []evidence.LatencyLook, bounds int) (int, error) {
	first, err := newPlain()
	if err != nil {
		return 0, err
	}
	tests := []evidence.ErrorTest{first}
	if slow != nil {
		tests = slices.Repeat(tests, bounds)
	}
	logE := make([]float64, len(tests))
	return reached(len(looks), math.Log(20), func(k int) float64 {
		for j := range tests {
			l := looks[k]
			if slow != nil {
				l = bound(slow[k], j)
			}
			tests[j].Update(l)
			logE[j] = tests[j].Evidence().Fail
		}
		return evidence.LogMean(logE, nil)
	}), nil
}

// bound is the look of one bound.
func bound(l evidence.LatencyLook, j int) evidence.Look {
	return evidence.Look{
		Canary:   evidence.Count{Bad: l.Canary.Over[j], Total: l.Canary.Total},
		Baseline: evidence.Count{Bad: l.Baseline.Over[j], Total: l.Baseline.Total},
	}
}
