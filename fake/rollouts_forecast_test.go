package fake_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// The default judge: its four metrics have the same weight.
const (
	wholeLook    = 15 * time.Second
	wholeLag     = wholeLook / 3
	wholeMetrics = 4.0
)

// wholeNoise is the noise between the arms that the past of one in a hundred healthy rollouts shows by
// chance. It makes evidence slow.
const wholeNoise = 0.25

// wholeCap is the most that a look adds: three find an outage in one of the metrics.
var wholeCap = math.Log(20*3*wholeMetrics) / 3

// wholePast is a store that knows exactly what a service usually does.
type wholePast struct {
	metrics.Sequencer
	wholeService
}

// wholeSlower are the shares of requests that take longer than 50, 100, 250 and 500 ms.
var wholeSlower = map[time.Duration]float64{50 * time.Millisecond: 0.783, 100 * time.Millisecond: 0.355, 250 * time.Millisecond: 0.0288, 500 * time.Millisecond: 0.0011}

func (p wholePast) Counts(_ context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	total, bad := p.perSecond*w.Length().Seconds(), 0.0
	if q.Signal == (metrics.Signal{}) {
		bad = p.usual
	}
	return metrics.Counts{Total: total, Bad: total * bad}, nil
}

func (p wholePast) SlowerThan(_ context.Context, _ metrics.Query, bounds []time.Duration, w []metrics.Window) (all [][]metrics.Counts, err error) {
	for _, b := range bounds {
		total := p.perSecond * w[0].Length().Seconds()
		all = append(all, []metrics.Counts{{Total: total, Bad: total * wholeSlower[b]}})
	}
	return all, nil
}

// promoted is the chance that a healthy version is promoted: that no step keeps it for ever.
func (s wholeService) promoted(t *testing.T, p canary.Plan) float64 {
	judge := sequential.Judge{Provider: wholePast{wholeService: s}, Canary: reviewsV2, Baseline: reviewsV1}
	year := metrics.Window{From: time.Now().AddDate(-1, 0, 0), To: time.Now()}
	f, err := p.Forecast(t.Context(), judge, analysis.Load{Past: year})
	require.NoError(t, err)
	chance, usual := 1.0, time.Duration(0)
	for i, step := range f.Steps {
		if goesOn := step.Step.Deadline > 0 && step.Step.OnDeadline == canary.DeadlineAdvance && i < len(f.Steps)-1; !goesOn {
			chance *= step.Chance
			usual += step.Usual
		}
	}
	if usual > wholePatience {
		return 0
	}
	return chance
}

// requests is how many a look has of the canary, and of the baseline for each of those.
func (s wholeService) requests(t canary.Traffic) (n, ratio float64) {
	share, others := float64(t.Canary)/float64(canary.Full), 1.0
	if t.Canary > 0 {
		others = 1 - share
	} else {
		share = float64(t.Mirror) / float64(canary.Full)
	}
	return s.perSecond * share * wholeLook.Seconds(), others / share
}

// wholeStretch is the looks of a time without a change of the traffic.
type wholeStretch struct {
	before, after float64 // looks before the harm begins, and after that
	canary, ratio float64
	alone, copies bool
}

// stretches are those of a rollout with such spells.
func (o *wholeOutcome) stretches(spells []wholeSpell, lasted time.Duration) (all []wholeStretch) {
	for i, s := range spells {
		to := lasted
		if i+1 < len(spells) {
			to = spells[i+1].from
		}
		traffic := s.traffic
		if s.phase >= phase.CompletingShift {
			traffic = canary.Traffic{Canary: canary.Full}
		}
		if traffic.Canary == 0 && traffic.Mirror == 0 {
			continue
		}
		from := s.from
		if i == 0 || spells[i-1].traffic != s.traffic {
			from += o.plan.Settle() + o.plan.ScrapeLag()
		}
		looks := func(from, to time.Duration) float64 { return max(0, math.Floor(float64(to-from)/float64(wholeLook))) }
		one := wholeStretch{before: looks(from, min(to, o.began)), after: looks(max(from, o.began), to-wholeLag-o.service.interval())}
		one.canary, one.ratio = o.service.requests(traffic)
		one.alone, one.copies = one.ratio == 0, traffic.Canary == 0
		all = append(all, one)
	}
	return all
}

// prospect is what some looks add to the evidence, after those that were there before.
type prospect struct {
	before, looks float64
	evidence.Looks
}

func (p *prospect) add(looks float64, pace evidence.Pace) {
	p.looks, p.Looks = p.looks+looks, p.Add(looks, capped(pace, wholeCap))
}

// capped is the pace of looks that add no more than the limit, if what they would add is distributed
// normally.
func capped(p evidence.Pace, limit float64) evidence.Pace {
	if p.Deviation == 0 {
		return evidence.Pace{Mean: min(p.Mean, limit)}
	}
	z := (limit - p.Mean) / p.Deviation
	below, density := math.Erfc(-z/math.Sqrt2)/2, math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
	mean := p.Mean*below - p.Deviation*density + limit*(1-below)
	square := (p.Mean*p.Mean+p.Deviation*p.Deviation)*below - p.Deviation*(p.Mean+limit)*density + limit*limit*(1-below)
	return evidence.Pace{Mean: mean, Deviation: math.Sqrt(max(0, square-mean*mean))}
}

// found is the chance that the judge finds the harm in a rollout with such spells.
func (o *wholeOutcome) found(spells []wholeSpell, lasted time.Duration) float64 {
	if o.harm.both {
		return o.foundInStable(spells, lasted)
	}
	metric := evidence.Settings{Noise: wholeNoise}
	bad, usual := o.harm.bad(o.service.usual), o.service.usual
	if o.harm.status != 0 { // client errors
		metric = evidence.Settings{Noise: wholeNoise, Fail: evidence.Margin{Factor: 2, Extra: 0.05}, Alone: evidence.Margin{Factor: 3, Extra: 0.1}}
		usual = 0
	}
	settings, _ := metric.For(evidence.Errors)
	wide := settings
	wide.Fail = settings.Alone
	past := evidence.Count{Bad: usual * 3600 * o.service.perSecond, Total: 3600 * o.service.perSecond} // of stable
	var live, copies prospect
	for _, s := range o.stretches(spells, lasted) {
		rates := evidence.Rates{Canary: bad, Baseline: usual, Ratio: s.ratio}
		switch {
		case s.copies && o.harm.status == 0:
			copies.before += s.before
			copies.add(s.after, wide.FailPace(rates, s.canary))
		case s.copies: // client errors are judged of live requests
		case s.alone:
			live.before += s.before
			live.add(s.after, alone(settings, past, bad, s.canary))
		default:
			live.before += s.before
			live.add(s.after, settings.FailPace(rates, s.canary))
			keep := math.Pow(1-1./240, s.before+s.after)
			past.Total = keep*past.Total + (1-keep)*240*s.canary*s.ratio
			past.Bad = usual * past.Total
		}
	}
	if copies.before+copies.looks > 0 {
		return max(late(settings, live, wholeMetrics*4/3), late(settings, copies, wholeMetrics*4))
	}
	return late(settings, live, wholeMetrics)
}

// late is the chance to reach a fail, if so many looks were seen before: evidence that starts with
// a look is what is left for it, and no look adds more than the cap.
func late(s evidence.Settings, all prospect, weights float64) float64 {
	fail := math.Log(weights / s.Alpha)
	if all.looks < math.Ceil((fail+1)/wholeCap) {
		return 0
	}
	planned := float64(s.Block * s.Blocks)
	start := math.Log((1 - s.FirstShare) / planned / math.Pow(1+all.before/planned, 2))
	if all.before == 0 {
		start = math.Log(s.FirstShare)
	}
	return all.Chance(fail + 1 - start)
}

// alone is the pace of a canary that is compared with the past of stable.
func alone(s evidence.Settings, past evidence.Count, bad, requests float64) evidence.Pace {
	p0, known := evidence.Allowed(past, s.Alone, 0.5)
	if !known {
		return evidence.Pace{}
	}
	return s.ConstantFail(bad, p0, requests)
}

// foundInStable is the chance that stable is found to be worse than before the rollout, by its last
// eight looks.
func (o *wholeOutcome) foundInStable(spells []wholeSpell, lasted time.Duration) (most float64) {
	settings, _ := evidence.Settings{Alpha: 0.01}.For(evidence.Errors)
	total := o.service.perSecond * time.Hour.Seconds()
	past := evidence.Count{Bad: o.service.usual * total, Total: total}
	for _, s := range o.stretches(spells, lasted) {
		if !s.alone {
			var last prospect
			last.add(min(8, s.after), alone(settings, past, o.harm.bad(o.service.usual), s.canary*s.ratio))
			most = max(most, late(settings, last, 1))
		}
	}
	return most
}
