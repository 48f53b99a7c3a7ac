package canary

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// Status says where a rollout is, for people: what it waits for, until when, and which
// orders are possible.
type Status struct {
	// Rollout is the name of the plan with its revision.
	Rollout string
	Phase   phase.Phase
	// Step is the name of the present step, or of the next one while the rollout is
	// Preparing or Retreating. Number is its number, counted from one. Both are zero
	// after the steps. Steps is the number of steps in the plan.
	Step          string
	Number, Steps int
	// Traffic is what the last write asked for. Somebody may have changed it since: see
	// Reading.Traffic and History.Drifting.
	Traffic Traffic
	// Since is when the rollout entered its phase and step.
	Since time.Time
	// Waits says what the rollout waits for, as far as the State tells. The Reason of an
	// Event also tells what the judge and the Workload said.
	Waits string
	// Until is when the wait ends at the latest. It is zero if no time ends the wait.
	Until time.Time
	// Gates are the gates ahead that no order.Approve has opened.
	Gates []string
	// Orders are the orders that have a meaning now.
	Orders []order.Order
}

// Status returns the Status of a rollout of this plan in the State s. It needs only the
// State, so any program that reads the object can show it.
func (p Plan) Status(s State, now time.Time) Status {
	all := Status{Rollout: join(" ", s.Name, s.Revision), Phase: s.Phase, Traffic: s.Traffic, Since: s.Entered}
	all.Orders = possible(&s)
	switch {
	case s.Phase == phase.Idle:
		all.Waits = "not begun"
		return all
	case p.spec == nil || s.Plan != p.spec.digest:
		return all
	}
	all.Steps = p.Len()
	if s.Step >= all.Steps {
		return all // no State of the plan
	}
	if gated(s.Phase) && s.Step < p.Len() {
		all.Step, all.Number = p.spec.steps[s.Step].Name, s.Step+1
	}
	t := turn{spec: p.spec, s: s}
	if gated(s.Phase) {
		all.Gates = slices.DeleteFunc(t.ahead(), func(gate string) bool { return slices.Contains(s.Approved, gate) })
	}
	all.Orders = slices.DeleteFunc(all.Orders, func(o order.Order) bool { return p.spec.pointless(&s, o) })
	if len(all.Gates) == 0 {
		all.Orders = slices.DeleteFunc(all.Orders, func(o order.Order) bool { return o == order.Approve })
	}
	all.Waits, all.Until = t.waits(now)
	return all
}

// waits tells what a State says of what is waited for.
func (t *turn) waits(now time.Time) (what string, until time.Time) {
	s := &t.s
	settled := s.Shifted.Add(t.settle)
	switch {
	case s.Phase.Final():
		return "over: " + s.Reason, until
	case !s.Paused.IsZero():
		return "paused: " + s.Reason, s.Paused.Add(t.pauseLimit())
	case s.inParts():
		return t.partWaits(now)
	case strings.HasPrefix(s.Reason, behind):
		return "waits for people: " + s.Reason, until
	case s.Phase == phase.Retreating:
		return "stable has all traffic: " + s.Reason, s.Retreat.Since.Add(t.pauseLimit())
	case now.Before(settled):
		return "waits for the mesh to apply the traffic", settled
	case s.Phase == phase.Preparing:
		return t.firstWaits()
	case s.Phase == phase.Progressing:
		return t.stepWaits(now, settled)
	case s.Phase == phase.CompletingShift:
		return "waits for the judge", until
	case s.Phase == phase.Baking:
		return "waits for the end of the bake time", s.Baked.Add(t.bake)
	case rowOf(s.Phase).waits != cause.None:
		return rowOf(s.Phase).waits.String(), until
	}
	return "", until
}

// firstWaits is waits before the first step.
func (t *turn) firstWaits() (what string, until time.Time) {
	first := &t.steps[0]
	if first.Deadline > 0 {
		until = t.deadline(first)
	}
	if closed := t.closed(first.EnterGates); closed != "" {
		return "waits until the canary is ready, and for the gates " + closed, until
	}
	return "waits until the canary is ready", until
}

// closed names the gates that no command has opened.
func (t *turn) closed(gates []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(gates), func(gate string) bool { return slices.Contains(t.s.Approved, gate) }), ", ")
}

// stepWaits is waits for a step whose traffic has settled.
func (t *turn) stepWaits(now, settled time.Time) (what string, until time.Time) {
	s, step := &t.s, &t.steps[t.s.Step]
	since := settled
	if !s.Verified.IsZero() {
		since = s.Verified
	}
	deadline := time.Time{}
	if step.Deadline > 0 {
		deadline = t.deadline(step)
	}
	switch until := since.Add(step.Hold); {
	case s.Drifting:
		return "waits for an order: somebody changed the traffic", t.driftsUntil()
	case t.verify && s.Verified.IsZero():
		return "waits until the mesh routes as written", deadline
	case now.Before(until) && !s.Skipped:
		return "waits for the end of the hold", until
	case step.Requires != Nothing:
		return "waits for the judge", deadline
	case t.closed(step.LeaveGates) != "":
		return "waits for the gates " + t.closed(step.LeaveGates), deadline
	}
	return "", deadline
}

// String prints the Status in one line: shop v2: Progressing, step 2 of 5 "canary 20%",
// canary 20%; waits for the end of the hold until 2030-01-02T15:04:05Z; orders: pause,
// abort, promote, skip, step back
func (s Status) String() string {
	var b strings.Builder
	b.WriteString(join(": ", s.Rollout, s.Phase.String()))
	if s.Number > 0 {
		next := ""
		if s.Phase != phase.Progressing {
			next = "next "
		}
		fmt.Fprintf(&b, ", %sstep %d of %d %q", next, s.Number, s.Steps, s.Step)
	}
	fmt.Fprintf(&b, ", %v", s.Traffic)
	if s.Waits != "" {
		b.WriteString("; " + s.Waits)
	}
	if !s.Until.IsZero() {
		b.WriteString(" until " + s.Until.UTC().Format(time.RFC3339))
	}
	if len(s.Orders) > 0 {
		b.WriteString("; orders: " + naming(s.Orders))
	}
	return b.String()
}
