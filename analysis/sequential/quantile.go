package sequential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// Quantile judges the canary's latency against a constant: "99 % of the requests take at
// most 300 ms".
type Quantile struct {
	Quantile float64       // such as 0.99
	Target   time.Duration // what so many requests take at most
	// Bounds are the bounds of the mesh's histogram; none means metrics.Bounds, those of
	// Istio. If Target lies between two bounds, a fail is judged by the requests above
	// the upper bound, and a pass by those above the lower one.
	Bounds []time.Duration
	// Weight is as in [Rate].
	Weight float64
	// Fail and Pass are as in [Rate] with an Objective.
	Fail, Pass Margin
}

// String prints what is judged: "p99 above 300ms".
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

func (q Quantile) validate(judge Judge) error {
	_, err := evidence.NewQuantileTest(q.Quantile, judge.Tuning.settings(q.Fail, q.Pass))
	low, high, outside := q.bracket()
	if err := errors.Join(err, outside); err != nil {
		return err
	}
	return errors.Join(judge.query(0, metrics.SlowerThan(low)).Validate(), judge.query(0, metrics.SlowerThan(high)).Validate())
}

func (q Quantile) read(ctx context.Context, judge Judge, all []look) (process, error) {
	test, err := evidence.NewQuantileTest(q.Quantile, judge.Tuning.settings(q.Fail, q.Pass))
	if err != nil {
		return nil, err
	}
	low, high, err := q.bracket()
	if err != nil {
		return nil, err
	}
	tables, silence, err := judge.tables(ctx, question{bounds: slices.Compact([]time.Duration{low, high})}, all)
	if err != nil {
		return nil, err
	}
	live := test
	return &quantile{q, newHalves(&test, &live, all), all, high, tables[0], tables[len(tables)-1], silence}, nil
}

// quantile is the process of a Quantile.
type quantile struct {
	Quantile
	halves[*evidence.QuantileTest]
	all       []look
	above     time.Duration   // the upper bound
	low, high []evidence.Look // one and the same if the target is a bound
	quiet     error
}

func quantileLook(low, high evidence.Look) evidence.QuantileLook {
	return evidence.QuantileLook{
		Total: min(low.Canary.Total, high.Canary.Total), AboveLow: low.Canary.Bad, AboveHigh: high.Canary.Bad, Step: low.Step,
	}
}

func (p *quantile) update(k int)              { p.at(k, p.all).Update(quantileLook(p.low[k], p.high[k])) }
func (p *quantile) requests() []evidence.Look { return p.high }
func (p *quantile) silence() error            { return p.quiet }

func (p *quantile) finding(judge Judge, k int) Finding {
	high := p.high[:k+1]
	f := Finding{
		Name: metrics.SlowerThan(p.above).String(), By: ShareOfRequests,
		Canary: total(high, canaryOf), Baseline: total(high, baselineOf),
	}
	f.compare(evidence.Rate(count(f.Canary), judge.Tuning.levels().Alpha))
	if f.Note = p.wait(); p.present().Coarse() {
		f.Note = fmt.Sprintf("the bounds of the histogram around %v are too far apart to tell", p.Target)
	}
	average := quantileLook(usual(p.low[:k+1], p.all[:k+1]), usual(high, p.all[:k+1]))
	f.need(judge, p.present().Need(average), average.Total)
	return f
}
