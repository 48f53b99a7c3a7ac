package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// DefaultEvery is how long a look of [Sequential] is unless another length is
// given: as Prometheus' usual scrape interval.
const DefaultEvery = 15 * time.Second

// Sequential is an Analyzer with a guarantee: however often it is asked, it fails
// a healthy canary with probability of at most Levels.Alpha over the whole
// rollout, and passes one that is as bad as its margin with at most Levels.Beta.
// Package sequential says under which assumptions, and how to choose margins.
// Give it by value.
//
// It compares the canary with the baseline, in looks of equal length from the
// beginning of the rollout on: Request.Earlier and Request.Window, without the
// times in which traffic was being moved. All of them are counted anew each time,
// with one question for each arm and signal, so that restarts, further drivers
// and missed turns change nothing. The store must keep the readings of the whole
// rollout. A look that is not over is not judged yet.
//
// What failed stays failed, and what has passed goes on being watched. When
// everything goes to the canary there is nobody to compare with: what was learnt
// before that holds.
type Sequential struct {
	Provider metrics.Sequencer
	Canary   metrics.Arm
	// Baseline is the arm to compare with: stable, or better a fresh baseline of
	// the canary's size.
	Baseline metrics.Arm
	// BaselineName is how reasons and Values name that arm; "" is "stable".
	BaselineName string
	// Reporter is who counts. Its zero value, Source, gives way to Destination
	// while the canary is only mirrored to.
	Reporter metrics.Reporter
	// Metrics are what is judged; none is one: answers of 5xx.
	Metrics []Metric
	// Levels are the probabilities of being wrong, and Every the length of a look;
	// zero is DefaultEvery. It should be at least a scrape interval.
	Levels sequential.Levels
	Every  time.Duration
	// MaxBad is how many bad requests the canary may answer live in the whole
	// rollout, of any one metric, whatever the baseline does; zero is no limit.
	MaxBad float64
	// AnySplit does not hold the step when the canary gets another share of the
	// requests than planned. Set it where requests are not routed one by one at
	// random: by headers, by sessions.
	AnySplit bool
}

// Metric is one thing that is judged.
type Metric struct {
	// Signal is what makes a request bad; the zero value is an answer of 5xx.
	Signal metrics.Signal
	// Objective, unless zero, is the share of good requests that the canary must
	// have, such as 0.999: it is then not compared with the baseline.
	Objective float64
	// Weight is the metric's share of the evidence for a fail; zero is 1.
	Weight float64
	// Settings are margins and all else; the zero value is the default.
	Settings sequential.Settings
}

// Validate reports every mistake at once. Analyze does so too.
func (s Sequential) Validate() error {
	var errs []error
	if s.Provider == nil {
		errs = append(errs, errors.New("there is no Provider to ask"))
	}
	if s.Canary == s.Baseline {
		errs = append(errs, fmt.Errorf("the canary is compared with itself, %s", s.Canary))
	}
	if s.Every < 0 {
		errs = append(errs, fmt.Errorf("Every is %v; want the length of a look", s.Every))
	}
	if !(s.MaxBad >= 0) {
		errs = append(errs, fmt.Errorf("MaxBad is %v; want zero or more", s.MaxBad))
	}
	_, err := sequential.NewJudge(s.Levels)
	errs = append(errs, err)
	for i, m := range s.metrics() {
		if _, err := m.test(); err != nil {
			errs = append(errs, fmt.Errorf("metric %d (%s): %w", i, m.Signal, err))
		}
		for _, arm := range []metrics.Arm{s.Canary, s.Baseline} {
			if err := (metrics.Query{Arm: arm, Reporter: s.Reporter, Signal: m.Signal}).Validate(); err != nil {
				errs = append(errs, fmt.Errorf("metric %d: %w", i, err))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("analysis: sequential: %w", err)
	}
	return nil
}

func (s Sequential) metrics() []Metric {
	if len(s.Metrics) == 0 {
		return []Metric{{}}
	}
	return s.Metrics
}

// test is one e-process: *sequential.ErrorTest or *sequential.SLOTest.
type test interface {
	Update(sequential.Look)
	Evidence() sequential.Evidence
}

func (m Metric) test() (test, error) {
	if m.Objective != 0 {
		t, err := sequential.NewSLOTest(m.Objective, m.Settings)
		return &t, err
	}
	t, err := sequential.NewErrorTest(m.Settings)
	return &t, err
}

// Analyze implements [Analyzer]. Having no series or no requests yet is
// Inconclusive. Whatever else keeps the Provider from answering is an error.
func (s Sequential) Analyze(ctx context.Context, r Request) (Result, error) {
	if err := s.Validate(); err != nil {
		return Result{}, err
	}
	all := looks(r, cmp.Or(s.Every, DefaultEvery))
	if len(all) == 0 {
		return Result{Reason: fmt.Sprintf("the first look is over in %v", r.Window.From.Add(cmp.Or(s.Every, DefaultEvery)).Sub(r.Window.To).Round(time.Second))}, nil
	}
	tables := make([][]sequential.Look, len(s.metrics()))
	for i, m := range s.metrics() {
		var err error
		if tables[i], err = s.table(ctx, m.Signal, all); err != nil {
			return Result{}, fmt.Errorf("analysis: %w", err)
		}
	}
	return s.judge(all, tables)
}
