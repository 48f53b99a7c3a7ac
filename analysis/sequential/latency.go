package sequential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// Latency judges whether the canary is slower than the baseline: for some bounds of the
// mesh's histogram it compares the shares of requests that are slower. Nothing is
// interpolated.
type Latency struct {
	// Bounds are the bounds of the histogram; none means metrics.Bounds, those of Istio.
	// Only informative bounds are used: those that 0.1-90 % of the baseline's requests
	// exceeded before the rollout, eight at most.
	Bounds []time.Duration
	// Before is how long before the rollout the baseline is read to choose the bounds;
	// zero is ten minutes. If the baseline had no requests then, its first look chooses
	// the bounds and is not judged. If that has no requests either, eight bounds are
	// spread evenly.
	Before time.Duration
	// Weight is as in [Rate].
	Weight float64
	// Fail and Pass are as in [Rate], of the requests that are slower than a bound. The
	// zero Fail is 1.05 times the baseline plus 0.001, the zero Pass 1.2 times plus 0.01.
	Fail, Pass Margin
}

// String returns "latency".
func (l Latency) String() string { return "latency" }

func (l Latency) weight() float64 { return l.Weight }

func (l Latency) bounds() []time.Duration {
	if len(l.Bounds) == 0 {
		return metrics.Bounds()
	}
	return l.Bounds
}

func (l Latency) validate(judge Judge) error {
	errs := []error{judge.Tuning.settings(l.Fail, l.Pass).Validate(evidence.Latency)}
	if !slices.IsSorted(l.Bounds) || len(slices.Compact(slices.Clone(l.Bounds))) != len(l.Bounds) {
		errs = append(errs, fmt.Errorf("the bounds %v do not increase", l.Bounds))
	}
	if l.Before < 0 {
		errs = append(errs, fmt.Errorf("the time Before the rollout is %v; want more than zero, or zero for the default", l.Before))
	}
	for _, b := range l.bounds() {
		errs = append(errs, judge.query(0, metrics.SlowerThan(b)).Validate())
	}
	return errors.Join(errs...)
}

func (l Latency) read(ctx context.Context, judge Judge, all []look) (process, error) {
	bounds, before, judged, err := l.choose(ctx, judge, all)
	if err != nil {
		return nil, err
	}
	settings := judge.Tuning.settings(l.Fail, l.Pass)
	wide, err := judge.Tuning.ofCopies(settings, evidence.Latency)
	if err != nil {
		return nil, err
	}
	copies, err := evidence.NewLatencyTest(before, wide)
	live, liveErr := evidence.NewLatencyTest(before, settings)
	if err := errors.Join(err, liveErr); err != nil {
		return nil, err
	}
	tables, silence, err := judge.tables(ctx, question{bounds: bounds}, all)
	for j := range tables {
		clear(tables[j][:judged])
	}
	p := &latency{newHalves(&copies, &live, all), all, bounds, tables, nil, silence}
	for _, table := range tables {
		p.looks = append(p.looks, closed(table, all))
	}
	return p, err
}

// choose returns the bounds that are of use, what the baseline did before, and
// from which look on it may be judged: what chose the bounds is no evidence.
func (l Latency) choose(ctx context.Context, judge Judge, all []look) (bounds []time.Duration, before []evidence.Count, judged int, err error) {
	begin := all[0].window.From
	past := metrics.Window{From: begin.Add(-cmp.Or(l.Before, 10*time.Minute)), To: begin}
	known, err := l.baseline(ctx, judge, past)
	if err == nil && known[0].Total == 0 {
		known, err = l.baseline(ctx, judge, all[0].window)
		judged = 1
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s before the rollout: %w", judge.Tuning.baseline(), err)
	}
	useful := evidence.UsefulBounds(known)
	if len(useful) == 0 {
		n := min(len(known), evidence.Bounds)
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
func (l Latency) baseline(ctx context.Context, judge Judge, w metrics.Window) ([]evidence.Count, error) {
	all := l.bounds()
	known := make([]evidence.Count, len(all))
	counts, err := judge.Provider.SlowerThan(ctx, judge.query(1, metrics.Signal{}), all, []metrics.Window{w})
	if metrics.NoData(err) {
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
	halves[*evidence.LatencyTest]
	all    []look
	bounds []time.Duration
	tables [][]evidence.Look // of each bound
	looks  [][]evidence.Look // the tables as they are compared
	quiet  error
}

// latencyLook puts the looks at all bounds together.
func latencyLook(tables [][]evidence.Look, of func(table []evidence.Look) evidence.Look) (l evidence.LatencyLook) {
	for j := range tables {
		at := of(tables[j])
		l.Step, l.Alone = at.Step, at.Alone
		l.Canary.Total, l.Canary.Over[j] = at.Canary.Total, at.Canary.Bad
		l.Baseline.Total, l.Baseline.Over[j] = at.Baseline.Total, at.Baseline.Bad
	}
	return l
}

func (p *latency) update(k int) {
	p.at(k, p.all).Update(latencyLook(p.looks, func(table []evidence.Look) evidence.Look { return table[k] }))
}
func (p *latency) requests() []evidence.Look { return p.tables[0] }
func (p *latency) silence() error            { return p.quiet }

// finding is that of the bound that says the most against the canary.
func (p *latency) finding(judge Judge, k int) Finding {
	worst := 0
	for j := range p.bounds {
		if p.present().Bound(j).Fail > p.present().Bound(worst).Fail {
			worst = j
		}
	}
	seen := p.tables[worst][:k+1]
	f := Finding{
		Name:   metrics.SlowerThan(p.bounds[worst]).String(),
		Canary: total(seen, canaryOf), Baseline: total(seen, baselineOf),
	}
	f.compare(ratio(seen, judge.Tuning.levels().Alpha))
	average := latencyLook(p.tables, func(table []evidence.Look) evidence.Look { return usual(table[:k+1], p.all[:k+1]) })
	if f.Note = p.wait(); f.Note == "" {
		f.need(judge, p.present().Need(average), average.Canary.Total)
	}
	return f
}
