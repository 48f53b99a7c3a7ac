package canary

import (
	"cmp"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/cause"
)

// blindLimit is how long users may be on a canary without readings. While stable may be
// between two versions it is the error limit.
func (t *turn) blindLimit(look time.Duration, steps bool) time.Duration {
	if !steps {
		return t.errorLimit()
	}
	return cmp.Or(t.spec.blind, max(4*look, 30*time.Second))
}

// errorLimit is how long errors are borne that keep a rollout from going on.
func (t *turn) errorLimit() time.Duration { return cmp.Or(t.spec.errors, 15*time.Minute) }

// pauseLimit is how long a pause and a Retreat may last.
func (t *turn) pauseLimit() time.Duration { return cmp.Or(t.spec.pause, 24*time.Hour) }

// paused waits for a Resume.
func (t *turn) paused() *decision {
	until := t.s.Paused.Add(t.pauseLimit())
	if !t.before(until) {
		return t.rollBack(fmt.Sprintf("paused for %v: %s", t.pauseLimit(), t.s.Reason))
	}
	return t.stay(Reason{cause.Paused, t.s.Reason, until})
}

// answers notes that all parts answer: the error limit begins anew with the next error.
func (t *turn) answers() {
	if t.o.Trouble == "" && t.o.Refused == "" && !t.o.Erred[askShown] && !t.o.Erred[askInspected] {
		t.s.Failing = time.Time{}
	}
}

// outOfReach stays: nothing goes further, and no way back is over, while a part of the
// Router cannot be read or refuses, or the Workload does not tell of the pods. Users are left
// on the canary for the error limit.
func (t *turn) outOfReach() *decision {
	r := Reason{Cause: cause.Unreachable, Detail: cmp.Or(t.o.Trouble, t.o.Refused, t.o.unseenPods())}
	if t.held != "" {
		r = Reason{Cause: cause.Drift, Detail: t.held}
	}
	if !t.exposed() || t.s.leadsBack() {
		return t.stay(r)
	}
	if t.s.Failing.IsZero() {
		t.s.Failing = t.o.Now
		if t.o.Refused != "" {
			t.s.Failing = t.o.RefusedSince
		}
	}
	if r.Until = t.s.Failing.Add(t.errorLimit()); !t.before(r.Until) {
		return t.rollBack(fmt.Sprintf("%v for %v: %s", r.Cause, t.errorLimit(), r.Detail))
	}
	return t.stay(r)
}
