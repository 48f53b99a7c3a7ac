package main

import (
	"math"

	"github.com/serin-go/serin/analysis/rank"
	"github.com/serin-go/serin/analysis/sequential"
)

// rule is a way to judge. It returns the look after which it rolls back, from 1;
// 0 is never.
type rule struct {
	name  string
	first func(ro *rollout) int
}

// recommended spells out the settings that the defaults are compared with: a grid
// of equal weights.
func recommended(latency bool) sequential.Settings {
	s := sequential.Settings{
		Alpha: 0.05, Beta: 0.05, Phi: 1, Block: perMinute, Blocks: 60, Share: 0.8,
		Cap: -math.Log(0.05) / 2, Tau: 0.15, Fail: sequential.Margin{Rho: 1.05},
		FailGrid: sequential.Grid{1.2, 1.5, 2, 3, 5, 10, 30, 200},
	}
	if latency {
		s.Tau, s.Fail = 0.05, sequential.Margin{Rho: 1.05, Delta: 0.001}
		s.FailGrid = sequential.Grid{1.1, 1.25, 1.5, 2, 3, 6, 15, 60}
	}
	return s
}

// plain is the process alone: without noise, cap, or evidence that starts later.
func plain(latency bool) sequential.Settings {
	s := recommended(latency)
	s.Tau, s.FixedTau, s.Cap, s.Share = sequential.None, true, math.Inf(1), 1
	return s
}

func defaults(bool) sequential.Settings { return sequential.Settings{} }

func strict(bool) sequential.Settings { return sequential.Settings{Preset: sequential.Strict} }

// judged makes a rule of the library's tests, at every look.
func judged(settings func(latency bool) sequential.Settings) func(ro *rollout) int {
	errors, slow := must(sequential.NewErrorTest(settings(false))), must(sequential.NewLatencyTest(expected(), settings(true)))
	limit := -math.Log(must(settings(false).For(sequential.Errors)).Alpha)
	return func(ro *rollout) int {
		if ro.latency {
			return judgeLatency(slow, ro.slow, limit)
		}
		return judgeErrors(errors, ro.looks, limit)
	}
}

// plainMinutes is the plain process after every minute.
func plainMinutes(ro *rollout) int {
	if ro.latency {
		return perMinute * judgeLatency(must(sequential.NewLatencyTest(expected(), plain(true))), slowByMinute(ro.slow), math.Log(20))
	}
	return perMinute * judgeErrors(must(sequential.NewErrorTest(plain(false))), ro.minutes, math.Log(20))
}

func judgeErrors(t sequential.ErrorTest, looks []sequential.Look, limit float64) int {
	for k, l := range looks {
		t.Update(l)
		if t.Evidence().Fail >= limit {
			return k + 1
		}
	}
	return 0
}

func judgeLatency(t sequential.LatencyTest, looks []sequential.LatencyLook, limit float64) int {
	for k, l := range looks {
		t.Update(l)
		if t.Evidence().Fail >= limit {
			return k + 1
		}
	}
	return 0
}

// pooledZ compares all requests so far after every minute, at 5 %.
func pooledZ(ro *rollout) int {
	var c, b sequential.Count
	for i, l := range ro.minutes {
		c, b = plus(c, l.Canary), plus(b, l.Baseline)
		if _, p := rank.PooledZ(c.Bad, c.Total, b.Bad, b.Total); p < 0.05 {
			return perMinute * (i + 1)
		}
	}
	return 0
}

// asymptotic is the confidence sequence for the difference of both rates, as
// GrowthBook uses it: narrowest at 5000 requests, two-sided at 5 %.
func asymptotic(looks []sequential.Look) int {
	var c, b sequential.Count
	for i, l := range looks {
		c, b = plus(c, l.Canary), plus(b, l.Baseline)
		p, q := c.Bad/c.Total, b.Bad/b.Total
		n := c.Total + b.Total
		sd := math.Sqrt(n * (p*(1-p)/c.Total + q*(1-q)/b.Total))
		if sd > 0 && p-q > rank.AsymptoticCS(n, sd, 5000, 0.05) {
			return i + 1
		}
	}
	return 0
}

func asymptoticMinutes(ro *rollout) int { return perMinute * asymptotic(ro.minutes) }

func asymptoticLooks(ro *rollout) int { return asymptotic(ro.looks) }

// blocks is the beta-binomial block test, with noise of 0.3 and the margin and the
// grid of the recommended settings.
func blocks(ro *rollout) int {
	s := recommended(false)
	var closed [len(sequential.Grid{})]float64
	var open sequential.Look
	grid := s.FailGrid.Multipliers()
	for k, l := range ro.looks {
		open.Canary, open.Baseline = plus(open.Canary, l.Canary), plus(open.Baseline, l.Baseline)
		var now [len(closed)]float64
		for i, g := range grid {
			now[i] = closed[i] + sequential.LogBlock(open, s.Fail.Rho, 0.3, g)
		}
		if sequential.LogMean(now[:len(grid)], nil) >= math.Log(20) {
			return k + 1
		}
		if k%perMinute == perMinute-1 {
			closed, open = now, sequential.Look{}
		}
	}
	return 0
}

// both is the lesser evidence of the plain process and of the t process on the
// logarithms of the ratio of each minute's rates: valid if either model is.
func both(ro *rollout) int {
	split := must(sequential.NewErrorTest(plain(false)))
	gauge := must(sequential.NewGaugeTest(sequential.Settings{
		Fail: sequential.Margin{Rho: 1.05}, Pass: sequential.Margin{Rho: 1.05}, Block: 1,
	}))
	for i, l := range ro.minutes {
		split.Update(l)
		gauge.Update(sequential.GaugeLook{Canary: rate(l.Canary), Baseline: rate(l.Baseline)})
		if min(split.Evidence().Fail, gauge.Evidence().Fail) >= math.Log(20) {
			return perMinute * (i + 1)
		}
	}
	return 0
}

// rate is the share of bad requests, with half a request more so that it is never
// zero.
func rate(c sequential.Count) float64 { return (c.Bad + 0.5) / (c.Total + 1) }

// expected is what the baseline's bounds showed before the rollout.
func expected() []sequential.Count {
	counts, _ := before()
	return counts
}

// slowByMinute adds looks up.
func slowByMinute(looks []sequential.LatencyLook) []sequential.LatencyLook {
	minutes := make([]sequential.LatencyLook, len(looks)/perMinute)
	for k, l := range looks {
		m := &minutes[k/perMinute]
		m.Canary, m.Baseline = slowPlus(m.Canary, l.Canary), slowPlus(m.Baseline, l.Baseline)
	}
	return minutes
}

func slowPlus(a, b sequential.Slow) sequential.Slow {
	a.Total += b.Total
	for j := range a.Over {
		a.Over[j] += b.Over[j]
	}
	return a
}

// must is for settings that are written down here.
func must[T any](t T, err error) T {
	if err != nil {
		panic(err)
	}
	return t
}
