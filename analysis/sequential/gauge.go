package sequential

import (
	"context"
	"errors"
	"time"

	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// Gauge judges whether a measured value, such as memory per pod, is higher in the canary
// than in the baseline. The guarantee holds for independent, normally distributed values
// only, so do not let a Gauge alone roll back.
type Gauge struct {
	Provider metrics.Gauger
	// Name is what is measured: "memory per pod".
	Name string
	// Canary and Baseline are queries in the language of the Provider's store. Ask for
	// means per pod or per request, not for values that grow with the size of the arm.
	Canary, Baseline string
	// Weight is as in [Rate], but zero means 0.5.
	Weight float64
	// Fail and Pass are as in [Rate], without Extra; zero is 1.1 times the baseline.
	Fail, Pass Margin
	// Batch is how many looks are averaged to one value; zero is 4.
	Batch int
}

func (g Gauge) settings(judge Judge) evidence.Settings {
	s := judge.Tuning.settings(g.Fail, g.Pass)
	s.Block = g.Batch
	return s
}

// String returns the Name.
func (g Gauge) String() string { return g.Name }

func (g Gauge) weight() float64 {
	if g.Weight == 0 {
		return 0.5
	}
	return g.Weight
}

func (g Gauge) validate(judge Judge) error {
	errs := []error{g.settings(judge).Validate(evidence.Gauge)}
	if g.Provider == nil {
		errs = append(errs, errors.New("there is no Provider to ask"))
	}
	if g.Name == "" {
		errs = append(errs, errors.New("it has no Name, such as \"memory per pod\""))
	}
	if g.Canary == g.Baseline {
		errs = append(errs, errors.New("the canary is compared with itself"))
	}
	return errors.Join(errs...)
}

func (g Gauge) read(ctx context.Context, judge Judge, all []look) (process, error) {
	test, err := evidence.NewGaugeTest(g.settings(judge))
	if err != nil {
		return nil, err
	}
	windows := make([]metrics.Window, len(all))
	p := &gauge{Gauge: g, test: test, looks: make([]evidence.GaugeLook, len(all))}
	for i := range all {
		windows[i], p.looks[i].Step = all[i].window, all[i].first
	}
	for arm, query := range []string{g.Canary, g.Baseline} {
		values, err := g.Provider.Values(ctx, query, windows)
		if metrics.NoData(err) {
			p.quiet = err
			continue
		}
		if err == nil && len(values) != len(windows) {
			err = metrics.ErrPartial
		}
		if err != nil {
			return nil, err
		}
		for i, v := range values {
			*[]*float64{&p.looks[i].Canary, &p.looks[i].Baseline}[arm] = v
		}
	}
	return p, nil
}

// gauge is the process of a Gauge.
type gauge struct {
	Gauge
	test  evidence.GaugeTest
	looks []evidence.GaugeLook
	quiet error
}

func (p *gauge) update(k int)                { p.test.Update(p.looks[k]) }
func (p *gauge) evidence() evidence.Evidence { return p.test.Evidence() }
func (p *gauge) requests() []evidence.Look   { return nil }
func (p *gauge) silence() error              { return p.quiet }
func (p *gauge) sight() (float64, bool)      { return 0, false }

func (p *gauge) finding(judge Judge, k int) Finding {
	f := Finding{Name: p.Name, By: RatioOfValues}
	measured := 0.0
	for _, l := range p.looks[:k+1] {
		if l.Canary > 0 && l.Baseline > 0 {
			measured++
			f.CanaryValue += (l.Canary - f.CanaryValue) / measured
			f.BaselineValue += (l.Baseline - f.BaselineValue) / measured
		}
	}
	f.compare(p.test.Ratio(judge.Tuning.levels().Alpha))
	if looks, ok := p.test.Looks(); ok {
		f.After = time.Duration(looks) * judge.Look()
	}
	return f
}
