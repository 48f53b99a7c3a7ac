package canary

import (
	"fmt"
	"strings"
	"time"
)

// Order is what a Command asks for.
type Order uint8

// The orders. The zero value is none.
const (
	NoOrder  Order = iota
	Pause          // stay in this step; judging goes on
	Resume         // go on after Pause or StepBack, or put drifted traffic back
	Abort          // roll back
	Promote        // go to the plan's end now, without waiting for holds, gates or verdicts
	Skip           // do not wait for the hold of this step any longer
	Approve        // open the gate named by Command.Gate, now or when the rollout comes to it
	Retry          // begin again after a roll back
	StepBack       // give stable everything for a while; Resume enters the step again
)

var orderNames = [...]string{"none", "pause", "resume", "abort", "promote", "skip", "approve", "retry", "step back"}

// String returns the name of the order.
func (o Order) String() string { return nameOf("Order", orderNames[:], o) }

// MarshalText implements [encoding.TextMarshaler].
func (o Order) MarshalText() ([]byte, error) { return marshalName("order", orderNames[:], o) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Order) UnmarshalText(text []byte) error {
	return unmarshalName("order", orderNames[:], text, o)
}

// Command is a person's or a tool's order to a rollout. It is written into the
// State, so it reaches whichever process drives.
type Command struct {
	Order Order     `json:"order,omitzero"`
	Gate  string    `json:"gate,omitzero"` // for Approve
	By    string    `json:"by,omitzero"`
	At    time.Time `json:"at,omitzero"` // filled in by Send if zero
	Why   string    `json:"why,omitzero"`
}

// credit says who gave the command and why, for reasons.
func (c Command) credit() string {
	var b strings.Builder
	if c.By != "" {
		b.WriteString(" by " + clip(c.By, maxName))
	}
	if c.Why != "" {
		b.WriteString(": " + c.Why)
	}
	return b.String()
}

func (c Command) target() string {
	if c.Order != Approve {
		return ""
	}
	return fmt.Sprintf(" gate %q", c.Gate)
}

// means tells of each order whether it means anything to a rollout in a State.
var means = [...]func(s State) bool{
	NoOrder: func(State) bool { return false },
	Pause:   func(s State) bool { return s.Phase.row().pausable && s.Paused.IsZero() },
	Resume: func(s State) bool {
		return !s.Paused.IsZero() || s.Drifting || s.Phase == Retreating && s.Retreat.Gone.IsZero()
	},
	Abort:    func(s State) bool { return s.Phase != Idle && !s.Phase.row().final && !s.leadsBack() },
	Promote:  func(s State) bool { return s.Phase == Progressing && !s.Hurried },
	Skip:     func(s State) bool { return s.Phase == Progressing && !s.Skipped },
	Approve:  func(s State) bool { return s.Phase.gated() },
	Retry:    func(s State) bool { return s.Phase == RolledBack },
	StepBack: func(s State) bool { return (s.Phase == Progressing || s.Phase == CompletingShift) && !s.Recalled },
}

// suits tells why the command means nothing to a rollout in the State s; "" if
// it means something.
func (c Command) suits(s *State) string {
	if means[c.Order](*s) && (c.Order != Approve || c.Gate != "") {
		return ""
	}
	return "a rollout that is " + s.Phase.String() + " cannot " + c.Order.String() + c.target()
}

// obey carries out the command in the State.
func (t *turn) obey() *decision {
	c := t.s.Command
	t.s.Command = Command{}
	if why := c.suits(&t.s); why != "" {
		return t.write(t.o.Traffic, Reason{Cause: CauseMoved, Detail: "a command came too late: " + why})
	}
	why := c.Order.String() + c.credit()
	switch c.Order {
	case Pause:
		t.s.Paused = t.o.Now
	case Resume:
		return t.resume(why)
	case Abort:
		return t.rollBack(why)
	case Promote:
		t.s.Hurried = true
		t.s.Paused = time.Time{}
	case Skip:
		t.s.Skipped = true
	case Approve:
		if why := t.approve(c.Gate); why != "" {
			return t.write(t.o.Traffic, Reason{Cause: CauseMoved, Detail: "a command came to nothing: " + why})
		}
	case StepBack:
		return t.stepBack(CauseOrdered, why)
	}
	t.record(why)
	return t.write(t.o.Traffic, Reason{Cause: CauseMoved, Detail: why})
}

// resume ends a pause or a Retreat and puts traffic back that had drifted.
func (t *turn) resume(why string) *decision {
	if !t.s.Paused.IsZero() {
		t.s.PausedFor = min(longest, t.s.PausedFor+max(0, t.o.Now.Sub(t.s.Paused)))
		t.s.Paused = time.Time{}
	} else if t.s.Phase == Retreating {
		t.s.Retreat.Gone = t.o.Now
	}
	r := Reason{Cause: CauseMoved, Detail: why}
	if a := t.o.Answers[askReady]; t.s.Drifting && t.s.Traffic.exceeds(t.o.Traffic) && a.Reply != Yes {
		if a.Reply == Unasked {
			return t.decide(decision{Ask: askReady, Traffic: t.s.Traffic, Pin: t.s.Pin})
		}
		r = Reason{Cause: CauseDrift, Detail: why + " came to nothing: " + a.Reason}
		return t.write(t.o.Traffic, r)
	}
	t.record(why)
	if t.s.Drifting {
		return t.shift(t.s.Traffic, r)
	}
	return t.write(t.o.Traffic, r)
}
