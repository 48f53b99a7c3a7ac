package canary

import (
	"errors"
	"fmt"
	"slices"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// Refusals of the engine. Each wraps ErrRefused. Its text says what was found and how to
// go on.
var (
	// ErrUnexplained: the canary has traffic, but there is no State.
	ErrUnexplained = errors.New("canary traffic without a State")
	// ErrOtherPlan: a rollout of another plan is under way.
	ErrOtherPlan = errors.New("a rollout of another plan is under way")
	// ErrOtherOwner: a rollout of another owner is under way.
	ErrOtherOwner = errors.New("another owner's rollout is under way")

	errNoPlan = fmt.Errorf("canary: %w: the plan is zero; make one with NewPlan or decode one", ErrRefused)
)

// next decides what a rollout does next. It is pure and total: all knowledge is
// in the arguments, no argument is changed, and the same arguments give the
// same answer. A zero State is a rollout that has not begun.
//
// If decision.Ask is not askNothing, the caller finds the answer, puts it into
// the observation and calls again; no question is asked twice. Otherwise the
// decision is to be carried out: if it says Write, the returned State is written
// together with decision.Traffic, and if it does not, the State is the given
// one.
func (p Plan) next(s State, o observation) (State, decision) {
	if p.spec == nil {
		return s, decision{Err: errNoPlan}
	}
	t := turn{spec: p.spec, s: s, o: o}
	if o.Inspection.Capacity != "" {
		t.s.Pin.Capacity = clip(o.Inspection.Capacity, maxPin)
	}
	t.next()
	next, d := t.attend(s)
	return next, *d
}

// turn is one call of next. Its methods return the decision, or nil if they have
// nothing against going on, and leave the State to be written in s.
type turn struct {
	*spec
	s State
	o observation
	d decision
	// held is why the rollout goes no further although nothing is decided about
	// what somebody changed; "" if it may.
	held string
	// bystander: the rollout is another one, and this driver only waits for its end.
	bystander bool
	// doubted: something would be over if all the time until now counted.
	doubted bool
	// repairs: the header routes are to be made anew, unless something else is written.
	repairs bool
}

func (t *turn) next() *decision {
	t.supersede()
	aborted := t.aborted()
	switch {
	case aborted && t.senseless():
		return t.abandon()
	case t.leadsHome(aborted):
		t.s.Owner = t.owner // whoever turns it back goes on with that
		t.spec = t.homeward()
	default:
		if d := t.awaits(); d != nil {
			return d
		}
		if err := t.foreign(); err != nil {
			return t.decide(decision{Err: err})
		}
	}
	switch {
	case aborted && t.s.Restart:
		return t.endForGood()
	case t.s.Phase == phase.Idle || t.s.Phase.Final():
		return t.unbegun()
	}
	if aborted && t.o.Loss == lossless && !t.s.leadsBack() {
		return t.obey()
	}
	return t.goOn()
}

// unbegun decides where no rollout is under way.
func (t *turn) unbegun() *decision {
	switch own := t.s.Plan == t.digest; {
	case t.o.Abort != "" && t.s.Phase.Final():
		return t.tooLate()
	case t.o.Had && !own && t.s.Plan != "":
		return t.decide(decision{Err: t.superseded()})
	case own && t.s.Phase.Final() && !t.misplaced():
		return t.over()
	}
	return t.begin("a new rollout")
}

// goOn goes on with a rollout of this plan: first with what somebody else did to
// it, then with what was ordered, then with the plan.
func (t *turn) goOn() *decision {
	if t.clockWentBack() && t.o.Refused == "" {
		return t.rewind()
	}
	if t.o.Fence > 0 && t.o.Fence >= t.s.Serial {
		t.s.Serial = t.o.Fence
		return t.write(t.o.Traffic, Reason{Cause: cause.MovedOn, Detail: "a State was lost; its serial is passed now"})
	}
	if d := t.drift(); d != nil {
		return d
	}
	if t.s.Command.Order != order.None {
		return t.obey()
	}
	if t.repairs {
		return t.repair()
	}
	return t.act()
}

// foreign refuses a State that this plan must not touch.
func (t *turn) foreign() error {
	s := &t.s
	switch {
	case t.misplaced() && !s.Phase.Final():
		return fmt.Errorf("canary: %w: %w: it belongs to the object with the UID %q, and this object has %q", ErrRefused, ErrBadState, s.Object, t.o.Object)
	case s.Plan == t.digest:
		return t.check(s)
	case s.Phase == phase.Idle, s.Phase.Final():
		return nil
	case s.Command.Order == order.Abort && t.lacksWorkload():
		return fmt.Errorf("canary: %w: %w: %q (%s) is %v and may have changed stable; only a driver with a Workload can roll it back",
			ErrRefused, ErrOtherPlan, s.Name, s.Plan, s.Phase)
	case s.Name == t.name && slices.Contains(s.Revisions, t.revision):
		return t.superseded()
	case s.Owner != t.owner:
		return fmt.Errorf("canary: %w: %w: %q is driven by %q, not by %q; let it end, or order an abort",
			ErrRefused, ErrOtherOwner, s.Name, s.Owner, t.owner)
	}
	what := s.Phase.String()
	if s.mustStay() {
		what += ", behind its point of no return"
	}
	return fmt.Errorf("canary: %w: %w: %q (%s) is %s; let it end, order an abort, or take over its traffic by AdoptAt",
		ErrRefused, ErrOtherPlan, s.Name, s.Plan, what)
}

// superseded refuses to begin in the place of the rollout that took this one's.
func (t *turn) superseded() error {
	return fmt.Errorf("canary: %w: %w: %q (%s) has superseded this rollout, and is %v",
		ErrRefused, ErrOtherPlan, t.s.Name, t.s.Plan, t.s.Phase)
}

// act goes on with the phase that the rollout is in.
func (t *turn) act() *decision {
	switch t.s.Phase {
	case phase.Preparing:
		return t.prepare()
	case phase.Progressing:
		return t.progress()
	case phase.Retreating:
		return t.retreat()
	}
	return t.follow(rowOf(t.s.Phase))
}

// begin claims the rollout: from now on there is a State, and nobody else's plan
// begins.
func (t *turn) begin(why string) *decision {
	if found := t.o.Traffic; found != (Traffic{HeaderRoutes: found.HeaderRoutes}) {
		return t.unexplained()
	}
	t.fresh()
	return t.enter(phase.Preparing, 0, Traffic{}, why)
}

func (t *turn) unexplained() *decision {
	return t.decide(decision{Err: fmt.Errorf("canary: %w: %w: there was %v before %q began; take the traffic over by AdoptAt, send it to stable by Reset, or, if the canary is the version that users have, swap stable and canary",
		ErrRefused, ErrUnexplained, t.o.Traffic, t.name)})
}

// prepare waits for the canary and enters the first step.
func (t *turn) prepare() *decision {
	if !t.s.Paused.IsZero() {
		return t.paused()
	}
	if d := t.cleared(); d != nil {
		return d
	}
	if d := t.pin(); d != nil {
		return d
	}
	if d := t.quiet(); d != nil {
		return d
	}
	if d := t.putUp(); d != nil {
		return d
	}
	return t.enterWhenReady(0, t.s.Reason)
}

// putUp puts up the header routes of the plan, when everything is ready for the step
// that comes. It is nil when the mesh has them.
func (t *turn) putUp() *decision {
	step := &t.steps[t.s.Step]
	switch {
	case !t.headerRoutes:
		return nil
	case t.s.Traffic.HeaderRoutes:
		if _, d := t.seen(); d != nil {
			return t.bounded(step, d)
		}
		return nil
	case t.o.Trouble != "":
		return t.bounded(step, t.outOfReach())
	}
	if d := t.unready(step.Traffic); d != nil {
		return d
	}
	return t.shift(Traffic{HeaderRoutes: true}, Reason{Cause: cause.MovedOn, Detail: "the header routes are written"})
}

// cleared asks whether the plan can be carried out. It is nil if it can.
func (t *turn) cleared() *decision {
	switch a := t.o.Answers[askChecked]; a.Reply {
	case unasked:
		return t.decide(decision{Ask: askChecked})
	case Yes:
		return nil
	default:
		return t.bounded(&t.steps[0], t.stay(Reason{Cause: cause.Capacity, Detail: a.Reason}))
	}
}

// pin asks what the rollout is about. It is nil when that is known.
func (t *turn) pin() *decision {
	if !t.o.Workload {
		return nil
	}
	switch a := t.o.Answers[askPinned]; a.Reply {
	case unasked:
		return t.decide(decision{Ask: askPinned})
	case Wait:
		return t.bounded(&t.steps[0], t.stay(Reason{Cause: cause.Capacity, Detail: a.Reason}))
	case No:
		return t.rollBack("the rollout cannot begin: " + a.Reason)
	}
	t.s.Pin = t.o.Pin
	return nil
}

// fresh makes the State that of a rollout beginning now. The serial goes on from
// the one before, and with the time, so that it grows even if a State was lost.
// No two rollouts begin at the same time: it is part of their identity.
func (t *turn) fresh() {
	began := t.o.Now
	if !began.After(t.s.Began) {
		began = t.s.Began.Add(1)
	}
	t.s = State{
		History: History{Revisions: t.revisions()},
		Serial:  t.firstSerial(),
		Rollout: Rollout{Plan: t.digest, Name: t.name, Revision: t.revision, Owner: t.owner, End: t.end.Kind, Began: began, Object: clip(t.o.Object, maxName)},
		clock:   clock{Shifted: t.o.Now},
	}
}

func (t *turn) firstSerial() int64 { return max(t.s.Serial, t.o.Now.UnixMilli()) }
