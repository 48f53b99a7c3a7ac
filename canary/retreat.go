package canary

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// retreat waits until the cause is gone, and then enters the step again, when its
// gates are open and everything is ready for its traffic.
func (t *turn) retreat() *decision {
	r := &t.s.Retreat
	until := r.Since.Add(t.pauseLimit())
	if !t.before(until) {
		return t.rollBack(fmt.Sprintf("stable had all traffic for %v: %s", t.pauseLimit(), t.s.Reason))
	}
	if d := t.keepsStable(); d != nil {
		return d
	}
	if resumed := r.Cause == cause.SteppedBack && !r.Gone.IsZero(); !resumed || t.o.Inspection.Dead != "" {
		if d := t.giveBack(time.Time{}); d != nil {
			return d
		}
	}
	_, unseen := t.seen()
	switch {
	case unseen != nil:
		return unseen
	case !t.s.Paused.IsZero():
		return t.paused()
	}
	if r.Cause == cause.NoPods || r.Cause == cause.NoReadings || r.Cause == cause.NoDriver {
		if d := t.recover(); d != nil {
			return d
		}
	}
	if r.Cause == cause.StableWorse && r.Gone.IsZero() {
		return t.heals()
	}
	if !r.Gone.IsZero() {
		if d := t.putUp(); d != nil {
			return d
		}
		r.remember(t.o.Now)
		return t.enterWhenReady(t.s.Step, t.s.Reason)
	}
	return t.stay(Reason{Cause: t.s.Retreat.Cause, Detail: t.s.Reason, Until: until})
}

// The times of a Retreat that ends by itself.
const (
	grace      = 10 * time.Minute // without a ready pod, before it rolls back
	recovering = time.Minute      // that the cause must be gone, doubled with each resume
	maxResumes = 3                // of one cause in 24 hours
	healing    = 5 * time.Minute  // in which stable recovers from what the canary has done to it
	healed     = 9                // looks that show that it has: the 8 that may show that it is worse, and the last one's lag
)

// mayBlame reports whether a cause that need not be the canary's is a reason to retreat. It is none
// where somebody has ordered a resume in this step: people have found that it is not the canary.
func (t *turn) mayBlame(c cause.Cause) bool {
	accepted := slices.ContainsFunc(t.s.Retreat.Resumed, func(r resumption) bool { return r.Cause == c })
	return !accepted && t.exposed() && (t.s.Phase == phase.Progressing || t.s.Phase == phase.CompletingShift)
}

// heals looks whether stable is well again since the canary has no users: then the canary has hurt
// both, and goes back. Otherwise people have to find out what does.
func (t *turn) heals() *decision {
	r, j := &t.s.Retreat, &t.o.Judged
	w := t.window(t.s.Shifted.Add(t.settle))
	until, look := r.Since.Add(t.pauseLimit()), cmp.Or(t.o.Look, t.interval)
	switch seen := w.From.Add(healed * look); {
	case t.before(seen):
		return t.stay(Reason{cause.StableWorse, "stable has all traffic, and is looked at: " + t.s.Reason, seen})
	case !j.Asked:
		return t.decide(decision{Ask: askJudge, Request: t.request(w)})
	case j.Err == nil && !j.unread() && !j.Result.StableWorse && t.before(later(r.Since.Add(healing), seen.Add(2*look)).Add(t.interval)): // a driver looks once in it
		return t.rollBack("stable is well again since it has all traffic, so the canary has hurt both: " + t.s.Reason)
	}
	return t.stay(Reason{cause.StableWorse, "stable has all traffic; order a resume, or an abort: " + t.s.Reason, until})
}

// recover waits until the cause is gone for long enough. It is nil when the step may be
// entered again.
func (t *turn) recover() *decision {
	r := &t.s.Retreat
	gone, why, d := t.mended()
	switch {
	case d != nil:
		return d
	case gone:
		return t.recovered(why)
	case r.Cause == cause.NoPods:
		return t.podless(why)
	}
	r.Gone = time.Time{}
	return t.stay(Reason{Cause: r.Cause, Detail: why, Until: r.Since.Add(t.pauseLimit())})
}

// podless waits for the canary's pods, as long as the grace. Failing is since when there
// are none.
func (t *turn) podless(why string) *decision {
	if t.s.Failing.IsZero() {
		t.s.Failing = t.o.Now
	}
	t.s.Retreat.Gone = time.Time{}
	until := t.s.Failing.Add(grace)
	if !t.before(until) {
		return t.rollBack(fmt.Sprintf("%v for %v: %s", cause.NoPods, grace, why))
	}
	return t.stay(Reason{Cause: cause.NoPods, Detail: why, Until: until})
}

// recovered waits after the cause is gone, longer each time. It is nil when that is over.
func (t *turn) recovered(why string) *decision {
	r := &t.s.Retreat
	n := r.resumed(t.o.Now)
	wait := recovering << min(n, maxResumes)
	last := r.Since.Add(t.pauseLimit())
	if r.Gone.IsZero() {
		r.Gone = t.o.Now
	}
	t.s.Failing = time.Time{}
	switch until := r.Gone.Add(wait); {
	case n >= maxResumes:
		return t.stay(Reason{Cause: r.Cause, Detail: fmt.Sprintf("this has happened %d times; order a resume, or an abort", n+1), Until: last})
	case t.s.Recalled:
		return t.stay(Reason{Cause: r.Cause, Detail: "stable may be between two versions; order an abort", Until: last})
	case t.before(until):
		return t.stay(Reason{Cause: r.Cause, Detail: "the cause is gone: " + why, Until: until})
	}
	t.reopen()
	return nil
}

// reopen opens the gates that an order opened when the step was entered before.
func (t *turn) reopen() {
	for _, gate := range t.steps[t.s.Step].EnterGates {
		if t.o.Gates[gate] == nil && !slices.Contains(t.s.Approved, gate) && len(t.s.Approved) < maxGates {
			t.s.Approved = append(slices.Clip(t.s.Approved), gate)
		}
	}
}

// mended asks whether the cause of the Retreat is gone. If that cannot be told, it stays.
func (t *turn) mended() (gone bool, why string, d *decision) {
	switch t.s.Retreat.Cause {
	case cause.NoDriver:
		return true, "a driver is back", nil
	case cause.NoReadings:
		return t.readable()
	}
	inspected, ready := t.o.Answers[askInspected], t.o.Answers[askReady]
	traffic := t.steps[t.s.Step].Traffic
	switch {
	case inspected.Reply == unasked:
		return false, "", t.decide(decision{Ask: askInspected, Traffic: t.s.Traffic, Pin: t.s.Pin})
	case t.o.Inspection.CanaryChanged != "" && t.onChange != ChangeHold:
		return false, "", t.otherCanary()
	case t.o.Inspection.Failed != "":
		return false, "", t.rollBack(t.o.Inspection.Failed)
	case t.o.Inspection.Dead != "":
		return false, t.o.Inspection.Dead, nil
	case ready.Reply == unasked:
		return false, "", t.decide(decision{Ask: askReady, Traffic: traffic, Pin: t.s.Pin})
	case ready.Reply == No:
		return false, "", t.rollBack("the canary cannot take " + traffic.String() + ": " + ready.Reason)
	case ready.Reply == Yes && !t.o.Erred[askInspected]:
		return true, ready.Reason, nil
	}
	return false, "", t.stay(Reason{Cause: cause.Capacity, Detail: ready.Reason, Until: t.s.Retreat.Since.Add(t.pauseLimit())})
}

// readable asks whether the judge has its readings again.
func (t *turn) readable() (back bool, why string, d *decision) {
	j := &t.o.Judged
	switch w := t.window(t.s.Shifted.Add(t.settle)); {
	case t.before(w.From.Add(cmp.Or(t.o.Look, t.interval))): // before that a judge need not ask its store
		return false, "the first metrics of this time are not available yet", nil
	case !j.Asked:
		return false, "", t.decide(decision{Ask: askJudge, Request: t.request(w)})
	case j.Err == nil && j.Result.Verdict == analysis.Fail:
		return false, "", t.rollBack("the judge failed step \"" + t.steps[t.s.Step].Name + "\": " + j.Result.Reason)
	}
	return !j.unread(), j.words(), nil
}

// remember adds a return from the Retreat.
func (r *retreat) remember(now time.Time) {
	all := append(slices.Clip(r.Resumed), resumption{r.Cause, now})
	r.Resumed = all[max(0, len(all)-maxResumed):]
}

// resumed counts the returns from a Retreat of the same cause in 24 hours.
func (r *retreat) resumed(now time.Time) (n int) {
	for _, one := range r.Resumed {
		if one.Cause == r.Cause && now.Sub(one.At) < 24*time.Hour {
			n++
		}
	}
	return n
}

// fallBack is a Retreat that nobody ordered. What a person has said stays: a pause, and
// somebody else's traffic that waits for an order.
func (t *turn) fallBack(why cause.Cause, detail string) *decision {
	if t.s.mustStay() {
		return t.callPeople(detail)
	}
	paused, command := t.s.Paused, t.s.Command
	if t.s.Drifting && paused.IsZero() {
		paused = t.o.Now
	}
	d := t.stepBack(why, detail)
	t.s.Paused, t.s.Command = paused, command
	return d
}

// stepBack gives stable everything for a while.
func (t *turn) stepBack(cause cause.Cause, why string) *decision {
	t.s.Outcome, t.s.PromoteNow = phase.Idle, false // the end, if it had begun, begins again
	d := t.reach(phase.Retreating, why)
	t.s.Retreat.Cause, t.s.Retreat.Since = cause, t.o.Now
	d.Reason.Cause = cause
	return d
}
