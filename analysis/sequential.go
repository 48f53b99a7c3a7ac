package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/internal/judging"
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
// before that holds. While there is no evidence either way the verdict is
// Inconclusive, or Blind if the step under way has shown nothing at all, and the
// plan says what then: whether its step waits for a pass ([canary.Step.Judge]), for
// how long, and what follows (Deadline, OnDeadline).
//
// [canary.Step.Judge]: https://pkg.go.dev/github.com/serin-go/serin/canary#Step
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
	// Metrics are what is judged; none is Rate{}: answers of 5xx.
	Metrics []Metric
	// Preset is that of all metrics, and of Levels.Alpha.
	Preset sequential.Preset
	// Levels are the probabilities of being wrong. A zero Alpha is 0.05, and 0.01
	// with the preset Strict.
	Levels sequential.Levels
	// Every is the length of a look; zero is DefaultEvery. It should be at least a
	// scrape interval.
	Every time.Duration
	// Lag is how long the judge waits after a look ends, so that its counts are
	// final: for Prometheus at least its scrape timeout. Zero is a third of Every.
	// With a [Gauge] it is four thirds of Every, as Prometheus marks the series of a
	// deleted pod as ended more than one scrape interval late.
	Lag time.Duration
	// BurnIn is how many looks are left out at the beginning of the rollout: one or
	// two for a canary that starts cold.
	BurnIn int
	// MaxBad is how many bad requests the canary may answer live in the whole
	// rollout, by any one Rate, whatever the baseline does and chance may do; zero is
	// no limit.
	MaxBad float64
	// AnySplit does not hold the step when the canary gets another share of the
	// requests than planned. Set it where requests are not routed one by one at
	// random: by headers, by sessions.
	AnySplit bool
}

// Validate reports every mistake at once. Analyze does so too.
func (s Sequential) Validate() error {
	var errs []error
	if s.Canary == s.Baseline {
		errs = append(errs, fmt.Errorf("the canary is compared with itself, %s", s.Canary))
	}
	if s.Every < 0 || s.Lag < 0 {
		errs = append(errs, fmt.Errorf("looks of %v with a Lag of %v; want times above zero, or zero for the defaults", s.Every, s.Lag))
	}
	if s.BurnIn < 0 {
		errs = append(errs, fmt.Errorf("BurnIn is %d; want a number of looks", s.BurnIn))
	}
	if !(s.MaxBad >= 0) {
		errs = append(errs, fmt.Errorf("MaxBad is %v; want zero or more", s.MaxBad))
	}
	_, err := sequential.NewJudge(s.Levels)
	errs = append(errs, err)
	for i, m := range s.Metrics {
		if m == nil {
			errs = append(errs, fmt.Errorf("metric %d is nil", i))
		}
	}
	if err := errors.Join(errs...); err == nil { // so that metrics can be asked
		for i, m := range s.metrics() {
			if err := m.validate(s); err != nil {
				errs = append(errs, fmt.Errorf("metric %d (%v): %w", i, m, err))
			}
		}
	}
	return judging.Mistakes("sequential", s.Provider, errs)
}

// metrics returns what is judged.
func (s Sequential) metrics() []Metric {
	if len(s.Metrics) == 0 {
		return []Metric{Rate{}}
	}
	return s.Metrics
}

// levels returns the levels in use.
func (s Sequential) levels() sequential.Levels {
	l := s.Levels
	if l.Alpha == 0 && s.Preset == sequential.Strict {
		l.Alpha = 0.01
	}
	return sequential.Levels{Alpha: cmp.Or(l.Alpha, 0.05), Beta: cmp.Or(l.Beta, 0.05), Split: cmp.Or(l.Split, 0.001)}
}

// settings returns those of a metric, with what holds for all of them.
func (s Sequential) settings(own sequential.Settings) sequential.Settings {
	levels := s.levels()
	own.Preset = max(own.Preset, s.Preset)
	own.Alpha, own.Beta = cmp.Or(own.Alpha, levels.Alpha), cmp.Or(own.Beta, levels.Beta)
	return own
}

func (s Sequential) lag() time.Duration {
	usual := s.every() / 3
	if slices.ContainsFunc(s.Metrics, func(m Metric) bool { _, ok := m.(Gauge); return ok }) {
		usual += s.every()
	}
	return cmp.Or(s.Lag, usual)
}

func (s Sequential) every() time.Duration { return cmp.Or(s.Every, DefaultEvery) }

func (s Sequential) baseline() string { return cmp.Or(s.BaselineName, "stable") }

// query is what to ask about an arm. The canary's is the first.
func (s Sequential) query(arm int, signal metrics.Signal) metrics.Query {
	return metrics.Query{Arm: [...]metrics.Arm{s.Canary, s.Baseline}[arm], Reporter: s.Reporter, Signal: signal}
}

// Look implements [Looker].
func (s Sequential) Look() time.Duration { return s.every() }

// Analyze implements [Analyzer]. Having no series or no requests yet is Blind.
// Whatever else keeps the Provider from answering is an error.
func (s Sequential) Analyze(ctx context.Context, r Request) (Result, error) {
	if err := s.Validate(); err != nil {
		return Result{}, err
	}
	all := looks(r, s.every(), s.lag())
	all = all[min(s.BurnIn, len(all)):]
	if len(all) == 0 {
		over := r.Window.From.Add(time.Duration(1+s.BurnIn)*s.every() + s.lag())
		return Result{Reason: fmt.Sprintf("the first look is over in %v", over.Sub(r.Window.To).Round(time.Second))}, nil
	}
	tests := make([]process, len(s.metrics()))
	for i, m := range s.metrics() {
		var err error
		if tests[i], err = m.read(ctx, s, all); err != nil {
			return Result{}, fmt.Errorf("analysis: %v: %w", m, err)
		}
	}
	return s.judge(all, tests)
}
