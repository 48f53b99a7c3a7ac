package canary

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// While users are on the canary or on a stable that was just promoted, a driver must look at the rollout before State.LookBy,
// which is at most lookAhead ahead. Each driver moves it on when half of that is over.
const lookAhead = 10 * time.Minute

// attend keeps LookBy in the State that is to be written, and writes a State for that
// alone if it is time.
func (t *turn) attend(s State) (State, *decision) {
	d := &t.d
	switch {
	case d.Ask != askNothing || d.Err != nil || t.bystander:
		return s, d
	case d.Write:
		t.date(&s)
		return t.s, d
	case t.o.Abort != "", t.o.Refused != "": // a write would take the annotation away, and with it the order
		return s, d
	case !d.Done && (t.ticked(&s) || t.claims(&s)):
		return t.only(s)
	}
	return t.renew(s), d
}

// date notes when the State is written, and when somebody must look again.
func (t *turn) date(before *State) {
	d := &t.d
	t.s.LookBy, t.s.Written = t.lookBy(&t.s, d.Traffic), t.o.Now
	t.s.Joined, t.s.Refuted = t.joined(before), false
	if !t.s.LookBy.IsZero() {
		d.After = min(d.After, lookAhead/2)
	}
}

// only writes what was noted, and what the clocks need. What else was begun comes to nothing.
func (t *turn) only(s State) (State, *decision) {
	carry := s.Carry
	s.Blind, s.Failing, s.Retreat.Gone, s.Giving, s.Carry = t.s.Blind, t.s.Failing, t.s.Retreat.Gone, t.s.Giving, t.s.Carry
	t.s = s
	t.s.Serial = s.nextSerial()
	t.d.Write, t.d.Traffic = true, t.o.Traffic
	t.date(&s)
	next := &t.s
	switch {
	case t.o.Refute && !t.doubted:
		next.Joined, next.Refuted = s.Joined, true
	case (t.o.Doubt > 0 || t.o.Wary) && !t.o.Rebase:
		next.Written, next.LookBy, next.Carry = s.Written, s.LookBy, carry // a claim is no part of the rollout
		if !s.claimed() {
			next.Joined = t.o.Now
		}
	}
	return t.s, &t.d
}

// renew moves LookBy on if it is time.
func (t *turn) renew(s State) State {
	d, by := &t.d, t.lookBy(&s, t.o.Traffic)
	left := s.LookBy.Add(-lookAhead / 2).Sub(t.o.Now)
	far := s.LookBy.After(by.Add(maxSkew))
	switch {
	case by.IsZero():
	case left > 0 && !far:
		d.After = min(d.After, left)
	case left+t.o.Doubt > 0 && !far: // in doubt
	default:
		if far {
			s.Joined, s.Refuted = s.LookBy.Add(-lookAhead), true
		}
		s.Serial, s.LookBy, s.Written, s.Carry, s.Pin.Capacity = s.nextSerial(), by, t.o.Now, t.s.Carry, t.s.Pin.Capacity
		d.Write, d.Traffic, d.After = true, t.o.Traffic, min(d.After, lookAhead/2)
	}
	return s
}

// ticked reports whether something that must answer has begun to, or has stopped: that is
// written also if nothing else is, so that any driver knows since when.
func (t *turn) ticked(s *State) bool {
	if t.o.Off.Abs() > maxSkew && t.o.Now.Sub(s.Written) < lookAhead/2 {
		return !t.s.Failing.Equal(s.Failing) || !t.s.Giving.Equal(s.Giving) // two drivers may have other readings, and each notes its own
	}
	return !t.s.Blind.Equal(s.Blind) || !t.s.Failing.Equal(s.Failing) || !t.s.Retreat.Gone.Equal(s.Retreat.Gone) || !t.s.Giving.Equal(s.Giving)
}

// lookBy is when somebody must look again; zero if no users are on the canary.
func (t *turn) lookBy(s *State, traffic Traffic) time.Time {
	promoted := s.End == PromoteStable && rowOf(s.Phase).moved // as in turn.promoted
	if s.Phase == phase.Idle || s.Phase.Final() || !traffic.users() && !s.Traffic.users() && !promoted {
		return time.Time{}
	}
	return t.o.Now.Add(lookAhead - t.o.Doubt)
}

// Sweep gives stable all traffic, at once and whatever pods it has, where users are on a
// canary and nobody has driven its rollout since State.LookBy, which is at most ten minutes
// ahead. Each Router is that of one target. The next driver of the rollout enters its step
// again. Call Sweep every few minutes, from a process that outlives the drivers: a cron job,
// or a controller. Its first look at a rollout with users is noted in the State by one write,
// and Event.Warning tells where nobody sweeps. Where somebody has given the canary users, and
// no driver has noticed, Sweep writes a LookBy.
//
// The clock of the sweeping process may differ from those of the drivers by five minutes.
//
// The error joins those of Routers that could not be read or written. It names rollouts
// that only a driver can help, because stable may be between two versions, and canary
// traffic that no State explains.
func Sweep(ctx context.Context, routers ...Router) error {
	var errs []error
	for i, r := range routers {
		if r == nil || isNil(r) {
			errs = append(errs, fmt.Errorf("canary: sweep: %w: Router %d is nil", ErrRefused, i))
			continue
		}
		errs = append(errs, sweep(ctx, r))
	}
	return errors.Join(errs...)
}

// abandoned reports whether nobody has driven the rollout for too long.
func (s *State) abandoned(now time.Time) bool {
	return !s.LookBy.IsZero() && !s.Phase.Final() && now.After(s.LookBy.Add(maxSkew))
}

func sweep(ctx context.Context, r Router) error {
	reading, err := r.Read(ctx)
	if err != nil {
		return fmt.Errorf("canary: sweep: %w", err)
	}
	now := time.Now().Round(0).UTC()
	s := reading.State
	switch {
	case s.Phase == phase.Idle && reading.Traffic.users():
		return fmt.Errorf("canary: sweep: %w: %w: there is %v, and nobody has to look at it: adopt it by AdoptAt, or send it to stable by Reset", ErrRefused, ErrUnexplained, reading.Traffic)
	case s.LookBy.IsZero() && !s.Phase.Final() && reading.Traffic.users():
		s.LookBy = now.Add(lookAhead)
		return note(ctx, r, reading, s)
	case !s.abandoned(now) && !s.LookBy.IsZero() && !s.Swept:
		return note(ctx, r, reading, s)
	case !s.abandoned(now):
		return nil
	}
	since := s.LookBy.Add(-lookAhead).Format(time.RFC3339)
	if !reading.Traffic.users() && !s.Traffic.users() && !rowOf(s.Phase).moved {
		return nil
	}
	if !s.mayStepAside() {
		return fmt.Errorf("canary: sweep: %q is %v, and nobody has driven it since %s: start a driver of its plan, or order an abort", s.Name, s.Phase, since)
	}
	return unlessDriven(s.Name, stepAside(ctx, r, reading, now, "nobody has driven the rollout since "+since))
}

// note writes into the State that a Sweep has looked at the rollout, so that its drivers know.
func note(ctx context.Context, r Router, reading Reading, s State) error {
	s.Serial, s.Swept = s.nextSerial(), true
	reading.Abort = "" // the annotation is for a driver
	return unlessDriven(s.Name, r.Write(ctx, reading, reading.Traffic, s))
}

// unlessDriven is the error of a write, unless that is a conflict: somebody drives the rollout after all.
func unlessDriven(name string, err error) error {
	if err == nil || isConflict(err) {
		return nil
	}
	return fmt.Errorf("canary: sweep: %q: %w", name, err)
}

// mayStepAside reports whether stable can get all traffic for a while: it is not between two
// versions.
func (s *State) mayStepAside() bool {
	steps := s.Phase == phase.Progressing || s.Phase == phase.CompletingShift || s.Phase == phase.Retreating
	return !s.NoReturn && (steps || s.inParts()) && !s.Recalled
}

// stepAside gives stable all traffic until a driver goes on.
func stepAside(ctx context.Context, r Router, reading Reading, now time.Time, why string) error {
	t := turn{spec: &spec{interval: defaultInterval}, s: reading.State, o: observation{Now: now, Traffic: reading.Traffic}}
	if t.s.inParts() && t.s.Phase != phase.Retreating {
		t.shift(Traffic{HeaderRoutes: t.s.Traffic.HeaderRoutes}, Reason{Cause: cause.NoDriver, Detail: why})
	} else {
		t.fallBack(cause.NoDriver, why)
	}
	if reading.Trouble == nil && !rowOf(t.s.Phase).moved {
		t.s.LookBy = time.Time{} // otherwise a part still leads to the canary, and the next Sweep tries again
	}
	reading.Abort = "" // the annotation is for a driver
	err := r.Write(ctx, reading, t.d.Traffic, t.s)
	if errors.Is(err, ErrRefused) {
		err = r.Write(ctx, reading, t.d.Traffic, t.s.smallest()) // the object may have no room for more
	}
	if err == nil && reading.Trouble != nil {
		err = fmt.Errorf("a part may still lead to the canary: %w", reading.Trouble)
	}
	return err
}
