package canary

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// attempts bounds how often a command is written anew after a conflict. Each
// conflict means that somebody else got through.
const attempts = 16

// ErrNotNow: the order has no meaning in the present phase.
var ErrNotNow = errors.New("not now")

// Send writes a command into the State that r keeps. The driver of the rollout obeys it
// in its next turn, at most Builder.Interval later. Any process may call Send.
//
// The error wraps ErrNotNow if there is no rollout, if the order has no meaning in its
// phase, or if another command waits. An Abort replaces any other command, and a Pause
// any command but an Abort. An Abort is accepted even if the State cannot be decoded;
// that State is then dropped.
//
// Send does not know the plan. If the plan has no such gate, an Approve has no effect,
// and the next Event says so.
func Send(ctx context.Context, r Router, c Command) error {
	if err := c.sendable(r); err != nil {
		return err
	}
	need := trust(c.Order != order.Abort)
	return change(ctx, r, need, func(reading Reading, bad error) (Traffic, State, error) {
		s := reading.State
		if bad != nil {
			s = State{Serial: time.Now().UnixMilli()}
		}
		if reading.Abort != "" && c.Order != order.Abort {
			return Traffic{}, s, fmt.Errorf("canary: %w: an abort is ordered by annotation: %s", ErrNotNow, reading.Abort)
		}
		if why := c.refusal(&s); why != "" && bad == nil {
			return Traffic{}, s, fmt.Errorf("canary: %w: %s", ErrNotNow, why)
		}
		if c.At.IsZero() {
			c.At = time.Now().Round(0).UTC()
		}
		c.By, c.Why, c.Gate = clip(c.By, maxName), clip(c.Why, maxReason), clip(c.Gate, maxName)
		s.Command = c
		s.Serial = s.nextSerial()
		return reading.Traffic, s, nil // the traffic as it is: a command hides no drift
	})
}

// sendable reports what is wrong with the command whatever the State.
func (c Command) sendable(r Router) error {
	if r == nil || isNil(r) {
		return fmt.Errorf("canary: %w: the Router is nil", ErrRefused)
	}
	if _, err := c.Order.MarshalText(); err != nil || c.Order == order.None {
		return fmt.Errorf("canary: %w: there is no order %q", ErrNotNow, c.Order)
	}
	return nil
}

// refusal tells why the command cannot be written into s; "" if it can.
func (c Command) refusal(s *State) string {
	if why := c.suits(s); why != "" {
		return why
	}
	urgent := c.Order == order.Abort || c.Order == order.Pause && s.Command.Order != order.Abort
	if p := s.Command; p.Order != order.None && !urgent && !s.Phase.Final() {
		return p.Order.String() + p.credit() + " is not obeyed yet"
	}
	return ""
}

// AdoptAt takes the traffic that it finds as that of a step of the plan, counted from
// zero, and replaces any State. Use it after ErrUnexplained or ErrOtherPlan. The versions
// that the Workload has now become those of the rollout, whatever stable runs.
func (r *Runner) AdoptAt(ctx context.Context, step int, c Command) error {
	if step < 0 || step >= r.c.Plan.Len() {
		return fmt.Errorf("canary: %w: plan %q has no step %d; it has %d", ErrRefused, r.c.Plan.Name(), step, r.c.Plan.Len())
	}
	return change(ctx, r.c.Router, whatever, func(reading Reading, _ error) (Traffic, State, error) {
		if reading.Abort != "" {
			return Traffic{}, State{}, fmt.Errorf("canary: %w: an abort is ordered by annotation: %s", ErrNotNow, reading.Abort)
		}
		t := turn{spec: r.c.Plan.spec, s: reading.State, o: observation{Now: r.last.stored(r.now()), Traffic: reading.Traffic}}
		t.fresh()
		t.enter(phase.Progressing, step, reading.Traffic, "adopted"+c.credit())
		t.s.LookBy = t.lookBy(&t.s, reading.Traffic)
		err := r.pin(ctx, &t.s, reading)
		return reading.Traffic, t.s, err
	})
}

// pin has the Workload pin the versions of a rollout that adopted its traffic.
func (r *Runner) pin(ctx context.Context, s *State, reading Reading) error {
	if r.c.Workload == nil {
		return nil
	}
	pin, a, err := r.c.Workload.Pin(ctx, r.question(*s, reading))
	if err == nil && a.Reply != Yes {
		err = fmt.Errorf("canary: %w: %s", ErrNotNow, a.Reason)
	}
	s.Pin = pin
	return err
}

// Reset sends all traffic to stable and drops the State, even a State that cannot be
// decoded. The next turn begins the rollout again. Reset changes neither the stable
// workload, which may be between two versions, nor prerequisites, nor what was scaled: the next
// rollout that scales it gives it back.
func (r *Runner) Reset(ctx context.Context) error {
	return change(ctx, r.c.Router, whatever, func(reading Reading, _ error) (Traffic, State, error) {
		// The serial tells a State that was reset from one that was lost. Began
		// keeps the next rollout from being taken for this one, and Plan whoever had
		// another one before from beginning that again.
		s := reading.State
		return Traffic{}, State{Serial: max(s.nextSerial(), r.now().UnixMilli()), Rollout: Rollout{Plan: s.Plan, Name: s.Name, Began: s.Began}}, nil
	})
}

// trust says whether a State that cannot be understood may be replaced.
type trust bool

const (
	trusted  trust = true
	whatever trust = false
)

// change reads, computes and writes, again as long as somebody else writes in
// between.
func change(ctx context.Context, r Router, need trust, compute func(Reading, error) (Traffic, State, error)) error {
	for range attempts {
		reading, bad := r.Read(ctx)
		if bad != nil && (need == trusted || !errors.Is(bad, ErrBadState)) {
			return bad
		}
		traffic, state, err := compute(reading, bad)
		if err != nil {
			return err
		}
		err = r.Write(ctx, reading, traffic, state)
		if errors.Is(err, ErrRefused) && state.Command.Order == order.Abort {
			err = r.Write(ctx, reading, traffic, state.smallest()) // the object may have no room for more
		}
		if !isConflict(err) {
			return err
		}
	}
	return fmt.Errorf("canary: %w %d times in a row", ErrConflict, attempts)
}

func isConflict(err error) bool { return errors.Is(err, ErrConflict) }
