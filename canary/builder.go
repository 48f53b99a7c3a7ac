package canary

import (
	"fmt"
	"iter"
	"slices"
	"time"
)

const (
	// maxSteps bounds a plan, so that an endless sequence of weights ends, and each
	// list in a document.
	maxSteps = 1_000
	// maxName bounds names, in bytes: they are kept in the State.
	maxName = 128

	defaultInterval = 10 * time.Second
)

// Builder makes a Plan. A Builder is a value: each method returns a changed copy, so a
// half-built plan can be shared and varied. Build returns all mistakes at once.
type Builder struct {
	spec  spec // without its steps
	last  *chunk
	wrong mistakes
}

// chunk is what one call of Step appended. Builders share the chunks that they have
// in common, so a plan of many steps is not copied for each of them.
type chunk struct {
	before *chunk
	steps  []Step
	n      int // of steps, with those before
}

// NewPlan begins a plan. The State, events and errors show its name.
func NewPlan(name string) Builder { return Builder{spec: spec{name: name}} }

// Owner names the tool that drives the rollout. A Runner with another owner refuses the
// rollout. The zero value is an owner like any other.
func (b Builder) Owner(name string) Builder {
	b.spec.owner = name
	return b
}

// Step appends steps. A plan has at most 1000.
func (b Builder) Step(steps ...Step) Builder {
	n := len(steps)
	if b.last != nil {
		n += b.last.n
	}
	own := make([]Step, len(steps))
	for i := range steps {
		own[i] = steps[i].clone()
	}
	b.last = &chunk{b.last, own, n}
	return b
}

// Weights appends one step for each canary weight, in the given order. The weights may
// fall. Each step is a copy of like, gates included, with its weight. If like has a name,
// the weight is appended to the name.
func (b Builder) Weights(weights iter.Seq[Weight], like Step) Builder {
	var steps []Step
	for w := range weights {
		step := like
		step.Traffic.Canary = w
		if like.Name != "" {
			step.Name = fmt.Sprintf("%s %v", like.Name, w)
		}
		steps = append(steps, step)
		if len(steps) > maxSteps {
			return b.fail("weights", "more than %d; want a sequence that ends", maxSteps)
		}
	}
	if len(steps) == 0 {
		return b.fail("weights", "the sequence is empty; want one that rises from its first weight to its last")
	}
	return b.Step(steps...)
}

// Settle is how long the mesh needs to apply a change of traffic. The change counts as
// done after that time, or, with a Config.Verifier, the Verifier is asked after that time. Make
// Settle longer than these three together: a write to the API server, the push to all
// proxies, and the clock difference of two drivers, which is up to an Interval if the clocks
// differ by more than a minute. The zero value counts a change as done when it is written.
func (b Builder) Settle(d time.Duration) Builder {
	b.spec.settle = d
	return b
}

// ScrapeLag is how far the metrics may lag behind a change of traffic. Set it to at least
// one scrape interval. The judge's window begins that long after the change. With the
// zero value the judge also counts requests of the step before.
func (b Builder) ScrapeLag(d time.Duration) Builder {
	b.spec.lag = d
	return b
}

// Interval is how often a Runner looks at a rollout that waits. The zero value means ten
// seconds.
func (b Builder) Interval(d time.Duration) Builder {
	b.spec.interval = d
	return b
}

// Verify makes NewRunner refuse a Config without a Verifier, so that nobody drives the plan
// who cannot see what the mesh does.
func (b Builder) Verify() Builder {
	b.spec.verify = true
	return b
}

// HeaderRoutes lets a request choose its version by a header during the whole rollout,
// whatever the weights are (routing.ArmHeader). People can try the canary before it has
// traffic, and gRPC clients without a proxy lose no calls when weights change.
//
// The engine writes the routes before the first step, when the canary's pods are ready
// and even while a gate is still closed. It removes them after the last change of traffic
// was seen. They hold for all steps: Traffic.HeaderRoutes of a Step repeats its plan's.
//
// A request with the header counts as a request of the version that it chose. If many
// requests carry the header, set IgnoreSplit of sequential.Tuning.
func (b Builder) HeaderRoutes() Builder {
	b.spec.headerRoutes = true
	return b
}

// Bake sets the bake time. During this time after the last change of traffic, the new version is
// still judged, an Abort still undoes the promotion, and prerequisites and header routes are kept. The
// zero value is no bake time. A plan that ends with Discard has none.
func (b Builder) Bake(d time.Duration) Builder {
	b.spec.bake = d
	return b
}

// OnDrift says what happens when somebody else changes the traffic during a step. After
// the steps the engine always restores the traffic, because stable may be between two
// versions then.
func (b Builder) OnDrift(p DriftPolicy) Builder {
	b.spec.drift.Policy = p
	return b
}

// DriftLimit is how many changes by somebody else a rollout tolerates. One more rolls
// back, whatever the policy. The zero value means five.
func (b Builder) DriftLimit(n int) Builder {
	b.spec.drift.Limit = n
	return b
}

// OnChange says what happens when the canary becomes another version during the rollout:
// it is not what was judged. A change of stable always holds the step: it is never
// overwritten by a promotion.
func (b Builder) OnChange(p ChangePolicy) Builder {
	b.spec.onChange = p
	return b
}

// BlindLimit is how long users may be on the canary while the judge lacks readings: its
// store returns errors, or lacks data that must exist. After that time stable gets all
// traffic until the readings are back (phase.Retreating). The zero value means four looks
// of the judge, and 30 seconds at least.
func (b Builder) BlindLimit(d time.Duration) Builder {
	b.spec.blind = d
	return b
}

// ErrorLimit is how long errors may keep a rollout from going on while users are on the
// canary: a part of the Router that cannot be read, a refused write, and during the
// promotion of stable also errors of the Workload and a judge without readings. After that
// time the rollout rolls back, and stable is restored if it was changed. If the canary has far fewer
// requests than planned (analysis.FewerThanPlanned), stable gets all traffic after that time, until somebody
// orders a resume: requests that hang are counted nowhere. The zero value means 15 minutes.
func (b Builder) ErrorLimit(d time.Duration) Builder {
	b.spec.errors = d
	return b
}

// PauseLimit is how long a rollout may be paused, how long stable may have all traffic in a
// Retreat, and how long the traffic of somebody else may stand. After that time the rollout rolls back. The zero value means 24 hours.
func (b Builder) PauseLimit(d time.Duration) Builder {
	b.spec.pause = d
	return b
}

// End says what happens after the last step. The zero End lets the canary keep all
// traffic.
func (b Builder) End(e End) Builder {
	b.spec.end = e
	return b
}

// Build returns the plan, or an error with all mistakes, each with its place. The error
// shows the first 30 mistakes and counts the rest.
func (b Builder) Build() (Plan, error) {
	s, wrong := b.check()
	if wrong != nil {
		return Plan{}, s.refused(told(wrong, 0, nil))
	}
	return s.plan()
}

// check returns what the author wrote, and every mistake in it.
func (b Builder) check() (spec, mistakes) {
	s := b.spec
	for c := b.last; c != nil; c = c.before {
		if s.steps == nil {
			s.steps = make([]Step, c.n)
		}
		copy(s.steps[c.n-len(c.steps):], c.steps)
	}
	return s, slices.Concat(b.wrong, s.resolved().problems())
}

// resolved returns what the author wrote with the defaults of this library.
func (s spec) resolved() *spec {
	s.steps = slices.Clone(s.steps)
	for i := range s.steps {
		if s.steps[i].Name == "" {
			s.steps[i].Name = s.steps[i].Traffic.String()
		}
		s.steps[i].Traffic.HeaderRoutes = s.steps[i].Traffic.HeaderRoutes || s.headerRoutes
	}
	if s.interval == 0 {
		s.interval = defaultInterval
	}
	if s.drift.Limit == 0 {
		s.drift.Limit = defaultDriftLimit
	}
	return &s
}

func (s *spec) refused(why error) error {
	return fmt.Errorf("canary: plan %q: %w", clip(s.name, maxName), why)
}

func (b Builder) fail(field, format string, args ...any) Builder {
	b.wrong = slices.Clone(b.wrong)
	b.wrong.add(field, "", format, args...)
	return b
}
