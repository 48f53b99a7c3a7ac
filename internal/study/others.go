package main

import (
	"math"

	"github.com/serin-go/serin/analysis/peers"
	"github.com/serin-go/serin/internal/evidence"
)

// pooledZ compares all requests so far after every minute, at 5 %.
func pooledZ(ro *rollout) (int, error) {
	var c, b evidence.Count
	for i, l := range ro.minutes {
		c, b = plus(c, l.Canary), plus(b, l.Baseline)
		if _, p := peers.PooledZ(c.Bad, c.Total, b.Bad, b.Total); p < 0.05 {
			return perMinute * (i + 1), nil
		}
	}
	return 0, nil
}

func asymptoticLooks(ro *rollout) (int, error) { return asymptotic(ro.looks), nil }

func asymptoticMinutes(ro *rollout) (int, error) { return perMinute * asymptotic(ro.minutes), nil }

// asymptotic is the confidence sequence for the difference of both rates, as
// platforms for A/B tests use it: narrowest at 5000 requests, 5 % on the one side
// that is minded.
func asymptotic(looks []evidence.Look) int {
	var c, b evidence.Count
	for i, l := range looks {
		c, b = plus(c, l.Canary), plus(b, l.Baseline)
		p, q := c.Bad/c.Total, b.Bad/b.Total
		n := c.Total + b.Total
		sd := math.Sqrt(n * (p*(1-p)/c.Total + q*(1-q)/b.Total))
		if sd > 0 && p-q > peers.AsymptoticCS(n, sd, 5000, 2*0.05) {
			return i + 1
		}
	}
	return 0
}

// blocks is the beta-binomial block test, with noise of 0.3, the recommended grid
// and no margin.
func blocks(ro *rollout) (int, error) {
	grid := recommended(false).FailGrid
	bets := grid.Multipliers()
	var closed, now [len(grid)]float64
	var open evidence.Look
	return reached(len(ro.looks), math.Log(20), func(k int) float64 {
		if k%perMinute == 0 {
			closed, open = now, evidence.Look{}
		}
		open = sum(open, ro.looks[k])
		for i, g := range bets {
			now[i] = closed[i] + evidence.LogBlock(open, 1, 0.3, g)
		}
		return evidence.LogMean(now[:len(bets)], nil)
	}), nil
}

// both is the lesser evidence of the plain process and of the t process on the
// logarithms of the ratio of each minute's rates: valid if either model is.
func both(ro *rollout) (int, error) {
	split, err := newPlain()
	if err != nil {
		return 0, err
	}
	ratio, err := evidence.NewGaugeTest(evidence.Settings{Fail: evidence.Margin{Factor: 1}, Block: 1})
	return perMinute * reached(len(ro.minutes), math.Log(20), func(k int) float64 {
		l := ro.minutes[k]
		split.Update(l)
		ratio.Update(evidence.GaugeLook{Canary: rate(l.Canary), Baseline: rate(l.Baseline)})
		return min(split.Evidence().Fail, ratio.Evidence().Fail)
	}), err
}

// rate is the share of bad requests, with half a request more so that it is never
// zero.
func rate(c evidence.Count) float64 { return (c.Bad + 0.5) / (c.Total + 1) }
