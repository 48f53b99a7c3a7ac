package canary

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
)

// likely is the chance of a verdict above which nobody is warned.
const likely = 0.9

// foresee returns what is wrong with the plan by what the judge expects of it.
func (r *Runner) foresee(ctx context.Context, load analysis.Load) (found []Finding, err error) {
	add := func(refuses bool, format string, args ...any) {
		found = append(found, Finding{"Analyzer: " + fmt.Sprintf(format, args...), refuses})
	}
	steps := r.c.Plan.spec.steps
	if r.c.Analyzer == nil {
		if slices.ContainsFunc(steps, func(s Step) bool { return s.Traffic.users() }) {
			add(false, "there is none, so nobody judges the canary by its requests")
		}
		return found, nil
	}
	var f analysis.Forecast
	err = r.guard(ctx, func(ctx context.Context) (err error) {
		f, err = r.c.Plan.forecast(ctx, r.c.Analyzer, load)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("canary: Analyzer: forecast: %w", err)
	}
	if len(f.Steps) == 0 {
		return nil, nil
	}
	if f.Unknown != "" && load != (analysis.Load{}) {
		add(false, "how long the steps last is not known: %s", f.Unknown)
	}
	all := Forecast{Load: f.Load}
	for i, s := range f.Steps {
		step := StepForecast{steps[i], s}
		all.Steps = append(all.Steps, step)
		switch {
		case s.Never != "":
			add(true, "step %q can never have the verdict that it requires: %s", step.Step.Name, s.Never)
		case r.look > 0 && s.Usual/r.look > maxLooks:
			add(false, "step %q: at %s, it takes about %v, and a judge is told of %d looks at most, which is %v: with longer looks it passes",
				step.Step.Name, traffic(f.Load), about(s.Usual), maxLooks, about(maxLooks*r.look))
		case step.weak() && f.Load.PerSecond > 0:
			add(false, "%s", step.advice(f.Load, r.c.Plan.spec.mayBeUnproven(i), i == len(steps)-1))
		}
	}
	for _, problem := range []string{r.short(all.Steps), r.unbaked(all.Steps)} {
		if problem != "" {
			add(false, "%s", problem)
		}
	}
	return found, nil
}

// weak reports whether a step is unlikely to get its verdict in time.
func (s *StepForecast) weak() bool { return s.Step.Requires != Nothing && s.Chance < likely }

// advice says how unlikely the verdict is, and what helps.
func (s *StepForecast) advice(load analysis.Load, unproven, last bool) string {
	text := fmt.Sprintf("step %q: at %s, a healthy canary never gets the verdict that the step requires", s.Step.Name, traffic(load))
	if s.Step.Deadline > 0 {
		if s.Step.Requires != Pass {
			return fmt.Sprintf("step %q: at %s, its deadline of %v is over before an outage could be found, which takes %v", s.Step.Name, traffic(load), s.Step.Deadline, about(s.Least))
		}
		text = fmt.Sprintf("step %q: at %s, it passes before its deadline of %v in %.0f of 100 healthy rollouts",
			s.Step.Name, traffic(load), s.Step.Deadline, 100*s.Chance)
	}
	var helps []string
	if d := s.Remedy.Deadline; d > 0 {
		helps = append(helps, fmt.Sprintf("a deadline of %v", d))
	}
	if share := s.Remedy.Canary; share > 0 {
		helps = append(helps, fmt.Sprintf("%s of the traffic", percent(share)))
	}
	if extra := s.Remedy.Extra; extra > 0 {
		helps = append(helps, fmt.Sprintf("Pass margins with an Extra of %v", extra))
	}
	if len(helps) > 0 {
		text += fmt.Sprintf("; %s would make it 95", strings.Join(helps, ", or "))
	}
	switch {
	case unproven:
		return text + "; without a pass it goes on unproven"
	case last:
		return text
	case s.Step.Deadline == 0:
		return text + fmt.Sprintf("; a deadline with OnDeadline %q would let it go on unproven", DeadlineAdvance)
	}
	return text + fmt.Sprintf("; OnDeadline %q would let it go on unproven", DeadlineAdvance)
}

// short says that steps are held for less than the judge needs for a first look at them.
func (r *Runner) short(steps []StepForecast) string {
	spec := r.c.Plan.spec
	var names []string
	least := time.Duration(0)
	for _, s := range steps {
		if s.Step.Hold > 0 && spec.settle+s.Step.Hold < s.Least && s.Never == "" {
			names, least = append(names, strconv.Quote(s.Step.Name)), max(least, s.Least)
		}
	}
	if len(names) == 0 {
		return ""
	}
	looks := ""
	if r.look > 0 {
		looks = fmt.Sprintf(", for %d looks of %v", (least-spec.settle-spec.lag)/r.look, r.look)
	}
	if n := len(names); n > 3 {
		names = append(names[:3], fmt.Sprintf("%d more", n-3))
	}
	return fmt.Sprintf("held for less time than it takes to find an outage: %s; such a step lasts %v at least%s", strings.Join(names, ", "), least.Round(time.Second), looks)
}

// unbaked says that what begins at the end of the last step is not looked at for long enough.
func (r *Runner) unbaked(steps []StepForecast) string {
	spec, last := r.c.Plan.spec, &steps[len(steps)-1]
	if spec.end.Kind == Discard || !last.Step.Traffic.users() || last.Never != "" || spec.bake >= last.Least {
		return ""
	}
	return fmt.Sprintf("an outage takes %v to be found, and the bake time is %v: one that begins at the end of the last step, or when stable is promoted, is not found", last.Least.Round(time.Second), spec.bake)
}

// traffic prints a Load.
func traffic(l analysis.Load) string {
	return fmt.Sprintf("%.3g requests a second, %s of them bad", l.PerSecond, percent(l.Bad))
}

// percent prints a share with three digits.
func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + "%" }
