package canary

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// maxRetreat bounds a Retreat.
const maxRetreat = 24 * time.Hour

// retreat waits until the cause is gone, and then enters the step again, when its
// gates are open and everything is ready for its traffic.
func (t *turn) retreat() *decision {
	if _, d := t.seen(); d != nil {
		return d
	}
	r := &t.s.Retreat
	until := r.Since.Add(maxRetreat)
	if !t.o.Now.Before(until) {
		return t.rollBack(fmt.Sprintf("stable had all traffic for %v: %s", maxRetreat, t.s.Reason))
	}
	if !t.s.Paused.IsZero() {
		return t.stay(Reason{Cause: cause.Paused, Detail: t.s.Reason, Until: until})
	}
	if r.Cause == cause.NoPods {
		if d := t.recover(); d != nil {
			return d
		}
	}
	if !r.Gone.IsZero() {
		if d := t.putUp(); d != nil {
			return d
		}
		resumed := append(slices.Clip(r.Resumed), resumption{r.Cause, t.o.Now})
		r.Resumed = resumed[max(0, len(resumed)-maxResumed):]
		return t.enterWhenReady(t.s.Step, t.s.Reason)
	}
	return t.stay(Reason{Cause: t.s.Retreat.Cause, Detail: t.s.Reason, Until: until})
}

// The times of a Retreat that ends by itself.
const (
	grace      = 10 * time.Minute // without a ready pod, before it rolls back
	recovering = time.Minute      // that the cause must be gone, doubled with each resume
	maxResumes = 3                // of one cause in 24 hours
)

// recover waits until the canary has pods again, for long enough. It is nil when the step
// may be entered again.
func (t *turn) recover() *decision {
	r := &t.s.Retreat
	a := t.o.Answers[askReady]
	if a.Reply == unasked {
		return t.decide(decision{Ask: askReady, Traffic: t.steps[t.s.Step].Traffic, Pin: t.s.Pin})
	}
	n := r.resumed(t.o.Now)
	stay := r.Gone.Add(recovering << n)
	switch ready := a.Reply == Yes; {
	case a.Reply == No:
		return t.rollBack("the canary cannot take " + t.steps[t.s.Step].Traffic.String() + ": " + a.Reason)
	case !ready && !r.Gone.IsZero():
		r.Gone = time.Time{}
		return t.write(t.o.Traffic, Reason{Cause: cause.NoPods, Detail: a.Reason})
	case !ready && !t.o.Now.Before(r.Since.Add(grace)):
		return t.rollBack(fmt.Sprintf("no ready pod of the canary for %v: %s", grace, a.Reason))
	case !ready:
		return t.stay(Reason{Cause: cause.NoPods, Detail: a.Reason, Until: r.Since.Add(grace)})
	case n >= maxResumes:
		return t.stay(Reason{Cause: cause.NoPods, Detail: fmt.Sprintf("the canary was without a ready pod %d times; order a resume, or an abort", n+1), Until: r.Since.Add(maxRetreat)})
	case r.Gone.IsZero():
		r.Gone = t.o.Now
		return t.write(t.o.Traffic, Reason{Cause: cause.NoPods, Detail: "the canary has its pods again: " + a.Reason})
	case t.o.Now.Before(stay):
		return t.stay(Reason{Cause: cause.NoPods, Detail: "the canary has its pods again", Until: stay})
	}
	return nil
}

// resumed counts the returns from a Retreat of the same cause in 24 hours.
func (r *retreat) resumed(now time.Time) (n int) {
	for _, one := range r.Resumed {
		if one.Cause == r.Cause && now.Sub(one.At) < maxRetreat {
			n++
		}
	}
	return n
}

// stepBack gives stable everything for a while.
func (t *turn) stepBack(cause cause.Cause, why string) *decision {
	t.s.Outcome, t.s.PromoteNow = phase.Idle, false // the end, if it had begun, begins again
	d := t.reach(phase.Retreating, why)
	t.s.Retreat.Cause, t.s.Retreat.Since = cause, t.o.Now
	d.Reason.Cause = cause
	return d
}
