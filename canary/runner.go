package canary

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// Verifier sees what the proxies do, as opposed to what was written. Package canary/verify
// has one that reads the mesh's metrics.
type Verifier interface {
	// Verify says Yes when all proxies route by t, which was written at the time since, and
	// Wait if some do not, naming them. A zero time means that t is what has always been.
	// An error means that it cannot be told. If the canary has no live traffic, an error is
	// borne for the plan's ErrorLimit, and then the rollout goes on without having seen it.
	Verify(ctx context.Context, t Traffic, since time.Time) (Answer, error)
}

// Event is one turn of a rollout, for logs, metrics and people. If the Router could not
// be read, only At and Err are set.
type Event struct {
	At     time.Time
	Before State // as read
	After  State // as written, or as read if nothing was
	// Traffic is what the Router read, before anything was written.
	Traffic Traffic
	// Reason says why the rollout moved, or why it waits.
	Reason Reason
	// Wait is the time until the next turn, at most. Zero is at once.
	Wait time.Duration
	// Wrote: After was written. Done: the rollout is over.
	Wrote, Done bool
	// Judged: the judge was asked. Result is its answer, unless JudgeErr is its error.
	Judged   bool
	Result   analysis.Result
	JudgeErr error
	// Missed is how many earlier Events the Observer did not receive.
	Missed int
	// Warning is something that a person should mend: that nobody sweeps, or that a step is
	// unlikely to pass before its deadline. It is told once by a Runner.
	Warning string
	// Err is the error of the turn. If it came from Router.Write, the write may have
	// happened.
	Err error
}

// Runner drives a rollout: it reads, lets the Plan decide, and writes. A Runner may be
// dropped and made again at any time, and any number of Runners in any number of
// processes may drive one rollout. It is safe for concurrent use.
type Runner struct {
	c         Config
	now       func() time.Time
	ran       func() time.Duration // since NewRunner, by a clock that nobody sets
	limit     time.Duration        // of a call
	look      time.Duration        // of the Analyzer; zero if it does not say
	last      memory
	audiences []*audience
}

// NewRunner returns a Runner, or an error with all mistakes in c.
func NewRunner(c Config) (*Runner, error) {
	if c.Plan.spec == nil {
		return nil, errNoPlan
	}
	if err := errors.Join(slices.Concat(c.missing(), c.mistakes())...); err != nil {
		return nil, fmt.Errorf("canary: runner for plan %q: %w", c.Plan.Name(), err)
	}
	c.Gates = maps.Clone(c.Gates)
	limit := min(max(c.Plan.spec.interval, shortest), longestCall)
	began := time.Now()
	r := &Runner{
		c: c, now: func() time.Time { return time.Now().Round(0).UTC() }, ran: func() time.Duration { return time.Since(began) },
		limit: limit, look: look(c.Analyzer),
	}
	for _, o := range c.Observers {
		r.audiences = append(r.audiences, &audience{observe: o})
	}
	return r, nil
}

// When to look again after somebody else got through: the first time, and at most. It is
// doubled with each conflict.
const (
	afterConflict = 100 * time.Millisecond
	longestBack   = 10 * time.Second
	afterStale    = time.Second // when to look again after a reading that was behind
)

// Turn takes one look at the rollout and makes at most one change. A controller calls it
// in its Reconcile. Event.Wait says when to call again, and Event.Done that the rollout
// is over.
//
// A lost race against another driver is not an error: the next Turn sees what the other
// driver wrote. An error that wraps ErrRefused needs a person, except that ErrForbidden
// and ErrNotFound may be temporary. After any other error try again.
func (r *Runner) Turn(ctx context.Context) (Event, error) {
	e, err := r.turn(ctx)
	e.Err, e.Warning = err, join("; ", r.last.unswept(&e.After, r.ran()), r.last.late(r.c.Plan.spec, &e))
	e.Wait = max(e.Wait, r.last.backOff(err))
	if errors.Is(err, errWoken) {
		return e, err // a Run goes on with another turn
	}
	for _, a := range r.audiences {
		a.tell(ctx, e)
	}
	if errors.Is(err, ErrConflict) {
		err = nil
	}
	return e, err
}

func (r *Runner) turn(ctx context.Context) (Event, error) {
	reading, err := r.read(ctx)
	e := Event{At: r.now()} // after a look that may have taken long: times of this turn are written down
	if err != nil {
		return e, err
	}
	state, loss, had, err := r.last.recall(reading, e.At)
	e.Before, e.After, e.Traffic = state, state, reading.Traffic
	if err != nil {
		e.Wait = afterStale
		return e, err
	}
	o := r.observe(reading, e.At)
	clock := r.last.look(&state, e.At, r.ran(), 2*r.c.Plan.spec.interval+r.limit)
	o.Off, o.Doubt, o.Wary, o.Rebase = clock.off, clock.doubt, clock.wary, clock.rebase
	o.Refute = !state.Refuted && state.Joined.After(e.At.Add(maxSkew-clock.off))
	o.Loss, o.Had = loss, had
	if loss != lossless {
		o.Age = r.last.age(e.At)
	}
	return r.carryOut(ctx, e, state, reading, &o)
}

// read reads. A State that cannot be understood is an error unless an Abort stands
// beside it.
func (r *Runner) read(ctx context.Context) (reading Reading, err error) {
	err = r.guard(ctx, func(ctx context.Context) (err error) {
		reading, err = r.c.Router.Read(ctx)
		return err
	})
	bad := errors.Is(err, ErrBadState)
	if err == nil || bad && reading.Version != nil {
		r.last.see(reading.Traffic, reading.State)
	}
	if bad && reading.Abort != "" {
		return reading, nil
	}
	return reading, err
}

// observe is what a Reading tells.
func (r *Runner) observe(reading Reading, now time.Time) observation {
	o := observation{
		Now: now, Traffic: reading.Traffic, Object: reading.Object, Abort: reading.Abort, Hosts: reading.Hosts,
		Look: r.look, Gates: r.c.Gates, Workload: r.c.Workload != nil, Prerequisite: len(r.c.Prerequisites) > 0, Verifier: r.c.Verifier != nil,
		Scaler: r.scaler() != nil,
	}
	if reading.Trouble != nil {
		o.Trouble = reading.Trouble.Error()
	}
	return o
}

// Run takes turns until the rollout is over and returns the last State.
//
// The error wraps ErrRolledBack if users have the old version in the end. It wraps
// ErrRefused or ErrBadState if a person is needed and no users are on the canary of this
// rollout; ErrForbidden and ErrNotFound are retried for half a minute first. Run reports
// all other errors to the Observers and retries, at intervals of 1 to 30 seconds; while
// users are on the canary, of at most Builder.Interval.
//
// If ctx ends, the traffic stays as it is, and another Run continues, unless Config.AtStop
// says something else. The error wraps the cause of ctx and says what the rollout waited for.
//
// If the rollout of this plan was over before, Run does not begin another one. It returns
// the old State at once, with ErrOver if the rollout was rolled back, or if the plan has
// no revision: Run cannot tell such a release from the next one. Give each release its
// revision by Plan.For.
func (r *Runner) Run(ctx context.Context) (State, error) {
	defer r.lastWords()
	awake, rest := context.WithCancel(ctx)
	defer rest()
	wake := r.c.wakes(awake)
	n := run{r: r}
	for {
		wait, over, err := n.turn(ctx, wake)
		if ctx.Err() == nil && over {
			return n.last, err
		}
		if !sleep(ctx, wait, wake) {
			err := n.stop(ctx)
			return n.last, err
		}
	}
}

// run is what a Run knows from turn to turn.
type run struct {
	r     *Runner
	begun bool
	last  State
	why   Event // the last turn that ctx did not end
	woken int   // how many turns a Waker has interrupted since one came to its end
	patience
}

// turn takes one, and returns how long to wait after it, or that the rollout is over
// with its outcome.
func (n *run) turn(ctx context.Context, wake chan struct{}) (wait time.Duration, over bool, err error) {
	e, err := n.r.Turn(wakeable(ctx, wake, n.woken))
	if errors.Is(err, errWoken) {
		n.woken++
		return 0, false, nil
	}
	n.woken = 0
	first := !n.begun
	n.begun = n.begun || err == nil && e.Err == nil
	if ctx.Err() == nil {
		n.why = e
	}
	if err != nil {
		exposed, most := n.r.last.exposed(), longPause
		if exposed { // what keeps users on the canary is to be short
			most = n.r.c.Plan.spec.interval
		}
		wait, over = n.bear(err, most)
		return wait, over && (!exposed || isForeign(err)), err
	}
	n.last, n.patience = e.After, patience{}
	if first && e.Done && e.Before.Phase.Final() {
		return 0, true, e.Before.overBefore()
	}
	return e.Wait, e.Done, e.After.outcome()
}

// isForeign reports whether an error says that the canary's users are another
// rollout's, or nobody's.
func isForeign(err error) bool {
	return errors.Is(err, ErrOtherPlan) || errors.Is(err, ErrOtherOwner) || errors.Is(err, ErrUnexplained)
}

// lastWords waits until the Observers have heard how it ended.
func (r *Runner) lastWords() {
	limit := time.NewTimer(lastWords)
	defer limit.Stop()
	for _, a := range r.audiences {
		a.wait(limit.C)
	}
}

// stopped is the error of a Run that was stopped after e, with what became of the rollout.
func stopped(ctx context.Context, p Plan, e Event, what string) error {
	why := fmt.Sprintf("%v, %v", e.After.Phase, e.Reason)
	if e.Err != nil {
		why = e.Err.Error()
	}
	return fmt.Errorf("canary: %q %s (%s): %w", p.Name(), what, why, context.Cause(ctx))
}

var (
	// ErrRolledBack: the rollout ended with the old version.
	ErrRolledBack = errors.New("rolled back")
	// ErrOver: the rollout of this plan was over before Run began.
	ErrOver = errors.New("over already")
)

func (s State) outcome() error {
	if s.Phase != phase.RolledBack {
		return nil
	}
	return fmt.Errorf("canary: %q %w: %s", s.Name, ErrRolledBack, s.Reason)
}

// overBefore is the outcome of a rollout that was over when Run began: since when, and
// what to do if there is to be another one.
func (s State) overBefore() error {
	since := s.Entered.UTC().Format(time.RFC3339)
	switch {
	case s.Phase == phase.RolledBack:
		return fmt.Errorf("%w (%w, since %s; to try again order a %v, and give another release its revision by Plan.For)", s.outcome(), ErrOver, since, order.Retry)
	case s.Revision == "":
		return fmt.Errorf("canary: %q is %w: %v since %s; if this is another release, give the plan its revision by Plan.For", s.Name, ErrOver, s.Phase, since)
	}
	return nil
}
