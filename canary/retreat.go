package canary

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
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
	if r.Cause == cause.NoPods || r.Cause == cause.NoReadings || r.Cause == cause.NoDriver {
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

// recover waits until the cause is gone for long enough. It is nil when the step may be
// entered again.
func (t *turn) recover() *decision {
	r := &t.s.Retreat
	gone, why, d := t.mended()
	until := r.Since.Add(maxRetreat)
	if r.Cause == cause.NoPods {
		until = r.Since.Add(grace)
	}
	switch {
	case d != nil:
		return d
	case gone:
		return t.recovered(why)
	case !r.Gone.IsZero():
		r.Gone = time.Time{}
		return t.write(t.o.Traffic, Reason{Cause: r.Cause, Detail: why, Until: until})
	case !t.o.Now.Before(until):
		return t.rollBack(fmt.Sprintf("%v for %v: %s", r.Cause, until.Sub(r.Since), why))
	}
	return t.stay(Reason{Cause: r.Cause, Detail: why, Until: until})
}

// recovered waits after the cause is gone, longer each time. It is nil when that is over.
func (t *turn) recovered(why string) *decision {
	r := &t.s.Retreat
	n := r.resumed(t.o.Now)
	wait := recovering << min(n, maxResumes)
	switch until := r.Gone.Add(wait); {
	case n >= maxResumes:
		return t.stay(Reason{Cause: r.Cause, Detail: fmt.Sprintf("this has happened %d times; order a resume, or an abort", n+1), Until: r.Since.Add(maxRetreat)})
	case r.Gone.IsZero():
		r.Gone = t.o.Now
		return t.write(t.o.Traffic, Reason{Cause: r.Cause, Detail: "the cause is gone: " + why, Until: t.o.Now.Add(wait)})
	case t.o.Now.Before(until):
		return t.stay(Reason{Cause: r.Cause, Detail: "the cause is gone", Until: until})
	}
	return nil
}

// mended asks whether the cause of the Retreat is gone.
func (t *turn) mended() (gone bool, why string, d *decision) {
	step := &t.steps[t.s.Step]
	switch t.s.Retreat.Cause {
	case cause.NoDriver:
		return true, "a driver is back", nil
	case cause.NoReadings:
		j := &t.o.Judged
		since := t.s.Shifted.Add(t.settle)
		switch w := t.window(since); {
		case !w.To.After(w.From):
			return false, "the first metrics of this time are not available yet", nil
		case !j.Asked:
			return false, "", t.decide(decision{Ask: askJudge, Request: t.request(w)})
		case j.Err == nil && j.Result.Verdict == analysis.Fail:
			return false, "", t.rollBack("the judge failed step \"" + step.Name + "\": " + j.Result.Reason)
		}
		return !j.unread(), j.words(), nil
	}
	switch a := t.o.Answers[askReady]; a.Reply {
	case unasked:
		return false, "", t.decide(decision{Ask: askReady, Traffic: step.Traffic, Pin: t.s.Pin})
	case No:
		return false, "", t.rollBack("the canary cannot take " + step.Traffic.String() + ": " + a.Reason)
	default:
		return a.Reply == Yes, a.Reason, nil
	}
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
