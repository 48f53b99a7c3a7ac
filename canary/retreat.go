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

// stepBack gives stable everything for a while.
func (t *turn) stepBack(cause cause.Cause, why string) *decision {
	t.s.Outcome, t.s.PromoteNow = phase.Idle, false // the end, if it had begun, begins again
	d := t.reach(phase.Retreating, why)
	t.s.Retreat.Cause, t.s.Retreat.Since = cause, t.o.Now
	d.Reason.Cause = cause
	return d
}
