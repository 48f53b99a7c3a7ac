package canary

import (
	"fmt"
	"slices"
	"time"
)

// maxRetreat bounds a Retreat.
const maxRetreat = 24 * time.Hour

// retreat waits for what ends a Retreat: a Resume.
func (t *turn) retreat() *decision {
	if _, d := t.seen(); d != nil {
		return d
	}
	until := t.s.Retreat.Since.Add(maxRetreat)
	if !t.o.Now.Before(until) {
		return t.rollBack(fmt.Sprintf("retreated for %v: %s", maxRetreat, t.s.Reason))
	}
	return t.stay(Reason{Cause: t.s.Retreat.Cause, Detail: t.s.Reason, Until: until})
}

// stepBack gives stable everything for a while.
func (t *turn) stepBack(cause Cause, why string) *decision {
	t.s.Outcome = Idle // the end, if it had begun, begins again
	d := t.enter(Retreating, t.s.Step, Traffic{}, why)
	t.s.Retreat.Cause, t.s.Retreat.Since = cause, t.o.Now
	d.Reason.Cause = cause
	return d
}

// reenter enters the step again, when everything is ready for its traffic. A
// Resume that has to wait for that is kept.
func (t *turn) reenter(why string) *decision {
	resumed := append(slices.Clip(t.s.Retreat.Resumed), Resumption{t.s.Retreat.Cause, t.o.Now})
	t.s.Retreat.Resumed = resumed[max(0, len(resumed)-maxResumed):]
	return t.enterWhenReady(t.s.Step, why)
}
