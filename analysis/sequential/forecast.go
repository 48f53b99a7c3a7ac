package sequential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

var _ analysis.Forecaster = Judge{}

// usualBad is the share of bad requests of a service of which nobody says it, leastBad the least
// that is computed with, and mostPerSecond the most requests.
const (
	usualBad      = 0.001
	leastBad      = 1e-12
	mostPerSecond = 1e12
)

// Forecast implements [analysis.Forecaster] by the forecasts of internal/evidence/doc.go,
// section 10. A pass needs all Metrics of type Rate, but those that are FailOnly, and each [Latency]. Of a
// Latency the bound that takes the longest counts. A [Quantile] or [Gauge] may take longer. Outage,
// Doubled and Point are about the first Rate that can fail a canary. Without a Rate nothing is known.
//
// If the Load is given, neither the Provider nor the arms are needed, and it is assumed that 5 % of the
// requests exceed a bound of a Latency. If not, the requests to the Baseline in Load.Past are counted,
// with one query for each Rate and each Latency. No bad request counts as half of one.
//
// In simulations of errors alone the Chance is right to 10 of 100 rollouts in 84 of 96 cases, and to
// 20 in all. It is too low where few rollouts pass by luck. Of latency it is a guess unless the requests
// are counted.
func (j Judge) Forecast(ctx context.Context, r analysis.ForecastRequest) (analysis.Forecast, error) {
	if r.Load.PerSecond == 0 && r.Load.Past != (metrics.Window{}) {
		if err := j.Validate(); err != nil {
			return analysis.Forecast{}, err
		}
	}
	o, err := j.outlook(r)
	if err != nil {
		return analysis.Forecast{}, fmt.Errorf("analysis: sequential: %w", err)
	}
	if len(o.rates) == 0 {
		return analysis.Forecast{Unknown: "no metric of the judge can be forecast"}, nil
	}
	f := analysis.Forecast{}
	if f.Unknown, err = o.load(ctx); err != nil {
		return analysis.Forecast{}, err
	}
	f.Load = o.Load
	f.Steps = o.steps(r.Steps)
	for i := range f.Steps {
		if s := &f.Steps[i]; r.Steps[i].Requires == analysis.Pass && s.Never == "" && o.PerSecond > 0 && s.Chance < enough {
			s.Remedy = o.remedy(r.Steps[:i+1])
			break
		}
	}
	return f, nil
}

// outlook is what forecasts are made of.
type outlook struct {
	analysis.Load
	judge    Judge
	settle   time.Duration
	overhead time.Duration // of a step: the time that is in no look
	rates    []expected    // and latencies after them
	whole    float64       // weight
}

// expected is a metric that has to pass, with what its healthy versions do.
type expected struct {
	Rate
	latency  *Latency // it is this instead
	settings evidence.Settings
	wide     evidence.Settings // for copies
	bad      float64
	slow     []float64 // shares of requests that exceed the bounds of the Latency
	thin     float64   // part of a pace that looks with so few requests have
	weight   float64   // 0: it fails no canary
}

// usualSlow is the share of requests above a bound of a Latency if nobody counts them.
const usualSlow = 0.05

func (j Judge) outlook(r analysis.ForecastRequest) (*outlook, error) {
	j.Tuning.LookCap = j.lookCap()
	o := &outlook{Load: r.Load, judge: j, settle: r.Settle, overhead: r.Settle + r.ScrapeLag + j.lag()}
	if err := errors.Join(j.Tuning.mistakes()...); err != nil {
		return nil, err
	}
	if l := r.Load; !(l.PerSecond >= 0 && l.PerSecond <= mostPerSecond) || !(l.Bad >= 0 && l.Bad < 1) {
		return nil, fmt.Errorf("the load is %v requests a second, of which %v are bad; want %.0e at most, and a share from 0 to below 1", l.PerSecond, l.Bad, mostPerSecond)
	}
	var latencies []expected
	for _, m := range j.metrics() {
		if m == nil {
			continue
		}
		weight := max(0, cmp.Or(m.weight(), 1))
		o.whole += weight
		switch m := m.(type) {
		case Rate:
			e, err := m.expects(j)
			if err != nil {
				return nil, fmt.Errorf("%v: %w", m, err)
			}
			if e.bad, e.weight = max(cmp.Or(r.Load.Bad, usualBad), leastBad), weight; !m.FailOnly {
				o.rates = append(o.rates, e)
			}
		case Latency:
			settings, err := j.Tuning.settings(m.Fail, m.Pass).For(evidence.Latency)
			if err != nil {
				return nil, fmt.Errorf("%v: %w", m, err)
			}
			latencies = append(latencies, expected{latency: &m, settings: settings, slow: []float64{usualSlow}})
		}
	}
	if len(o.rates) > 0 {
		o.rates = append(o.rates, latencies...)
	}
	return o, nil
}

// expects returns the metric with its settings, and their defaults.
func (r Rate) expects(j Judge) (e expected, err error) {
	kind := evidence.Errors
	if r.Objective != 0 {
		kind = evidence.SLO
	}
	if _, _, err := r.tests(j); err != nil {
		return e, err
	}
	e = expected{Rate: r}
	e.settings, err = j.Tuning.settings(r.Fail, r.Pass).For(kind)
	if e.wide = e.settings; err == nil && r.Objective == 0 {
		e.wide, err = j.Tuning.ofCopies(e.settings, kind)
	}
	return e, err
}

// load finds out how many requests there are. If nobody knows, it says why.
func (o *outlook) load(ctx context.Context) (unknown string, err error) {
	switch {
	case o.PerSecond > 0:
		o.Load.Bad = o.rates[0].bad
		return "", nil
	case o.Past == (metrics.Window{}):
		return "no traffic was given", nil
	}
	for i := range o.rates {
		e := &o.rates[i]
		if e.latency != nil {
			if err := e.count(ctx, o); err != nil {
				return "", err
			}
			continue
		}
		counts, err := o.judge.Provider.Counts(ctx, o.judge.query(1, e.Signal), o.Past)
		if metrics.NoData(err) {
			return fmt.Sprintf("the store counted no requests to %s in the %v before %s", o.judge.Tuning.baseline(), o.Past.Length(), o.Past.To.UTC().Format(time.RFC3339)), nil
		}
		if err == nil {
			err = checkCounts([][]metrics.Counts{{counts}}, 1, 1)
		}
		if err != nil {
			return "", fmt.Errorf("analysis: %v: %s: %w", e.Rate, o.judge.Tuning.baseline(), err)
		}
		e.bad = max(counts.Bad, 0.5) / max(counts.Total, 1)
		o.PerSecond = counts.Total / o.Past.Length().Seconds()
	}
	o.Load.Bad = o.rates[0].bad
	return "", nil
}

// count finds out how many requests exceed the bounds of a Latency. If the store does not know, the
// guess stays.
func (e *expected) count(ctx context.Context, o *outlook) error {
	known, err := e.latency.baseline(ctx, o.judge, o.Past)
	if err != nil && !errors.Is(err, metrics.ErrNoBucket) {
		return fmt.Errorf("analysis: %v: %s: %w", e.latency, o.judge.Tuning.baseline(), err)
	}
	if useful := evidence.UsefulBounds(known); len(useful) > 0 {
		e.slow = nil
		for _, i := range useful {
			e.slow = append(e.slow, known[i].Bad/known[i].Total)
		}
	}
	return nil
}

// enough is the Chance that needs no Remedy, and better what a Remedy is to bring about.
const enough, better = 0.9, 0.95

// remedy is what helps the last of the steps.
func (o *outlook) remedy(steps []analysis.PlannedStep) analysis.Remedy {
	t := trial{o, steps}
	return analysis.Remedy{Deadline: t.deadline(), Canary: t.share(), Extra: t.extra()}
}

// trial tries what helps the last of the steps.
type trial struct {
	*outlook
	steps []analysis.PlannedStep
}

func (t trial) last() *analysis.PlannedStep { return &t.steps[len(t.steps)-1] }

// helps reports whether an edited last step has a good chance.
func (t trial) helps(edit func(*analysis.PlannedStep)) bool {
	t.steps = slices.Clone(t.steps)
	edit(t.last())
	return t.outlook.steps(t.steps)[len(t.steps)-1].Chance >= better
}

// deadline is one that is up to six times as long.
func (t trial) deadline() time.Duration {
	for i := 1; i <= 20 && 0 < t.last().Deadline && t.last().Deadline < math.MaxInt64/8; i++ {
		longer := rounded(time.Duration(float64(t.last().Deadline) * (1 + float64(i*i)/80)))
		if t.helps(func(s *analysis.PlannedStep) { s.Deadline = longer }) {
			return longer
		}
	}
	return 0
}

func (t trial) share() float64 {
	for _, share := range []float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5} {
		fits := share > t.last().Canary && share+t.last().Baseline < 1
		if fits && t.helps(func(s *analysis.PlannedStep) { s.Canary = share }) {
			return share
		}
	}
	return 0
}

func (t trial) extra() float64 {
	for _, extra := range []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05} {
		wider := *t.outlook
		wider.rates = slices.Clone(wider.rates)
		for i := range wider.rates {
			pass := &wider.rates[i].settings.Pass
			pass.Extra = max(extra, pass.Extra)
		}
		if (trial{&wider, t.steps}).helps(func(*analysis.PlannedStep) {}) {
			return extra
		}
	}
	return 0
}

// rounded rounds a time up so that people would write it.
func rounded(d time.Duration) time.Duration {
	unit := time.Second
	for _, u := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour} {
		if d >= 6*u {
			unit = u
		}
	}
	return (d + unit - 1).Truncate(unit)
}

// looksIn is how many looks a step of a length has.
func (o *outlook) looksIn(length time.Duration) float64 {
	return max(0, math.Floor(float64(length-o.overhead)/float64(o.judge.Look())))
}

// lasting is how long a step lasts for so many looks; 0 if that is for ever.
func (o *outlook) lasting(looks float64) time.Duration {
	if all := looks * float64(o.judge.Look()); all < math.MaxInt64/2 {
		return o.overhead + time.Duration(all)
	}
	return 0
}
