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

// ErrNotNow: the rollout is in no phase in which the command means anything.
var ErrNotNow = errors.New("not now")

// Send writes a command into the State that r keeps, where whichever process
// drives the rollout obeys it at its next turn: after Builder.Interval at the
// latest, also an Abort. It works from any process. The error wraps ErrNotNow if
// there is no rollout, if the command means nothing to it in its phase, or if
// another command is not obeyed yet; an Abort takes the place of any other
// command, and a Pause of any but an Abort. An Abort is also taken for a State
// that cannot be understood, which is forgotten then. Send does not know the plan: an
// Approve of a gate that is not ahead comes to nothing at the next turn, whose Event
// says so.
func Send(ctx context.Context, r Router, c Command) error {
	if _, err := c.Order.MarshalText(); err != nil || c.Order == order.None {
		return fmt.Errorf("canary: %w: there is no order %q", ErrNotNow, c.Order)
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

// AdoptAt makes the traffic that is found the step'th of the plan's, counted from
// zero, whatever State was there: a way out of ErrUnexplained and ErrOtherPlan.
// Nothing is done about a stable workload that is between two versions.
func (r *Runner) AdoptAt(ctx context.Context, step int, c Command) error {
	if step < 0 || step >= r.c.Plan.Len() {
		return fmt.Errorf("canary: %w: plan %q has no step %d; it has %d", ErrRefused, r.c.Plan.Name(), step, r.c.Plan.Len())
	}
	return change(ctx, r.c.Router, whatever, func(reading Reading, _ error) (Traffic, State, error) {
		if reading.Abort != "" {
			return Traffic{}, State{}, fmt.Errorf("canary: %w: an abort is ordered by annotation: %s", ErrNotNow, reading.Abort)
		}
		t := turn{spec: r.c.Plan.spec, s: reading.State, o: observation{Now: r.now(), Traffic: reading.Traffic}}
		t.fresh()
		t.enter(phase.Progressing, step, reading.Traffic, "adopted"+c.credit())
		return reading.Traffic, t.s, nil
	})
}

// Reset sends all traffic to stable and forgets the State, even one that cannot
// be understood. The next turn begins the rollout. Nothing is done about a
// stable workload that is between two versions, nor about a Prerequisite.
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
