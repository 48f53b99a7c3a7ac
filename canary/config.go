package canary

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
)

// Config is what a Runner needs. NewRunner calls Validate() error of each part that has
// it.
type Config struct {
	// Plan is the plan to carry out. Give each release its revision by Plan.For.
	Plan Plan
	// Router writes the traffic and keeps the State.
	Router Router
	// Analyzer judges the canary. It may be nil if every step requires Nothing.
	Analyzer analysis.Analyzer
	// Workload tells when the canary's pods are ready, and promotes stable. Nil means
	// that the canary is always ready. A plan that ends with PromoteStable needs a
	// Workload.
	Workload Workload
	// Prerequisites are ensured in order before traffic that needs them, and cleaned up in
	// reverse order after the last change of traffic.
	Prerequisites []Prerequisite
	// Gates maps the name of a gate to the function that opens it. A gate of the plan
	// without a function opens by an order.Approve, and a gate with a function does not.
	Gates map[string]Gate
	// Verifier sees whether the mesh routes as written: before the first share, before a
	// step counts as seen, and before a rollout is over. Without one, a change counts as
	// done after Builder.Settle, even if a proxy never applied it. A plan with Verify needs
	// one.
	Verifier Verifier
	// Checks are preflight checks beside those of the other parts, such as routing.Paths.
	Checks []Checker
	// AtStop is what Run does when its ctx ends while users are on the canary. By default it
	// leaves the traffic as it is: then another driver, or Sweep, must come.
	AtStop AtStop
	// Observers receive an Event for each turn. Give at least one: only Events say why a
	// rollout waits.
	Observers []Observer
}

// missing returns what the plan needs and c has not.
func (c *Config) missing() (errs []error) {
	if c.Router == nil {
		errs = append(errs, errors.New("Config.Router is missing"))
	}
	if i := slices.IndexFunc(c.Plan.spec.steps, func(s Step) bool { return s.Requires != Nothing }); i >= 0 && c.Analyzer == nil {
		errs = append(errs, fmt.Errorf("Config.Analyzer is missing: step %q requires a verdict; give one, or let the step require %q", c.Plan.spec.steps[i].Name, Nothing))
	}
	if c.Plan.spec.end.Kind == PromoteStable && c.Workload == nil {
		errs = append(errs, fmt.Errorf("Config.Workload is missing: a plan that ends with %q needs one", PromoteStable))
	}
	if c.Plan.spec.verify && c.Verifier == nil {
		errs = append(errs, errors.New("Config.Verifier is missing: the plan says verify"))
	}
	return errs
}

// mistakes returns what is wrong with what c has.
func (c *Config) mistakes() (errs []error) {
	for _, p := range c.parts() {
		if one := strings.HasSuffix(p.name, "]"); one && p.part == nil {
			errs = append(errs, fmt.Errorf("%s is nil", "Config."+p.name))
		} else if isNil(p.part) {
			errs = append(errs, fmt.Errorf("%s is a nil %T", "Config."+p.name, p.part))
		} else if v, ok := p.part.(interface{ Validate() error }); ok {
			errs = append(errs, v.Validate())
		}
	}
	if i := slices.IndexFunc(c.Observers, func(o Observer) bool { return o == nil }); i >= 0 {
		errs = append(errs, fmt.Errorf("Config.Observers: number %d is nil", i))
	}
	if int(c.AtStop) >= len(stopNames) {
		errs = append(errs, fmt.Errorf("Config.AtStop: there is no %v", c.AtStop))
	}
	for name, gate := range c.Gates {
		if gate == nil || !c.Plan.spec.has(name) {
			errs = append(errs, fmt.Errorf("Config.Gates: %q is nil, or the plan has no such gate", name))
		}
	}
	return errs
}

// part is one field of a Config.
type part struct {
	name string
	part any // nil if it is not set
}

// parts returns those that may be a Checker or a Waker as well.
func (c *Config) parts() []part {
	all := []part{{"Router", c.Router}, {"Analyzer", c.Analyzer}, {"Workload", c.Workload}, {"Verifier", c.Verifier}}
	for i, p := range c.Prerequisites {
		all = append(all, part{fmt.Sprintf("Prerequisites[%d]", i), p})
	}
	for i, p := range c.Checks {
		all = append(all, part{fmt.Sprintf("Checks[%d]", i), p})
	}
	return all
}

// look is how long a look of the judge is; zero if it does not say.
func look(a analysis.Analyzer) time.Duration {
	if l, ok := a.(analysis.Looker); ok {
		return max(0, l.Look())
	}
	return 0
}

// isNil reports whether an interface holds a pointer or a function that is nil.
func isNil(part any) bool {
	v := reflect.ValueOf(part)
	return (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}
