package canary

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

// ErrNoForecast: the Analyzer cannot tell what it will see, or it does not know the traffic. The
// text says why.
var ErrNoForecast = errors.New("no forecast")

// Forecast is what the judge expects of a rollout of a plan: how long it lasts for a healthy canary,
// and when a bad one is found. Its String is one sentence for people.
type Forecast struct {
	// Load is the traffic that the forecast was made for, as it was given or counted.
	Load analysis.Load
	// Steps are those of the plan.
	Steps []StepForecast
}

// StepForecast is what the judge expects of a step.
type StepForecast struct {
	Step Step
	analysis.StepForecast
}

// Forecast asks the judge what it expects of a rollout with the load. A given load needs no metric
// store, so a plan and a sequential.Judge can be tried anywhere:
//
//	f, err := plan.Forecast(ctx, sequential.Judge{}, analysis.Load{PerSecond: 100, Bad: 0.001})
//	fmt.Println(f)
//
// The error wraps ErrNoForecast if the judge is no analysis.Forecaster, or if the store has no
// requests in the time of the load. The promotion of stable, a return in steps and the bake time
// are not part of the forecast.
func (p Plan) Forecast(ctx context.Context, judge analysis.Analyzer, load analysis.Load) (Forecast, error) {
	f, err := p.forecast(ctx, judge, load)
	switch {
	case err != nil:
		return Forecast{}, fmt.Errorf("canary: plan %q: forecast: %w", p.Name(), err)
	case f.Unknown != "" || len(f.Steps) == 0:
		why := f.Unknown
		if why == "" {
			why = fmt.Sprintf("a %T does not tell what it will see", judge)
		}
		return Forecast{}, fmt.Errorf("canary: plan %q: %w: %s", p.Name(), ErrNoForecast, why)
	}
	all := Forecast{Load: f.Load}
	for i, s := range p.Steps() {
		all.Steps = append(all.Steps, StepForecast{s, f.Steps[i]})
	}
	return all, nil
}

// Forecast is [Plan.Forecast] with the Plan and the Analyzer of the Config. The zero load is what
// the store counted in the last hour.
func (r *Runner) Forecast(ctx context.Context, load analysis.Load) (Forecast, error) {
	if load == (analysis.Load{}) {
		load = r.lastHour()
	}
	return r.c.Plan.Forecast(ctx, r.c.Analyzer, load)
}

func (r *Runner) lastHour() analysis.Load {
	now := r.now()
	return analysis.Load{Past: metrics.Window{From: now.Add(-time.Hour), To: now}}
}

// forecast asks the judge. It is zero if the judge does not forecast.
func (p Plan) forecast(ctx context.Context, judge analysis.Analyzer, load analysis.Load) (analysis.Forecast, error) {
	forecaster, ok := judge.(analysis.Forecaster)
	if !ok || p.spec == nil {
		return analysis.Forecast{}, nil
	}
	r := analysis.ForecastRequest{Settle: p.spec.settle, ScrapeLag: p.spec.lag, Load: load}
	for i, s := range p.spec.steps {
		r.Steps = append(r.Steps, analysis.PlannedStep{
			Canary: s.Traffic.Canary.share(), Baseline: s.Traffic.Baseline.share(), Mirror: s.Traffic.Mirror.share(),
			Requires: [...]analysis.Verdict{Pass: analysis.Pass, NoFailure: analysis.Inconclusive, Nothing: analysis.Blind}[s.Requires],
			Hold:     s.Hold, Deadline: s.Deadline, Unproven: p.spec.mayBeUnproven(i),
		})
	}
	f, err := forecaster.Forecast(ctx, r)
	if err == nil && len(f.Steps) > 0 && len(f.Steps) != len(r.Steps) {
		err = fmt.Errorf("it is about %d steps of %d", len(f.Steps), len(r.Steps))
	}
	return f, err
}

// share is w as a number from 0 to 1.
func (w Weight) share() float64 { return float64(w) / float64(Full) }

// mayBeUnproven reports whether a step may be left without its Pass at its deadline.
func (s *spec) mayBeUnproven(step int) bool {
	return s.steps[step].Deadline > 0 && s.steps[step].OnDeadline == DeadlineAdvance && step < len(s.steps)-1
}

// String prints the forecast for people: at 100 requests a second, 0.1% of them bad, the steps take
// about 38m0s; a doubling of errors is found after 34 bad requests (1h10m0s), an outage is found after
// 450 bad requests (1m30s). What is found is that of the first step with live traffic.
func (f Forecast) String() string {
	if len(f.Steps) == 0 {
		return "no forecast"
	}
	counted := ""
	if p := f.Load.Past; p.Length() > 0 {
		counted = fmt.Sprintf(" (counted in the %v before %s)", p.Length(), p.To.UTC().Format(time.RFC3339))
	}
	text := fmt.Sprintf("at %s%s, %s", traffic(f.Load), counted, f.takes())
	live := slices.IndexFunc(f.Steps, func(s StepForecast) bool { return s.Step.Traffic.Canary > 0 && s.Least > 0 })
	if live < 0 {
		return text
	}
	return fmt.Sprintf("%s; a doubling of errors is %s, an outage is %s", text, found(f.Steps[live].Doubled), found(f.Steps[live].Outage))
}

// takes says how long the steps take, or which one is not left.
func (f Forecast) takes() string {
	var all time.Duration
	var late []string
	for _, s := range f.Steps {
		usual := s.Usual
		if s.weak() {
			late = append(late, fmt.Sprintf("%q", s.Step.Name))
		}
		if d := s.Step.Deadline; d > 0 && (usual == 0 || usual > d) {
			usual = d
		} else if usual == 0 && s.Step.Requires != Nothing {
			return fmt.Sprintf("step %q is never left", s.Step.Name)
		}
		if all += usual; all < 0 || all > longest {
			all = longest
		}
	}
	text := fmt.Sprintf("the steps take about %v", about(all))
	if len(late) > 0 {
		text += ", and the deadline may come before the pass in " + strings.Join(late, ", ")
	}
	return text
}

// month is longer than any rollout waits for what is to be found.
const month = 30 * 24 * time.Hour

// found says when a bad canary is found.
func found(d analysis.Detection) string {
	switch {
	case d.After == 0:
		return "never found"
	case d.After > month:
		return "not found within a month"
	}
	return fmt.Sprintf("found after %.0f bad requests (%v)", math.Ceil(d.Bad), about(d.After))
}

// about leaves out the seconds of a long time.
func about(d time.Duration) time.Duration {
	if d > 10*time.Minute {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}
