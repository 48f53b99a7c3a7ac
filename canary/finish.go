package canary

import (
	"cmp"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// goal is the final phase of a plan that succeeds.
func (sp *spec) goal() phase.Phase {
	if sp.end.Kind == Discard {
		return phase.Discarded
	}
	return phase.Promoted
}

// finish begins the plan's end, after its last step.
func (t *turn) finish() *decision {
	t.s.Outcome = t.goal()
	all := t.trafficIn(phase.CompletingShift, &t.s)
	switch {
	case t.end.Kind == Discard:
		return t.reach(phase.Returning, "all steps are done")
	case t.s.Traffic == all:
		return t.reach(t.after(phase.CompletingShift), "all steps are done")
	}
	if d := t.unready(all); d != nil {
		return d
	}
	return t.reach(phase.CompletingShift, "all steps are done")
}

// follow goes on with a phase of the table: its traffic is seen, what it asks is
// answered, then comes the next one.
func (t *turn) follow(r *row) *decision {
	if d := t.look(); d != nil {
		return d
	}
	if d := t.giveBackAtOnce(); d != nil {
		return d
	}
	since, unseen := t.seen()
	if unseen != nil && (since.IsZero() || !r.judged) {
		return unseen
	}
	if d := t.watch(r, since); d != nil {
		return d
	}
	if unseen != nil {
		return t.stay(Reason{Cause: cause.Verifying, Detail: t.o.Answers[askShown].Reason})
	}
	if d := t.giveBack(since); d != nil {
		return d
	}
	if d := t.granted(r); d != nil {
		return d
	}
	if t.held != "" && t.s.Phase != phase.PromotingStable && t.s.Phase != phase.RestoringStable { // these end with everything on stable
		return t.stay(Reason{Cause: cause.Drift, Detail: t.held})
	}
	return t.leave()
}

// leave goes on to the phase that follows, if nothing holds this one.
func (t *turn) leave() *decision {
	until := t.s.Baked.Add(t.bake)
	t.answers()
	switch {
	case (t.o.Trouble != "" || t.o.Refused != "" || t.o.Erred[askInspected] && t.exposed()) && t.s.Phase != phase.RestoringStable: // from there each part goes back as soon as it can
		return t.outOfReach()
	case t.s.Phase == phase.Baking && t.before(until):
		return t.stay(Reason{cause.Hold, "waits for the end of the bake time", until})
	case !t.s.Paused.IsZero():
		return t.paused()
	}
	if d := cmp.Or(t.aftermath(), t.lateFault()); d != nil {
		return d
	}
	return t.reach(t.after(t.s.Phase), t.reasonToLeave())
}

// watch has the last step's judge go on where its traffic does. CompletingShift is not left, and
// a promoted stable gets no more, before the judge was asked once. Baking is not left, and no
// share of a return in steps, while it lacks readings.
func (t *turn) watch(r *row, since time.Time) *decision {
	if !r.judged || t.end.Kind == Discard { // a trial is over when its steps are
		return nil
	}
	lack, d := t.judge(&t.steps[t.s.Step], since)
	unsighted := (t.s.Phase == phase.CompletingShift || t.s.inParts()) && lack.Cause != cause.None && !t.o.Judged.Asked
	stays := t.s.Phase == phase.Baking || t.s.inParts() && t.inSteps(t.s.Phase)
	blind := stays && t.o.Judged.Asked && t.o.Judged.unread()
	if d == nil && (unsighted || blind) {
		return t.stay(lack)
	}
	return d
}

// reasonToLeave keeps why the rollout turned back until its end.
func (t *turn) reasonToLeave() string {
	if t.s.Phase == phase.PromotingStable {
		return join(": ", "stable is promoted", t.o.Answers[askPromoted].Reason)
	}
	return t.s.Reason
}

// granted asks what the phase asks. It is nil if that is nothing, or a yes.
func (t *turn) granted(r *row) *decision {
	if r.asks == askNothing || r.asks == askRemoved && !t.cleansUp() {
		return nil
	}
	a := t.o.Answers[r.asks]
	switch {
	case a.Reply == unasked:
		return t.decide(decision{Ask: r.asks})
	case a.Reply == Yes:
		return nil
	case t.s.Phase == phase.PromotingStable:
		return t.notPromoted(a)
	case t.s.Phase == phase.RestoringStable:
		return t.notRestored(a)
	}
	return t.stay(Reason{Cause: r.waits, Detail: a.Reason})
}

// after returns the phase that follows one, without those that have nothing to do.
func (t *turn) after(p phase.Phase) phase.Phase {
	for {
		p = rowOf(p).then[t.end.Kind]
		switch {
		case p == phase.Idle, p == phase.CleaningUp && !t.cleansUp() && !t.s.Traffic.HeaderRoutes:
			return t.s.Outcome
		case p != phase.Baking || t.bake > 0:
			return p
		}
	}
}

// leadsBack reports whether traffic goes back to stable, or has: an Abort comes too
// late. What is cleaned up while the canary has everything stays with it.
func (p *Place) leadsBack() bool {
	return rowOf(p.Phase).back && (p.Phase != phase.CleaningUp || p.Traffic.Canary == 0)
}

// reach enters a phase with the traffic that the table says.
func (t *turn) reach(p phase.Phase, why string) *decision {
	traffic := t.trafficIn(p, &t.s)
	if rowOf(p).traffic == ofStable { // on the way back nothing is put up
		traffic.HeaderRoutes = traffic.HeaderRoutes && t.o.Traffic.HeaderRoutes
	}
	if d := t.keep(p, &traffic); d != nil {
		return d
	}
	since := t.s.Giving
	d := t.enter(p, t.s.Step, traffic, why)
	t.gives(since)
	if p.Final() {
		d.Reason.Cause = cause.Over
		d.Done = len(t.steps) > 0 && !t.s.Restart // or the rollout of another plan is over, and this one begins
	}
	return d
}

// trafficIn returns the traffic of a phase, given the State now. Header routes stay as
// they are until everything is cleaned up.
func (sp *spec) trafficIn(p phase.Phase, s *State) Traffic {
	t, row := Traffic{HeaderRoutes: s.Traffic.HeaderRoutes && !rowOf(p).bare}, rowOf(p)
	switch {
	case row.traffic == ofCanary, row.traffic == ofOutcome && sp.end.Kind == Stay && s.Outcome == phase.Promoted:
		t.Canary = Full
	case row.traffic == ofStep:
		return s.Traffic
	}
	return t
}

func (t *turn) notPromoted(a Answer) *decision {
	deadline := t.s.Entered.Add(t.end.Deadline)
	erred := t.o.Erred[askPromoted]
	switch {
	case erred && t.s.Failing.IsZero():
		t.s.Failing = t.o.Now
	case erred && !t.before(t.s.Failing.Add(t.errorLimit())):
		return t.promotionFailed(fmt.Sprintf("for %v: %s", t.errorLimit(), a.Reason))
	case !erred:
		t.s.Failing = time.Time{}
	}
	switch {
	case a.Reply == No:
		return t.promotionFailed(a.Reason)
	case t.end.Deadline > 0 && !t.before(deadline):
		return t.promotionFailed(fmt.Sprintf("not done after %v: %s", t.end.Deadline, a.Reason))
	}
	return t.stay(Reason{Cause: cause.Promoting, Detail: a.Reason})
}

func (t *turn) promotionFailed(why string) *decision {
	why = "stable could not be promoted: " + why
	if t.end.HoldOnFailure {
		return t.stay(Reason{Cause: cause.Promoting, Detail: why + "; the canary keeps the traffic: repair stable, or order an abort"})
	}
	return t.rollBack(why)
}

// notRestored waits until stable is whole. Until then it gets no more traffic.
func (t *turn) notRestored(a Answer) *decision {
	if !t.before(t.s.Entered.Add(t.errorLimit())) {
		if d := t.unrestored(a); d != nil {
			return d
		}
	}
	if a.Reply == No {
		return t.stay(Reason{Cause: cause.Restoring, Detail: "stable cannot be restored, and the canary keeps the traffic: " + a.Reason})
	}
	return t.stay(Reason{Cause: cause.Restoring, Detail: a.Reason})
}

// unrestored gives stable everything when it cannot be restored, for the error limit, and the
// canary fails, or has no readings although the store answers: then stable is the better one,
// whatever it runs. It is restored as soon as that is possible. It is nil if the canary does not fail, or if nobody knows.
func (t *turn) unrestored(a Answer) *decision {
	w := t.window(t.s.Shifted.Add(t.settle))
	j := &t.o.Judged
	switch {
	case !t.exposed() || len(t.steps) == 0 || t.steps[t.s.Step].Requires == Nothing || !w.To.After(w.From):
		return nil
	case !j.Asked:
		return t.decide(decision{Ask: askJudge, Request: t.request(w)})
	case j.Err != nil || j.Result.Verdict != analysis.Fail && !j.unread():
		return nil
	}
	return t.restoreInPlace(fmt.Sprintf("%s; stable cannot be restored, and the canary is no better (%v): %s", clip(t.s.Reason, maxReason/3), j.Result.Verdict, a.Reason))
}

// rollBack turns the rollout back, unless it has come to a point of no return.
func (t *turn) rollBack(why string) *decision {
	if t.s.mustStay() {
		return t.callPeople(why)
	}
	return t.turnBack(why)
}

// turnBack turns the rollout back. A stable workload that may be between two
// versions, or runs the new one, is restored first, while the canary has all
// traffic. If the canary has it no more, everything must be ready for that again.
func (t *turn) turnBack(why string) *decision {
	moved := t.end.Kind == PromoteStable && rowOf(t.s.Phase).moved
	if moved && t.s.Phase != phase.PromotingStable {
		if d := t.relieve(why); d != nil {
			return d
		}
	}
	t.s.Outcome = phase.RolledBack
	switch {
	case moved:
		return t.reach(phase.RestoringStable, why)
	case t.s.Recalled: // most likely there is nothing to restore, so the canary gets no more for that
		return t.enter(phase.RestoringStable, t.s.Step, t.o.Traffic, why)
	}
	return t.reach(phase.RollingBack, why)
}

// relieve asks whether the canary can take all traffic while stable is restored. If it cannot,
// or is not ready for the error limit, stable is restored under its traffic. It is nil if the
// canary can.
func (t *turn) relieve(why string) *decision {
	a := t.o.Answers[askReady]
	switch {
	case a.Reply == unasked:
		return t.decide(decision{Ask: askReady, Traffic: t.trafficIn(phase.RestoringStable, &t.s), Pin: t.s.Pin})
	case a.Reply == Yes:
		return nil
	case a.Reply == Wait && t.o.Workload && t.o.Answers[askInspected].Reply == unasked:
		return t.decide(decision{Ask: askInspected, Traffic: t.s.Traffic, Pin: t.s.Pin})
	case t.s.Failing.IsZero():
		t.s.Failing = t.o.Now
	}
	until := t.s.Failing.Add(t.errorLimit())
	if a.Reply == No || t.o.Inspection.Dead != "" || !t.before(until) {
		return t.restoreInPlace(why + "; stable is restored under its traffic, because the canary cannot take it: " + a.Reason)
	}
	return t.stay(Reason{cause.Capacity, why + "; before stable is restored, the canary must take the traffic: " + a.Reason, until})
}

// restoreInPlace restores stable while it has all traffic, because nobody else can take it.
func (t *turn) restoreInPlace(why string) *decision {
	t.s.Outcome, t.s.Recalled = phase.RolledBack, true // its traffic is not the phase's
	return t.enter(phase.RestoringStable, t.s.Step, Traffic{HeaderRoutes: t.s.Traffic.HeaderRoutes}, why)
}
