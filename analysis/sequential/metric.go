package sequential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// Metric is one thing that a [Judge] judges: a [Rate], a [Latency], a [Quantile], a
// [Gauge] or a [Reach]. Its String is its name in reasons.
type Metric interface {
	fmt.Stringer
	validate(judge Judge) error
	weight() float64
	// read asks for all looks.
	read(ctx context.Context, judge Judge, all []look) (process, error)
}

// process is the evidence of a metric, look by look.
type process interface {
	update(k int)
	evidence() evidence.Evidence
	// finding sums up looks 0 to k.
	finding(judge Judge, k int) Finding
	// requests are those of both arms; nil if they are not counted.
	requests() []evidence.Look
	// silence is why nothing was counted, if nothing was.
	silence() error
	// sight is in nats how well the present step was looked at; false if that is not known.
	sight() (nats float64, known bool)
}

// Rate judges the canary's share of bad requests.
type Rate struct {
	// Signal says which requests are bad. The zero value is server errors.
	Signal metrics.Signal
	// Objective is the share of good requests that the canary must have, such as 0.999.
	// The canary is then compared with the Objective and not with the baseline. Zero is
	// none.
	Objective float64
	// Weight is the weight of the metric in the evidence for a fail. Zero is 1. A metric
	// with None fails no canary, but still has to pass.
	Weight float64
	// Fail is the worst canary that is healthy, Pass the best one that is bad. The zero
	// Fail is 1.05 times the baseline, the zero Pass 1.5 times plus 0.005. With an
	// Objective both are what the Objective allows.
	Fail, Pass Margin
	// FailOnly: the metric fails a canary that is far worse, and none has to pass it. It judges
	// live requests only. The zero Fail is then twice the baseline plus 0.05. There is no Pass.
	FailOnly bool
}

// String names the bad requests: "server errors".
func (r Rate) String() string { return r.Signal.String() }

func (r Rate) weight() float64 { return r.Weight }

// failOnly reports whether no canary has to pass the metric.
func failOnly(m Metric) bool {
	switch m := m.(type) {
	case Rate:
		return m.FailOnly
	case Reach:
		return true
	}
	return false
}

func (r Rate) validate(judge Judge) error {
	var useless error
	if r.FailOnly && (r.Pass != Margin{} || r.Weight < 0) {
		useless = errors.New("it is FailOnly, and has a Pass margin or no Weight")
	}
	_, _, err := r.tests(judge)
	return errors.Join(useless, err, judge.query(0, r.Signal).Validate(), judge.query(1, r.Signal).Validate())
}

// rateTest is *evidence.ErrorTest or *evidence.SLOTest.
type rateTest interface {
	test
	Update(evidence.Look)
	Need(usual evidence.Look) evidence.Need
}

// tests returns a test for copies and one for live requests.
func (r Rate) tests(judge Judge) (copies, live rateTest, err error) {
	s := judge.Tuning.settings(r.Fail, r.Pass)
	if r.FailOnly {
		s.Fail = evidence.Margin(cmp.Or(r.Fail, Margin{2, 0.05}))
		s.Pass, s.Alone = s.Fail, widest(s.Fail, evidence.Margin{Factor: 3, Extra: 0.1})
	}
	if r.Objective != 0 {
		t, err := evidence.NewSLOTest(r.Objective, s)
		again := t
		return &t, &again, err
	}
	wide, err := judge.Tuning.ofCopies(s, evidence.Errors)
	if err != nil {
		return nil, nil, err
	}
	c, err := evidence.NewErrorTest(wide)
	l, liveErr := evidence.NewErrorTest(s)
	return &c, &l, errors.Join(err, liveErr)
}

func (r Rate) read(ctx context.Context, judge Judge, all []look) (process, error) {
	copies, live, err := r.tests(judge)
	if err != nil {
		return nil, err
	}
	var past metrics.Counts
	q := question{signal: r.Signal}
	if !r.FailOnly {
		q.past = &past
	}
	tables, silence, err := judge.tables(ctx, q, all)
	if err != nil {
		return nil, err
	}
	if t, ok := live.(*evidence.ErrorTest); ok {
		t.Before(count(past))
	}
	return &rate{r, newHalves(copies, live, all), all, tables[0], closed(tables[0], all), count(past), silence}, nil
}

// rate is the process of a Rate.
type rate struct {
	Rate
	halves[rateTest]
	all   []look
	table []evidence.Look
	looks []evidence.Look // the table as it is compared
	past  evidence.Count  // of the baseline, before the rollout
	quiet error
}

func (p *rate) update(k int) {
	if test := p.at(k, p.all); !p.FailOnly || !p.all[k].block.Mirrored {
		test.Update(p.looks[k])
	}
}

func (p *rate) requests() []evidence.Look { return p.table }
func (p *rate) silence() error            { return p.quiet }

func (p *rate) finding(judge Judge, k int) Finding {
	seen := p.table[:k+1]
	f := Finding{Name: p.String(), Canary: total(seen, canaryOf), Baseline: total(seen, baselineOf)}
	if p.Objective != 0 {
		f.compare(evidence.Rate(count(f.Canary), judge.Tuning.levels().Alpha))
		f.By = ShareOfRequests
	} else {
		f.compare(ratio(seen, judge.Tuning.levels().Alpha))
	}
	if f.Note = p.wait(); !p.FailOnly && f.Note == "" {
		average := usual(seen, p.all[:k+1])
		f.need(judge, p.present().Need(average), average.Canary.Total)
	}
	return f
}

// seesMore reports whether more looks at the present step may show what the metric is about: there
// were requests, and not so many looks yet. A margin can be too wide for anything to be seen.
func (p *rate) seesMore(all []look, most float64) bool {
	looks := 0.0
	for k := range all {
		if all[k].now && p.table[k].Canary.Total > 0 && !(p.FailOnly && all[k].block.Mirrored) {
			looks++
		}
	}
	return 0 < looks && looks < most
}

// exposed is how many bad requests users saw.
func (p *rate) exposed(all []look) (bad float64) {
	for k := range all {
		if !all[k].block.Mirrored {
			bad += p.table[k].Canary.Bad
		}
	}
	return bad
}

func canaryOf(l *evidence.Look) *evidence.Count   { return &l.Canary }
func baselineOf(l *evidence.Look) *evidence.Count { return &l.Baseline }

// total sums up an arm.
func total(table []evidence.Look, arm func(*evidence.Look) *evidence.Count) (sum metrics.Counts) {
	for i := range table {
		c := arm(&table[i])
		sum = sum.Add(metrics.Counts{Total: c.Total, Bad: c.Bad})
	}
	return sum
}

// usual is a look as they are at present: with the requests of an average one of the present block, and
// the rates of all.
func usual(table []evidence.Look, all []look) (l evidence.Look) {
	from := len(all) - 1
	for from > 0 && all[from-1].block == all[from].block {
		from--
	}
	for _, arm := range []func(*evidence.Look) *evidence.Count{canaryOf, baselineOf} {
		whole, looks := total(table, arm), table[from:]
		now := total(looks, arm)
		if now.Total == 0 { // none was read yet
			now, looks = whole, table
		}
		n := now.Total / float64(len(looks))
		*arm(&l) = evidence.Count{Bad: n * whole.Bad / max(whole.Total, 1), Total: n}
	}
	return l
}

func count(c metrics.Counts) evidence.Count { return evidence.Count{Bad: c.Bad, Total: c.Total} }

// ratio estimates how many times the baseline's rate the canary's is.
func ratio(table []evidence.Look, alpha float64) (evidence.Interval, bool) {
	return evidence.Ratio(slices.Values(table), evidence.RatioGrid(), alpha)
}
