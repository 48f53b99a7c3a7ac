package canary

import (
	"context"
	"fmt"
	"slices"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// Gate says whether a step may be entered or left: Yes, Wait, or No, which rolls back.
type Gate func(ctx context.Context) (Answer, error)

// pass asks whether gates are open. It is nil if all are.
func (t *turn) pass(gates []string) *decision {
	for _, gate := range gates {
		if slices.Contains(t.s.Approved, gate) {
			continue
		}
		switch a := t.o.Opened[gate]; a.Reply {
		case unasked:
			return t.decide(decision{Ask: askGate, Gate: gate})
		case No:
			return t.rollBack(fmt.Sprintf("gate %q was denied: %s", gate, a.Reason))
		case Wait:
			return t.stay(Reason{Cause: cause.Gate, Detail: a.Reason})
		}
	}
	return nil
}

// approve opens a gate by command. It tells why the command comes to nothing, or
// "". A gate that is still ahead is open when the rollout comes to it.
func (t *turn) approve(gate string) string {
	ahead := t.ahead()
	switch {
	case !slices.Contains(ahead, gate):
		return fmt.Sprintf("no gate %q is ahead, but %q", gate, ahead)
	case t.o.Gates[gate] != nil:
		return fmt.Sprintf("the gate %q is not opened by command", gate)
	case slices.Contains(t.s.Approved, gate):
		return fmt.Sprintf("the gate %q is open", gate)
	case len(t.s.Approved) == maxGates:
		return fmt.Sprintf("%d gates are open already", maxGates)
	}
	t.s.Approved = append(slices.Clip(t.s.Approved), gate)
	return ""
}

// ahead returns the gates that the rollout still comes to.
func (t *turn) ahead() []string {
	var all []string
	for i := t.s.Step; i < len(t.steps); i++ {
		if i > t.s.Step || t.s.Phase != phase.Progressing {
			all = append(all, t.steps[i].EnterGates...)
		}
		all = append(all, t.steps[i].LeaveGates...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stillOpen returns the gates that were opened by command and are not used up by
// entering a phase and step.
func (t *turn) stillOpen(to phase.Phase, step int) []string {
	if to != phase.Progressing && to != phase.Retreating {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.s.Approved), func(gate string) bool {
		return to == phase.Progressing && slices.Contains(t.steps[step].EnterGates, gate) ||
			step != t.s.Step && slices.Contains(t.steps[t.s.Step].LeaveGates, gate)
	})
}

// has reports whether a step has the gate.
func (sp *spec) has(gate string) bool {
	return slices.ContainsFunc(sp.steps, func(s Step) bool {
		return slices.Contains(s.EnterGates, gate) || slices.Contains(s.LeaveGates, gate)
	})
}
