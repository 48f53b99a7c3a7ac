package sequential

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
)

// part is the part of a step that the judge compares: its looks, and how many requests of the
// canary each has.
type part struct {
	*analysis.PlannedStep
	mirrored, alone bool
	share           float64 // of live requests, or of copies
	ratio           float64 // baseline requests for each of the canary
	requests        float64 // of the canary in a look
	warmup          float64 // looks that are not judged
}

func (o *outlook) part(s *analysis.PlannedStep) part {
	p, others := part{PlannedStep: s, share: s.Canary}, cmp.Or(s.Baseline, 1-s.Canary)
	if s.Canary == 0 {
		p.mirrored, p.share, others = true, s.Mirror, 1
	}
	p.alone = others <= 0
	if p.share > 0 {
		p.ratio = max(0, others) / p.share
	}
	p.requests = o.PerSecond * p.share * o.judge.Look().Seconds()
	return p
}

// judged reports whether the judge is asked, and the canary has requests.
func (p *part) judged() bool { return p.Requires != analysis.Blind && p.share > 0 }

// progress is how far the steps so far have brought a metric. Copies bring nothing.
type progress struct {
	compared bool // at all
	passed   bool // whoever is here has a pass
	// looks are the evidence of rollouts that have no pass yet, and usual is that of a usual rollout.
	looks evidence.Looks
	usual float64
}

// steps forecasts all but the remedies.
func (o *outlook) steps(steps []analysis.PlannedStep) []analysis.StepForecast {
	all := make([]analysis.StepForecast, len(steps))
	so, began, copied, before := make([]progress, len(o.rates)), false, false, 0.0
	for i := range steps {
		p := o.part(&steps[i])
		if !p.judged() {
			if o.PerSecond > 0 {
				all[i].Chance, all[i].Usual = 1, o.settle+p.Hold
			}
			continue
		}
		if !began || before < p.Canary {
			p.warmup = float64(o.judge.Tuning.Warmup)
		}
		copied = copied || !began && p.mirrored
		began, before = true, p.Canary
		all[i] = o.step(&p, so)
		if o.PerSecond > 0 {
			o.detect(&all[i], &p, copied)
		}
	}
	return all
}

// step forecasts one step, and adds it to the progress.
func (o *outlook) step(p *part, so []progress) (f analysis.StepForecast) {
	sight := p.warmup + o.sightLooks(p)
	f.Least = o.lasting(sight)
	f.Never = o.never(p, so)
	if o.PerSecond == 0 {
		so[0].compared = so[0].compared || !p.alone && !p.mirrored
		return f
	}
	room := math.Inf(1)
	if p.Deadline > 0 {
		room = o.looksIn(p.Deadline)
	}
	usual := sight
	if f.Never == "" && room >= sight {
		f.Chance = 1
	}
	if p.Requires == analysis.Pass && !p.mirrored {
		for i := range so {
			chance, looks := o.rates[i].of(p).pass(p, &so[i], room)
			f.Chance, usual = f.Chance*chance, max(usual, looks) // chances are independent, or better
		}
	}
	if f.Usual = o.lasting(usual); f.Usual > 0 {
		f.Usual = max(f.Usual, o.settle+p.Hold)
	}
	if !p.mirrored {
		o.add(p, so, room, usual)
	}
	if f.Never != "" {
		f.Chance, f.Usual = 0, 0
	}
	return f
}

// add adds a step to the progress: as long as it lasts for a rollout without a pass, and as long as
// it usually does.
func (o *outlook) add(p *part, so []progress, room, usual float64) {
	usual = min(max(usual, o.looksIn(o.settle+p.Hold)), room)
	longest := room
	if p.Requires != analysis.Pass {
		longest = usual
	}
	usual, longest = max(0, usual-p.warmup), max(0, longest-p.warmup)
	for i := range so {
		s, pace := &so[i], o.rates[i].of(p).passPace(p)
		s.compared = s.compared || !p.alone
		s.passed = s.passed || p.Requires == analysis.Pass && !(p.Unproven && p.Deadline > 0)
		if !math.IsInf(usual, 1) {
			s.usual += usual * pace.Mean
		}
		if !math.IsInf(longest, 1) {
			s.looks = s.looks.Add(longest, pace)
		}
	}
}

// never says why a step can never have its verdict.
func (o *outlook) never(p *part, so []progress) string {
	looks := p.warmup + o.sightAtBest()
	if least := o.lasting(looks); p.Deadline > 0 && least > p.Deadline {
		return fmt.Sprintf("its deadline is %v, and the judge needs at least %v, for %.0f looks of %v", p.Deadline, least.Round(time.Second), looks, o.judge.Look())
	}
	if p.Requires == analysis.Pass && p.mirrored {
		return "copies pass nothing"
	}
	if p.Requires == analysis.Pass && p.alone && !so[0].compared && o.rates[0].Objective == 0 {
		return "it gives the canary all requests, and no step before it compares the canary with " + o.judge.Tuning.baseline()
	}
	return ""
}

// detect says when bad canaries are found. If the rollout begins with copies, they have a quarter of
// the evidence.
func (o *outlook) detect(f *analysis.StepForecast, p *part, copied bool) {
	for i := range o.rates {
		e := &o.rates[i]
		if e.weight == 0 {
			continue
		}
		part := e.weight / o.whole
		switch {
		case copied && p.mirrored:
			part /= 4
		case copied:
			part *= 3. / 4
		}
		found := func(bad float64) analysis.Detection { return o.detection(e, p, part, bad) }
		f.Outage, f.Doubled, f.Point = found(1), found(min(1, 2*e.bad)), found(min(1, e.bad+0.01))
		return
	}
}

// detection is when a Rate, with its part of the evidence, fails a canary with so many bad requests.
func (o *outlook) detection(e *expected, p *part, part, bad float64) (d analysis.Detection) {
	pace := e.failPace(p, bad, o.PerSecond)
	if pace.Mean == 0 {
		return d
	}
	nats, least := evidence.Missing(e.settings.Alpha*part, e.settings.FirstShare, 0), -math.Log(e.settings.Alpha*part*e.settings.FirstShare)
	looks := math.Ceil(max(nats/pace.Mean, least/e.settings.LookCap, 1/p.requests))
	if d.After = o.lasting(p.warmup + looks); d.After > 0 {
		d.Bad = d.After.Seconds() * o.PerSecond * p.share * bad
	}
	return d
}

// sighted is how many nats a step has to be looked at in a metric.
func (o *outlook) sighted(e *expected) float64 {
	others := o.whole / e.weight
	if o.whole == 0 {
		others = float64(len(o.judge.metrics()))
	}
	return o.judge.sightNeeded(others)
}

// sightAtBest is how many looks a step needs until an outage would have been found, if each says the
// most that it can.
func (o *outlook) sightAtBest() float64 {
	return o.soonest(func(e *expected) float64 { return e.settings.LookCap })
}

// sightLooks is sightAtBest with the requests that there are; a look without any says nothing.
func (o *outlook) sightLooks(p *part) float64 {
	if o.PerSecond == 0 {
		return o.sightAtBest()
	}
	return o.soonest(func(e *expected) float64 {
		n := max(1, p.requests)
		copies, test, err := e.tests(o.judge)
		if err != nil {
			return 0
		}
		if p.mirrored {
			test = copies
		}
		baseline := evidence.Count{Bad: n * p.ratio * e.bad, Total: n * p.ratio}
		if p.alone {
			hour := o.PerSecond * pastOfStable.Seconds()
			test.Update(evidence.Look{Baseline: evidence.Count{Bad: hour * e.bad, Total: hour}})
			baseline = evidence.Count{}
		}
		test.Update(evidence.Look{Canary: evidence.Count{Total: n}, Baseline: baseline, Step: true, Alone: p.alone})
		return test.Sight() * min(1, p.requests)
	})
}

// soonest is how many looks it takes the Rate that sees an outage first, by what each sees in a look.
func (o *outlook) soonest(sees func(*expected) float64) float64 {
	looks := math.Inf(1)
	for i := range o.rates {
		if e := &o.rates[i]; e.latency == nil && (e.weight > 0 || o.whole == 0) {
			looks = min(looks, math.Ceil(o.sighted(e)/sees(e)))
		}
	}
	return looks
}
