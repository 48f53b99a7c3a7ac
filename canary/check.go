package canary

import (
	"encoding"
	"fmt"
	"slices"
	"strings"
	"time"
)

// isName reports whether a State can keep the name.
func isName(name string) bool { return clip(name, maxName) == name }

// problems returns every mistake in s, each with its place.
func (s *spec) problems() mistakes {
	all := s.settingProblems()
	switch n := len(s.steps); {
	case n == 0:
		all.add("steps", "", "want at least one")
	case n > maxSteps:
		all.add("steps", "", "%d entries, at most %d are allowed", n, maxSteps)
		return all
	}
	first := make(map[string]int, len(s.steps))
	for i, step := range s.steps {
		at := place{"steps", numbered(i+1, step.Name)}
		all.within(at, step.problems())
		if step.Traffic.HeaderRoutes && !s.headerRoutes {
			all = append(all, mistake{place: append(at, "headerRoutes"), text: "header routes stand for the whole rollout; say it of the plan"})
		}
		if j, ok := first[step.Name]; ok {
			all = append(all, mistake{
				place: append(at, "name"), also: place{"steps", numbered(j+1, ""), "name"},
				text: fmt.Sprintf("%q is the name of step %d as well; names are unique", clip(step.Name, maxName), j+1),
			})
		} else {
			first[step.Name] = i
		}
	}
	s.checkNoReturn(&all)
	all.within(place{"end"}, s.endProblems())
	all.within(place{"returnInSteps"}, s.returns.problems(s.end.Kind))
	s.checkLast(&all)
	s.checkUnits(&all)
	return all
}

// checkNoReturn tells of steps that take users from the canary behind a point of no return.
func (s *spec) checkNoReturn(all *mistakes) {
	first := slices.IndexFunc(s.steps, func(step Step) bool { return step.NoReturn })
	if first < 0 {
		return
	}
	at := place{"steps", numbered(first+1, s.steps[first].Name), "noReturn"}
	if s.end.Kind == Discard {
		*all = append(*all, mistake{place: at, also: place{"end"}, text: fmt.Sprintf("a plan that ends with %q returns to stable", Discard)})
	}
	for i := first + 1; i < len(s.steps); i++ {
		before, step := s.steps[i-1].Traffic, s.steps[i]
		if step.Traffic.Canary < before.Canary || before.Cohorts != "" && step.Traffic.Cohorts != before.Cohorts {
			*all = append(*all, mistake{place: place{"steps", numbered(i+1, step.Name), "canary"}, also: at, text: fmt.Sprintf("%v takes users from the canary, which had %v", step.Traffic, before)})
		}
	}
}

// checkUnits tells of weights that were most likely meant as percentages: the canary gets
// a trace of traffic, and then everything.
func (s *spec) checkUnits(all *mistakes) {
	const most = 100 * perMillion
	first := -1
	for i, step := range s.steps {
		w := step.Traffic.Canary
		if most < w && w < Full {
			return
		}
		if 0 < w && w <= most && first < 0 {
			first = i
		}
	}
	if first < 0 {
		return
	}
	at := s.steps[first]
	*all = append(*all, mistake{
		place: place{"steps", numbered(first+1, at.Name), "canary"},
		text: fmt.Sprintf("%d parts per million, and no step has more than %v but %v; if these are percentages, write %d*canary.Percent",
			at.Traffic.Canary, most, Full, at.Traffic.Canary),
	})
}

func (s *spec) settingProblems() mistakes {
	var all mistakes
	if s.name == "" {
		all.add("name", "", "it is missing")
	}
	all.checkName("name", s.name)
	all.checkName("owner", s.owner)
	all.checkName("revision", s.revision)
	all.checkTime("settle", s.settle)
	all.checkTime("scrapeLag", s.lag)
	all.checkTime("interval", s.interval)
	all.checkTime("bake", s.bake)
	all.checkTime("blindLimit", s.blind)
	all.checkTime("errorLimit", s.errors)
	all.checkTime("pauseLimit", s.pause)
	if s.end.Kind == Discard && s.bake > 0 {
		all.add("bake", "end", "%v; a plan that ends with %q has nothing to bake", s.bake, Discard)
	}
	var drift mistakes
	if s.drift.Limit < 0 {
		drift.add("limit", "", "%d is negative", s.drift.Limit)
	}
	drift.checkKnown("policy", s.drift.Policy)
	all.within(place{"drift"}, drift)
	all.checkKnown("onChange", s.onChange)
	return all
}

func (s *spec) endProblems() mistakes {
	var all mistakes
	if all.checkKnown("kind", s.end.Kind); all != nil {
		return all
	}
	all.checkTime("deadline", s.end.Deadline)
	if s.end.Kind != PromoteStable && s.end != (End{Kind: s.end.Kind}) {
		all.add("", "", "a deadline and holdOnFailure belong to %q, not to %q", PromoteStable, s.end.Kind)
	}
	return all
}

// checkLast checks that the canary has all traffic when the steps are over.
func (s *spec) checkLast(all *mistakes) {
	if len(s.steps) == 0 || s.end.Kind != Stay {
		return
	}
	last := s.steps[len(s.steps)-1]
	if last.Traffic.Canary == Full {
		return
	}
	hint := ""
	if c := last.Traffic.Canary; 0 < c && c <= 100 {
		hint = fmt.Sprintf("; did you mean %d*canary.Percent?", c)
	}
	*all = append(*all, mistake{
		place: place{"end"}, also: place{"steps", numbered(len(s.steps), "")},
		text: fmt.Sprintf("%q needs a last step that gives the canary 100%%, this one gives it %v; add a step, or end with %q%s",
			s.end.Kind, last.Traffic.Canary, Discard, hint),
	})
}

func (all *mistakes) checkTime(field string, d time.Duration) {
	if d < 0 {
		all.add(field, "", "%v is negative", d)
	}
	if 0 < d && d < time.Microsecond {
		all.add(field, "", "%v is a number without a unit; did you mean %d*time.Second?", d, d)
	}
	if d > longest {
		all.add(field, "", "%v is more than a hundred years", d)
	}
}

func (all *mistakes) checkName(field, name string) {
	if !isName(name) {
		all.add(field, "", "it has more than %d bytes, or control characters", maxName)
	}
}

func (all *mistakes) checkGates(field string, gates []string) {
	for _, gate := range gates {
		if all.checkName(field, gate); gate == "" {
			all.add(field, "", "a gate has no name")
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(gates)))) < len(gates) {
		all.add(field, "", "%q has a gate twice", gates)
	}
}

// checkKnown checks a value of an enumeration.
func (all *mistakes) checkKnown(field string, v encoding.TextMarshaler) {
	if _, err := v.MarshalText(); err != nil {
		all.add(field, "", "%s", strings.TrimPrefix(err.Error(), "canary: "))
	}
}
