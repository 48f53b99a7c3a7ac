package canary

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// Command is an order to a rollout, by a person or a tool. The State carries it to
// whichever process drives.
type Command struct {
	Order order.Order `json:"order,omitzero"`
	Gate  string      `json:"gate,omitzero"` // for Approve
	By    string      `json:"by,omitzero"`
	At    time.Time   `json:"at,omitzero"` // filled in by Send if zero
	Why   string      `json:"why,omitzero"`
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
	if c.Order != order.Approve {
		return ""
	}
	return fmt.Sprintf(" gate %q", c.Gate)
}

// means tells of each order whether it means anything to a rollout in a State.
var means = [...]func(s State) bool{
	order.None:  func(State) bool { return false },
	order.Pause: func(s State) bool { return rowOf(s.Phase).pausable && s.Paused.IsZero() },
	order.Resume: func(s State) bool {
		return !s.Paused.IsZero() || s.Drifting || s.Phase == phase.Retreating && (s.Retreat.Cause != cause.SteppedBack || s.Retreat.Gone.IsZero())
	},
	order.Abort: func(s State) bool {
		return s.Phase != phase.Idle && !rowOf(s.Phase).final && !s.leadsBack() || s.Restart
	},
	order.Promote: func(s State) bool { return (s.Phase == phase.Progressing || s.returns()) && !s.PromoteNow },
	order.Skip: func(s State) bool {
		return (s.Phase == phase.Progressing || s.returns() && !s.PromoteNow) && !s.Skipped
	},
	order.Approve: func(s State) bool { return gated(s.Phase) },
	order.Retry:   func(s State) bool { return s.Phase == phase.RolledBack },
	order.StepBack: func(s State) bool {
		return (s.Phase == phase.Progressing || s.Phase == phase.CompletingShift) && !s.Recalled
	},
}

// returns reports whether traffic returns to a promoted stable, and the canary still has some.
func (p *Place) returns() bool { return p.Phase == phase.Returning && p.Traffic.Canary > 0 }

// suits tells why the command means nothing to a rollout in the State s; "" if
// it means something.
func (c Command) suits(s *State) string {
	switch {
	case c.Order == order.Approve && c.Gate == "":
		return "approve needs the name of a gate"
	case means[c.Order](*s):
		return ""
	}
	return fmt.Sprintf("a rollout that is %v%s cannot %v%s; possible: %s", s.Phase, pausedOrNot(s), c.Order, c.target(), naming(possible(s)))
}

func pausedOrNot(s *State) string {
	if s.Paused.IsZero() {
		return ""
	}
	return ", and paused,"
}

// possible are the orders that mean something in s.
func possible(s *State) (all []order.Order) {
	for o, meant := range means {
		if meant(*s) {
			all = append(all, order.Order(o))
		}
	}
	return all
}

// naming names them.
func naming(all []order.Order) string {
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.String()
	}
	return cmp.Or(strings.Join(names, ", "), "none")
}

// obey carries out the command in the State.
func (t *turn) obey() *decision {
	c := t.s.Command
	t.s.Command = Command{}
	if why := c.suits(&t.s); why != "" {
		return t.write(t.o.Traffic, Reason{Cause: cause.MovedOn, Detail: "an order has no effect: " + why})
	}
	if t.pointless(&t.s, c.Order) {
		return t.write(t.o.Traffic, Reason{Cause: cause.MovedOn, Detail: "an order has no effect: the plan does not return in steps"})
	}
	why := c.Order.String() + c.credit()
	switch c.Order {
	case order.Pause:
		t.s.Paused = t.o.Now
	case order.Resume:
		return t.resume(why)
	case order.Abort:
		return t.turnBack(why)
	case order.Promote:
		t.s.PromoteNow = true
		t.s.Paused = time.Time{}
	case order.Skip:
		t.s.Skipped = true
	case order.Approve:
		if why := t.approve(c.Gate); why != "" {
			return t.write(t.o.Traffic, Reason{Cause: cause.MovedOn, Detail: "an order has no effect: " + why})
		}
	case order.StepBack:
		return t.stepBack(cause.SteppedBack, why)
	}
	t.record(why)
	return t.write(t.o.Traffic, Reason{Cause: cause.MovedOn, Detail: why})
}

// unpause ends a pause. After one that the deadline made, the step has its time again.
func (t *turn) unpause() {
	lasted := t.o.Now.Sub(t.s.Paused)
	if gated(t.s.Phase) && len(t.steps) > 0 {
		if step := &t.steps[t.s.Step]; step.Deadline > 0 && !t.s.Paused.Before(t.deadline(step)) {
			lasted = t.o.Now.Sub(t.s.Entered) - t.s.PausedFor
		}
	}
	t.s.PausedFor = min(longest, t.s.PausedFor+max(0, lasted))
	t.s.Paused = time.Time{}
}

// resume ends a pause or a Retreat and puts traffic back that had drifted.
func (t *turn) resume(why string) *decision {
	if !t.s.Paused.IsZero() {
		t.unpause()
	} else if t.s.Phase == phase.Retreating {
		if c := t.s.Retreat.Cause; c == cause.StableWorse || c == cause.Undivided {
			t.s.Retreat.remember(t.o.Now)
		}
		t.s.Retreat.Cause, t.s.Retreat.Gone = cause.SteppedBack, t.o.Now // no cause is waited for any more
	}
	r := Reason{Cause: cause.MovedOn, Detail: why}
	if a := t.o.Answers[askReady]; t.s.Drifting && t.s.Traffic.exceeds(t.o.Traffic) && a.Reply != Yes {
		if a.Reply == unasked {
			return t.decide(decision{Ask: askReady, Traffic: t.s.Traffic, Pin: t.s.Pin})
		}
		r = Reason{Cause: cause.Drift, Detail: why + " has no effect: " + a.Reason}
		return t.write(t.o.Traffic, r)
	}
	t.record(why)
	if t.s.Drifting {
		return t.shift(t.s.Traffic, r)
	}
	return t.write(t.o.Traffic, r)
}
