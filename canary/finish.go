package canary

import "fmt"

// everything is all live requests to the canary.
var everything = Traffic{Canary: Full}

// goal is the final phase of a plan that succeeds.
func (sp *spec) goal() Phase {
	if sp.end.Kind == Withdraw {
		return Withdrawn
	}
	return Promoted
}

// finish begins the plan's end, after its last step.
func (t *turn) finish() *decision {
	const why = "all steps are done"
	switch t.end.Kind {
	case PromoteStable:
		return t.enter(PromotingStable, t.s.Step, everything, why)
	case Withdraw:
		return t.enter(Returning, t.s.Step, Traffic{}, why)
	}
	return t.enter(Finishing, t.s.Step, everything, why)
}

// arrive ends the rollout when the mesh does its final traffic.
func (t *turn) arrive(final Phase) *decision {
	if _, d := t.seen(); d != nil {
		return d
	}
	d := t.enter(final, t.s.Step, t.s.Traffic, t.s.Reason)
	d.Reason.Cause = CauseOver
	d.Done = true
	return d
}

// leave ends the rollout when stable has all traffic and what stood for the
// canary is taken down.
func (t *turn) leave(final Phase) *decision {
	if _, d := t.seen(); d != nil {
		return d
	}
	if t.o.Scaffold {
		if d := t.clear(); d != nil {
			return d
		}
	}
	return t.arrive(final)
}

// clear takes down what stood for the canary. That this has begun is written
// first: from then on no abort gives the canary traffic again. It is nil when
// all is down.
func (t *turn) clear() *decision {
	if !t.s.Clearing {
		t.s.Clearing = true
		return t.write(t.o.Traffic, Reason{Cause: CauseRemoving, Detail: "what stood for the canary is taken down"})
	}
	switch a := t.o.Answers[askRemoved]; a.Reply {
	case Unasked:
		return t.decide(decision{Ask: askRemoved})
	case Wait, No:
		return t.stay(Reason{Cause: CauseRemoving, Detail: a.Reason})
	}
	return nil
}

// promote brings stable to the canary's version while the canary has all
// traffic.
func (t *turn) promote() *decision {
	since, d := t.seen()
	if d != nil {
		return d
	}
	// The last step's traffic goes on, so its judge goes on watching.
	if _, d := t.judge(&t.steps[t.s.Step], since); d != nil {
		return d
	}
	a := t.o.Answers[askPromoted]
	switch a.Reply {
	case Unasked:
		return t.decide(decision{Ask: askPromoted})
	case No:
		return t.promotionFailed(a.Reason)
	case Wait:
		deadline := t.s.Entered.Add(t.end.Deadline)
		if t.end.Deadline > 0 && !t.o.Now.Before(deadline) {
			return t.promotionFailed(fmt.Sprintf("not done after %v: %s", t.end.Deadline, a.Reason))
		}
		return t.stay(Reason{Cause: CausePromoting, Detail: a.Reason})
	}
	if !t.s.Paused.IsZero() {
		return t.stay(Reason{Cause: CausePaused, Detail: t.s.Reason})
	}
	return t.enter(Returning, t.s.Step, Traffic{}, "stable is promoted")
}

func (t *turn) promotionFailed(why string) *decision {
	why = "stable could not be promoted: " + why
	if t.end.HoldOnFailure {
		return t.stay(Reason{Cause: CausePromoting, Detail: why + "; the canary keeps the traffic until an abort, or until it can be"})
	}
	return t.rollBack(why)
}

// restore brings stable back to its old version, whole, before it gets traffic.
func (t *turn) restore() *decision {
	if _, d := t.seen(); d != nil {
		return d
	}
	switch a := t.o.Answers[askRestored]; a.Reply {
	case Unasked:
		return t.decide(decision{Ask: askRestored})
	case Wait:
		if t.s.Traffic != everything {
			return t.shift(everything, Reason{Cause: CauseRestoring, Detail: a.Reason})
		}
		return t.stay(Reason{Cause: CauseRestoring, Detail: a.Reason})
	case No:
		return t.stay(Reason{Cause: CauseRestoring, Detail: "stable cannot be restored, the canary keeps the traffic: " + a.Reason})
	}
	return t.enter(RollingBack, t.s.Step, Traffic{}, t.s.Reason)
}

// rollBack turns the rollout back. A stable workload that may be between two
// versions is made whole first, while the canary has all traffic. If the canary
// has it no more, everything must be ready for that again.
func (t *turn) rollBack(why string) *decision {
	if a := t.o.Answers[askReady]; t.s.Phase == Returning && t.end.Kind == PromoteStable && a.Reply != Yes {
		if a.Reply == Unasked {
			return t.decide(decision{Ask: askReady, Traffic: everything})
		}
		return t.stay(Reason{Cause: CauseCapacity, Detail: why + "; to restore stable, the canary has to take the traffic: " + a.Reason})
	}
	switch {
	case t.end.Kind == PromoteStable && t.s.Phase > Finishing:
		return t.enter(RestoringStable, t.s.Step, everything, why)
	case t.s.Unsure: // most likely there is nothing to restore, so the canary gets no more for that
		return t.enter(RestoringStable, t.s.Step, t.o.Traffic, why)
	}
	return t.enter(RollingBack, t.s.Step, Traffic{}, why)
}
