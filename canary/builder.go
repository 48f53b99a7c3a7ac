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

// Builder makes a Plan. It is a value: every method returns a new Builder and
// leaves the old one as it was, so a half-built plan can be shared and varied.
// Mistakes are kept and returned by Build, all at once.
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

// NewPlan begins a plan. Its name appears in the State, in events and errors.
func NewPlan(name string) Builder { return Builder{spec: spec{name: name}} }

// Owner names the tool that drives the rollout; another owner's Runner refuses
// it. The zero value is nobody in particular.
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

// Weights appends one step for each canary weight, in their order, which may also
// fall. Otherwise a step is like the given one, mirror, baseline and gates included.
// If that has a name, each step's name gets the weight behind it.
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

// Settle is how long the mesh is given to take over a change of traffic before
// it counts as done, or, under Verify, before the mesh is looked at. It should
// be longer than a write to the API server, the push to all proxies and the
// difference between the clocks of two drivers are together.
// The zero value trusts that the object was written.
func (b Builder) Settle(d time.Duration) Builder {
	b.spec.settle = d
	return b
}

// ScrapeLag is how long after a change of traffic the first metrics may still
// show the time before it: at least one scrape interval. The judge's window
// begins after it. The zero value lets the judge see requests of the step before.
func (b Builder) ScrapeLag(d time.Duration) Builder {
	b.spec.lag = d
	return b
}

// Interval is how often a rollout that waits is looked at. The zero value means
// ten seconds.
func (b Builder) Interval(d time.Duration) Builder {
	b.spec.interval = d
	return b
}

// Verify makes the rollout wait until a Verifier has seen the mesh do what was
// written. Without it, a change counts as done when it was written and Settle
// is over.
func (b Builder) Verify() Builder {
	b.spec.verify = true
	return b
}

// HeaderRoutes lets a request choose its version by a header for as long as the
// rollout lasts, whatever the weights are: a preview for people, and what keeps gRPC
// clients without a proxy from losing calls while the weights move. The routes are
// put up before the first step by a write of their own, when the pods are ready for
// that step and while its gates may still be closed, so that the canary can be tried
// before it is approved. They are removed when the traffic of the end was seen. They count
// for all steps: Traffic.HeaderRoutes of a Step is that of its plan. A request that
// chooses its version counts as one of that; where many do, a judge that looks at how
// requests are divided needs to know (analysis.Sequential has AnySplit).
func (b Builder) HeaderRoutes() Builder {
	b.spec.headerRoutes = true
	return b
}

// Bake is how long after the end of the plan a roll back is one command away:
// what stands for the canary is kept as long. The zero value is no such time. A
// plan that ends with Discard has none.
func (b Builder) Bake(d time.Duration) Builder {
	b.spec.bake = d
	return b
}

// OnDrift says what happens when somebody else changes the traffic in one of the
// plan's steps. After the steps the engine always restores the traffic, because
// stable may be between two versions then.
func (b Builder) OnDrift(p DriftPolicy) Builder {
	b.spec.drift.Policy = p
	return b
}

// DriftLimit is how many changes by somebody else a rollout endures before it rolls
// back, whatever the policy. The zero value means five.
func (b Builder) DriftLimit(n int) Builder {
	b.spec.drift.Limit = n
	return b
}

// MaxJudgeErrors is how many errors of the judge in a row roll back. The zero
// value never does: no evidence is not bad evidence.
func (b Builder) MaxJudgeErrors(n int) Builder {
	b.spec.judgeErrors = n
	return b
}

// End says what happens after the last step. The zero End lets the canary keep
// the traffic.
func (b Builder) End(e End) Builder {
	b.spec.end = e
	return b
}

// Build returns the plan, or the mistakes in it, each with its place: the first
// thirty, and how many more there are.
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
