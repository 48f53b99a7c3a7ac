package analysis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// Metric is one thing that a [Sequential] judges: a [Rate], a [Latency], a
// [Quantile] or a [Gauge]. Its String says in words what it looks at.
type Metric interface {
	fmt.Stringer
	validate(s Sequential) error
	weight() float64
	// read asks for all looks.
	read(ctx context.Context, s Sequential, all []interval) (process, error)
}

// process is the evidence of a metric, look by look.
type process interface {
	update(k int)
	evidence() sequential.Evidence
	// finding sums up looks 0 to k.
	finding(s Sequential, k int) Finding
	// requests are those of both arms; nil if they are not counted.
	requests() []sequential.Look
	// silence is why nothing was counted, if nothing was.
	silence() error
}

// Rate judges the canary's share of bad requests.
type Rate struct {
	// Signal is what makes a request bad; the zero value is an answer of 5xx.
	Signal metrics.Signal
	// Objective, unless zero, is the share of good requests that the canary must
	// have, such as 0.999: it is then not compared with the baseline.
	Objective float64
	// Weight is the metric's share of the evidence for a fail; zero is 1, and
	// sequential.None never fails the canary.
	Weight float64
	// Settings are margins and all else; the zero value is the default.
	Settings sequential.Settings
}

// String names bad requests.
func (r Rate) String() string { return r.Signal.String() }

func (r Rate) weight() float64 { return r.Weight }

func (r Rate) validate(s Sequential) error {
	_, err := r.test(s)
	return errors.Join(err, s.query(0, r.Signal).Validate(), s.query(1, r.Signal).Validate())
}

// rateTest is *sequential.ErrorTest or *sequential.SLOTest.
type rateTest interface {
	Update(sequential.Look)
	Evidence() sequential.Evidence
	Need(usual sequential.Look) sequential.Need
}

func (r Rate) test(s Sequential) (rateTest, error) {
	if r.Objective != 0 {
		t, err := sequential.NewSLOTest(r.Objective, s.settings(r.Settings))
		return &t, err
	}
	t, err := sequential.NewErrorTest(s.settings(r.Settings))
	return &t, err
}

func (r Rate) read(ctx context.Context, s Sequential, all []interval) (process, error) {
	test, err := r.test(s)
	if err != nil {
		return nil, err
	}
	tables, silence, err := s.tables(ctx, question{signal: r.Signal}, all)
	if err != nil {
		return nil, err
	}
	return &rate{r, test, tables[0], silence}, nil
}

// rate is the process of a Rate.
type rate struct {
	Rate
	test  rateTest
	table []sequential.Look
	quiet error
}

func (p *rate) update(k int)                  { p.test.Update(p.table[k]) }
func (p *rate) evidence() sequential.Evidence { return p.test.Evidence() }
func (p *rate) requests() []sequential.Look   { return p.table }
func (p *rate) silence() error                { return p.quiet }

func (p *rate) finding(s Sequential, k int) Finding {
	seen := p.table[:k+1]
	f := Finding{Name: p.String(), Canary: total(seen, canaryOf), Baseline: total(seen, baselineOf)}
	if p.Objective != 0 {
		f.Compared, f.Known = sequential.Rate(count(f.Canary), s.levels().Alpha)
		f.By = ShareOfRequests
	} else {
		f.Compared, f.Known = ratio(seen, s.levels().Alpha)
	}
	f.need(s, p.test.Need(usual(seen)), len(seen))
	return f
}

// exposed is how many bad requests users saw.
func (p *rate) exposed(all []interval) (bad float64) {
	for k := range all {
		if !all[k].block.Mirrored {
			bad += p.table[k].Canary.Bad
		}
	}
	return bad
}

func canaryOf(l *sequential.Look) *sequential.Count   { return &l.Canary }
func baselineOf(l *sequential.Look) *sequential.Count { return &l.Baseline }

// total sums up an arm.
func total(table []sequential.Look, arm func(*sequential.Look) *sequential.Count) (sum metrics.Counts) {
	for i := range table {
		c := arm(&table[i])
		sum = sum.Add(metrics.Counts{Total: c.Total, Bad: c.Bad})
	}
	return sum
}

// usual is the average look.
func usual(table []sequential.Look) sequential.Look {
	k := float64(len(table))
	c, b := total(table, canaryOf), total(table, baselineOf)
	return sequential.Look{
		Canary:   sequential.Count{Bad: c.Bad / k, Total: c.Total / k},
		Baseline: sequential.Count{Bad: b.Bad / k, Total: b.Total / k},
	}
}

func count(c metrics.Counts) sequential.Count { return sequential.Count{Bad: c.Bad, Total: c.Total} }

// ratio estimates how many times the baseline's rate the canary's is.
func ratio(table []sequential.Look, alpha float64) (sequential.Interval, bool) {
	return sequential.Ratio(slices.Values(table), sequential.RatioGrid(), alpha)
}
