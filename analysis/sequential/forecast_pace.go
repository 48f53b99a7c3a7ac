package sequential

import (
	"math"

	"github.com/serin-go/serin/internal/evidence"
)

// of is the metric as it is judged in a part of a step: by the bound of a Latency that takes the
// longest, and with looks that have few requests by chance.
func (e *expected) of(p *part) *expected {
	one, most := *e, math.Inf(1)
	if one.thin = 1; e.Objective == 0 {
		one.thin = e.settings.Pass.Thin(p.requests, p.requests*p.ratio)
	}
	bound := one
	for i := range e.slow {
		bound.slow = e.slow[i : i+1]
		if mean := bound.passPace(p).Mean; mean < most {
			one, most = bound, mean
		}
	}
	return &one
}

// passPace is what a look of a healthy canary adds.
func (e *expected) passPace(p *part) (pace evidence.Pace) {
	switch {
	case e.Objective != 0:
		m := e.settings.Pass
		pace = e.settings.ConstantPass(e.bad, m.Factor*(1-e.Objective)+m.Extra, p.requests)
	case p.alone:
		return evidence.Pace{}
	case e.latency != nil:
		pace = e.settings.LatencyPass(e.slow[0], p.ratio, p.requests)
	default:
		pace = e.settings.PassPace(evidence.Rates{Canary: e.bad, Baseline: e.bad, Ratio: p.ratio}, p.requests)
	}
	pace.Mean *= e.thin
	return pace
}

// pass is how probable a pass is when the step has had so many looks, and how many it usually takes.
func (e *expected) pass(p *part, so *progress, room float64) (chance, looks float64) {
	nats, pace := evidence.Missing(e.settings.Beta, e.settings.FirstShare, 0), e.passPace(p)
	lacks := nats - so.usual
	switch {
	case so.passed:
		return 1, 0
	case lacks <= 0:
		looks = p.warmup
	case pace.Mean > 0:
		looks = p.warmup + math.Ceil(max(lacks/pace.Mean, lacks/e.settings.LookCap))
	default:
		looks = math.Inf(1)
	}
	if math.IsInf(room, 1) {
		if math.IsInf(looks, 1) {
			return 0, looks
		}
		return 1, looks
	}
	return so.looks.Add(max(0, room-p.warmup), pace).Chance(nats), looks
}

// failPace is what a look of a bad canary adds. One without a baseline beside it is compared with
// an hour of the past.
func (e *expected) failPace(p *part, bad, perSecond float64) evidence.Pace {
	s := e.settings
	if p.mirrored {
		s = e.wide
	}
	switch {
	case e.Objective != 0:
		return s.ConstantFail(bad, s.Fail.Factor*(1-e.Objective)+s.Fail.Extra, p.requests)
	case !p.alone:
		return s.FailPace(evidence.Rates{Canary: bad, Baseline: e.bad, Ratio: p.ratio}, p.requests)
	}
	past := perSecond * pastOfStable.Seconds()
	p0, known := evidence.Allowed(evidence.Count{Bad: past * e.bad, Total: past}, s.Alone, 0.5)
	if !known {
		return evidence.Pace{}
	}
	return s.ConstantFail(bad, p0, p.requests)
}
