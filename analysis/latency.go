package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// Latency judges whether the canary is slower than the baseline, by how many of
// their requests are slower than some bounds of the mesh's histogram. Nothing is
// interpolated.
type Latency struct {
	// Bounds are those of the histogram that are looked at; none are
	// metrics.Bounds, Istio's. Of these, those count that are of use: which between
	// 0.1 and 90 % of the baseline's requests exceeded before the rollout, and at
	// most eight.
	Bounds []time.Duration
	// Before is how long before the rollout the baseline is looked at for that;
	// zero is ten minutes. Without any requests then, its first look is taken for
	// that, which is not judged; and without any in that, eight of the bounds are
	// spread evenly.
	Before time.Duration
	// Weight and Settings are as in [Rate].
	Weight   float64
	Settings sequential.Settings
}

// String is "latency".
func (l Latency) String() string { return "latency" }

func (l Latency) weight() float64 { return l.Weight }

func (l Latency) bounds() []time.Duration {
	if len(l.Bounds) == 0 {
		return metrics.Bounds()
	}
	return l.Bounds
}

func (l Latency) validate(s Sequential) error {
	errs := []error{s.settings(l.Settings).Validate(sequential.Latency)}
	if !slices.IsSorted(l.Bounds) || len(slices.Compact(slices.Clone(l.Bounds))) != len(l.Bounds) {
		errs = append(errs, fmt.Errorf("the bounds %v do not increase", l.Bounds))
	}
	if l.Before < 0 {
		errs = append(errs, fmt.Errorf("the time Before the rollout is %v; want more than zero, or zero for the default", l.Before))
	}
	for _, b := range l.bounds() {
		errs = append(errs, s.query(0, metrics.SlowerThan(b)).Validate())
	}
	return errors.Join(errs...)
}

func (l Latency) read(ctx context.Context, s Sequential, all []interval) (process, error) {
	bounds, before, judged, err := l.choose(ctx, s, all)
	if err != nil {
		return nil, err
	}
	test, err := sequential.NewLatencyTest(before, s.settings(l.Settings))
	if err != nil {
		return nil, err
	}
	tables, silence, err := s.tables(ctx, question{bounds: bounds}, all)
	for j := range tables {
		clear(tables[j][:judged])
	}
	return &latency{test, bounds, tables, silence}, err
}

// choose returns the bounds that are of use, what the baseline did before, and
// from which look on it may be judged: what chose the bounds is no evidence.
func (l Latency) choose(ctx context.Context, s Sequential, all []interval) (bounds []time.Duration, before []sequential.Count, judged int, err error) {
	begin := all[0].window.From
	past := metrics.Window{From: begin.Add(-cmp.Or(l.Before, 10*time.Minute)), To: begin}
	known, err := l.baseline(ctx, s, past)
	if err == nil && known[0].Total == 0 {
		known, err = l.baseline(ctx, s, all[0].window)
		judged = 1
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s before the rollout: %w", s.baseline(), err)
	}
	useful := sequential.UsefulBounds(known)
	if len(useful) == 0 {
		n := min(len(known), sequential.Bounds)
		for i := range n {
			useful = append(useful, i*(len(known)-1)/max(n-1, 1))
		}
	}
	for _, i := range useful {
		bounds, before = append(bounds, l.bounds()[i]), append(before, known[i])
	}
	return bounds, before, judged, nil
}

// baseline counts what exceeds each bound; zeros if there is nothing.
func (l Latency) baseline(ctx context.Context, s Sequential, w metrics.Window) ([]sequential.Count, error) {
	all := l.bounds()
	known := make([]sequential.Count, len(all))
	counts, err := s.Provider.Slow(ctx, s.query(1, metrics.Signal{}), all, []metrics.Window{w})
	if metrics.Nothing(err) {
		return known, nil
	}
	if err == nil {
		err = checkCounts(counts, len(all), 1)
	}
	if err != nil {
		return nil, err
	}
	for i := range counts {
		known[i] = count(counts[i][0])
	}
	return known, nil
}

// latency is the process of a Latency.
type latency struct {
	test   sequential.LatencyTest
	bounds []time.Duration
	tables [][]sequential.Look // of each bound
	quiet  error
}

// look puts the looks at all bounds together.
func (p *latency) look(of func(table []sequential.Look) sequential.Look) (l sequential.LatencyLook) {
	for j := range p.tables {
		at := of(p.tables[j])
		l.Step = at.Step
		l.Canary.Total, l.Canary.Over[j] = at.Canary.Total, at.Canary.Bad
		l.Baseline.Total, l.Baseline.Over[j] = at.Baseline.Total, at.Baseline.Bad
	}
	return l
}

func (p *latency) update(k int) {
	p.test.Update(p.look(func(table []sequential.Look) sequential.Look { return table[k] }))
}
func (p *latency) evidence() sequential.Evidence { return p.test.Evidence() }
func (p *latency) requests() []sequential.Look   { return p.tables[0] }
func (p *latency) silence() error                { return p.quiet }

// finding is that of the bound that says the most against the canary.
func (p *latency) finding(s Sequential, k int) Finding {
	worst := 0
	for j := range p.bounds {
		if p.test.Bound(j).Fail > p.test.Bound(worst).Fail {
			worst = j
		}
	}
	seen := p.tables[worst][:k+1]
	f := Finding{
		Name:   metrics.SlowerThan(p.bounds[worst]).String(),
		Canary: total(seen, canaryOf), Baseline: total(seen, baselineOf),
	}
	f.Compared, f.Known = ratio(seen, s.levels().Alpha)
	average := p.look(func(table []sequential.Look) sequential.Look { return usual(table[:k+1]) })
	f.need(s, p.test.Need(average), len(seen))
	return f
}

// Quantile judges the canary's latency against a constant: "99 % of the requests
// take at most 300 ms".
type Quantile struct {
	Quantile float64       // such as 0.99
	Target   time.Duration // what so many requests take at most
	// Bounds are those of the mesh's histogram; none are metrics.Bounds, Istio's.
	// If the target lies between two of them, a fail is judged by the requests above
	// the upper one and a pass by those above the lower one.
	Bounds []time.Duration
	// Weight and Settings are as in [Rate].
	Weight   float64
	Settings sequential.Settings
}

// String says what is demanded.
func (q Quantile) String() string {
	return fmt.Sprintf("p%.4g above %v", 100*q.Quantile, q.Target)
}

func (q Quantile) weight() float64 { return q.Weight }

// bracket returns the bounds around the target.
func (q Quantile) bracket() (low, high time.Duration, err error) {
	bounds := Latency{Bounds: q.Bounds}.bounds()
	i, on := slices.BinarySearch(bounds, q.Target)
	switch {
	case on:
		return q.Target, q.Target, nil
	case i == 0 || i == len(bounds):
		return 0, 0, fmt.Errorf("the target %v is not between two bounds of the histogram, which are %v", q.Target, bounds)
	}
	return bounds[i-1], bounds[i], nil
}

func (q Quantile) validate(s Sequential) error {
	_, err := sequential.NewQuantileTest(q.Quantile, s.settings(q.Settings))
	low, high, outside := q.bracket()
	if err := errors.Join(err, outside); err != nil {
		return err
	}
	return errors.Join(s.query(0, metrics.SlowerThan(low)).Validate(), s.query(0, metrics.SlowerThan(high)).Validate())
}

func (q Quantile) read(ctx context.Context, s Sequential, all []interval) (process, error) {
	test, err := sequential.NewQuantileTest(q.Quantile, s.settings(q.Settings))
	if err != nil {
		return nil, err
	}
	low, high, err := q.bracket()
	if err != nil {
		return nil, err
	}
	tables, silence, err := s.tables(ctx, question{bounds: slices.Compact([]time.Duration{low, high})}, all)
	if err != nil {
		return nil, err
	}
	return &quantile{q, test, high, tables[0], tables[len(tables)-1], silence}, nil
}

// quantile is the process of a Quantile.
type quantile struct {
	Quantile
	test      sequential.QuantileTest
	above     time.Duration     // the upper bound
	low, high []sequential.Look // one and the same if the target is a bound
	quiet     error
}

func quantileLook(low, high sequential.Look) sequential.QuantileLook {
	return sequential.QuantileLook{
		Total: min(low.Canary.Total, high.Canary.Total), AboveLow: low.Canary.Bad, AboveHigh: high.Canary.Bad, Step: low.Step,
	}
}

func (p *quantile) update(k int)                  { p.test.Update(quantileLook(p.low[k], p.high[k])) }
func (p *quantile) evidence() sequential.Evidence { return p.test.Evidence() }
func (p *quantile) requests() []sequential.Look   { return p.high }
func (p *quantile) silence() error                { return p.quiet }

func (p *quantile) finding(s Sequential, k int) Finding {
	high := p.high[:k+1]
	f := Finding{
		Name: metrics.SlowerThan(p.above).String(), By: ShareOfRequests,
		Canary: total(high, canaryOf), Baseline: total(high, baselineOf),
	}
	f.Compared, f.Known = sequential.Rate(count(f.Canary), s.levels().Alpha)
	if p.test.Coarse() {
		f.Note = fmt.Sprintf("the bounds of the histogram around %v are too far apart to tell", p.Target)
	}
	f.need(s, p.test.Need(quantileLook(usual(p.low[:k+1]), usual(high))), len(high))
	return f
}
