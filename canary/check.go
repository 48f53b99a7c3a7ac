package canary

import (
	"errors"
	"fmt"
	"time"
)

// isName reports whether a State can keep the name.
func isName(name string) bool { return clip(name, maxName) == name }

// problems returns every mistake in s, each with its place.
func (s *spec) problems() []error {
	errs := s.settingProblems()
	if len(s.steps) == 0 {
		errs = append(errs, errors.New("steps: want at least one"))
	}
	if len(s.steps) > maxSteps {
		errs = append(errs, fmt.Errorf("steps: %d, at most %d are allowed", len(s.steps), maxSteps))
	}
	first := make(map[string]int, len(s.steps))
	for i, step := range s.steps {
		for _, err := range step.problems() {
			errs = append(errs, fmt.Errorf("step %d (%s): %w", i+1, clip(step.Name, maxName), err))
		}
		if j, ok := first[step.Name]; ok {
			errs = append(errs, fmt.Errorf("step %d: the name %q is that of step %d; names are unique", i+1, step.Name, j+1))
		} else {
			first[step.Name] = i
		}
		if !isName(step.Name) || !isName(step.Gate) {
			errs = append(errs, fmt.Errorf("step %d: a name has more than %d bytes, or control characters", i+1, maxName))
		}
	}
	return append(errs, s.endProblems()...)
}

func (s *spec) settingProblems() []error {
	var errs []error
	if s.name == "" {
		errs = append(errs, errors.New("name: want one"))
	}
	for _, n := range []struct{ field, value string }{{"name", s.name}, {"owner", s.owner}, {"revision", s.revision}} {
		if !isName(n.value) {
			errs = append(errs, fmt.Errorf("%s: it has more than %d bytes, or control characters", n.field, maxName))
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"settle", s.settle}, {"scrapeLag", s.lag}, {"interval", s.interval}, {"bake", s.bake}} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %v is negative", d.field, d.value))
		}
	}
	if s.judgeErrors < 0 {
		errs = append(errs, fmt.Errorf("maxJudgeErrors: %d is negative; zero is no limit", s.judgeErrors))
	}
	if s.drift.Limit < 0 {
		errs = append(errs, fmt.Errorf("drift: limit %d is negative", s.drift.Limit))
	}
	if _, err := s.drift.Policy.MarshalText(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func (s *spec) endProblems() []error {
	var errs []error
	if _, err := s.end.Kind.MarshalText(); err != nil {
		return append(errs, err)
	}
	if s.end.Deadline < 0 {
		errs = append(errs, fmt.Errorf("end: deadline %v is negative; zero is none", s.end.Deadline))
	}
	if s.end.Kind != PromoteStable && s.end != (End{Kind: s.end.Kind}) {
		errs = append(errs, fmt.Errorf("end: a deadline and holdOnFailure belong to %q, not to %q", PromoteStable, s.end.Kind))
	}
	if s.end.Kind == Discard && s.bake > 0 {
		errs = append(errs, fmt.Errorf("bake: %v; a plan that ends with %q has nothing to bake", s.bake, Discard))
	}
	if s.end.Kind != Stay || len(s.steps) == 0 {
		return errs
	}
	if last := s.steps[len(s.steps)-1].Traffic; last.Canary != Full {
		hint := ""
		if 0 < last.Canary && last.Canary <= 100 {
			hint = fmt.Sprintf("; did you mean %d*canary.Percent?", last.Canary)
		}
		errs = append(errs, fmt.Errorf("end: %q needs a last step that gives the canary 100%%, this one gives it %v; add a step, or end with %q%s",
			s.end.Kind, last.Canary, Discard, hint))
	}
	return errs
}
