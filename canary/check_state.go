package canary

import (
	"cmp"
	"fmt"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// CheckState returns an error that wraps ErrBadState if no rollout of this plan can have
// written s. It returns nil for the zero State and for a State of another plan.
func (p Plan) CheckState(s State) error {
	if p.spec == nil || s.Plan != p.spec.digest {
		return nil
	}
	return p.spec.check(&s)
}

// check reports why s, which bears the digest of the plan, can be none of its
// States.
func (sp *spec) check(s *State) error {
	if s.Phase == phase.Idle {
		return nil
	}
	why := cmp.Or(sp.wrongRollout(s), sp.wrongPlace(s), wrongFlags(s))
	if why == "" {
		return nil
	}
	return fmt.Errorf("canary: %w: %w: plan %q: %s", ErrRefused, ErrBadState, sp.name, why)
}

// wrongRollout tells why s is about no rollout of the plan.
func (sp *spec) wrongRollout(s *State) string {
	switch {
	case s.Owner != sp.owner && !s.Phase.Final() && !s.leadsBack(): // another driver may turn it back
		return fmt.Sprintf("its owner is %q, not %q", s.Owner, sp.owner)
	case s.End != sp.end.Kind:
		return fmt.Sprintf("its end is %q, not %q", s.End, sp.end.Kind)
	case s.Recalled && sp.end.Kind != PromoteStable:
		return fmt.Sprintf("stable may be under promotion, and it ends with %q", sp.end.Kind)
	}
	return ""
}

// wrongPlace tells why no rollout of the plan is where s says.
func (sp *spec) wrongPlace(s *State) string {
	switch {
	case s.Step >= len(sp.steps) && len(sp.steps) > 0:
		return fmt.Sprintf("step %d of %d", s.Step+1, len(sp.steps))
	case rowOf(s.Phase).ends&(1<<sp.end.Kind) == 0:
		return fmt.Sprintf("phase %v, and it ends with %q", s.Phase, sp.end.Kind)
	case len(sp.steps) > 0 && s.NoReturn != sp.noReturn(s.Phase, s.Step) && !s.leadsBack() && !s.Phase.Final():
		return fmt.Sprintf("step %d and noReturn %v", s.Step+1, s.NoReturn)
	case !sp.leadsTo(s):
		return fmt.Sprintf("phase %v leads to %v", s.Phase, s.Outcome)
	}
	want := sp.trafficIn(s.Phase, s)
	if !s.Giving.IsZero() || s.Phase == phase.Returning && sp.mayReturnInSteps() {
		want.Canary = s.Traffic.Canary
	}
	under := s.Recalled && !rowOf(s.Phase).bare // under way to what it should be
	if s.Traffic != want && !under {
		return fmt.Sprintf("phase %v with %v, not %v", s.Phase, s.Traffic, want)
	}
	return ""
}

// mayReturnInSteps reports whether the plan returns in steps, or is not known.
func (sp *spec) mayReturnInSteps() bool { return len(sp.returns.Stable) > 0 || len(sp.steps) == 0 }

// leadsTo reports whether the outcome of s is one that its phase can have.
func (sp *spec) leadsTo(s *State) bool {
	r := rowOf(s.Phase)
	switch {
	case r.final:
		return s.Outcome == s.Phase
	case s.Phase == phase.CleaningUp:
		return s.Outcome == phase.RolledBack || s.Outcome == sp.goal()
	case r.back:
		return s.Outcome == phase.RolledBack
	case r.traffic == ofStep || s.Phase == phase.Preparing || s.Phase == phase.Retreating:
		return s.Outcome == phase.Idle
	}
	return s.Outcome == sp.goal()
}

// wrongFlags tells what of s does not go together.
func wrongFlags(s *State) string {
	switch r := rowOf(s.Phase); {
	case !s.Paused.IsZero() && !r.pausable:
		return fmt.Sprintf("paused in phase %v", s.Phase)
	case s.Phase != phase.Progressing && (s.Drifting || s.Skipped && s.Phase != phase.Returning):
		return fmt.Sprintf("a step's drift or skipped hold in phase %v", s.Phase)
	case !s.Giving.IsZero() && !gradual(s.Phase):
		return fmt.Sprintf("a return in parts in phase %v", s.Phase)
	case len(s.Approved) > 0 && !gated(s.Phase):
		return fmt.Sprintf("an open gate in phase %v", s.Phase)
	case (s.Phase == phase.Retreating) != (s.Retreat.Cause != cause.None && !s.Retreat.Since.IsZero()):
		return fmt.Sprintf("a retreat because of %q in phase %v", s.Retreat.Cause, s.Phase)
	}
	return ""
}
