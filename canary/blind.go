package canary

import (
	"cmp"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// unread reports whether the judge lacks readings: its store errs, or does not have what
// it should.
func (j *judgement) unread() bool {
	lacks := j.Result.Blindness == analysis.NoReadings || j.Result.Blindness == analysis.NoCanaryReadings
	return j.Err != nil || j.Result.Verdict == analysis.Blind && lacks
}

// undivided reports whether the requests are not divided as planned, and the canary has too few.
func (j *judgement) undivided() bool {
	return j.Err == nil && j.Result.Verdict == analysis.Blind && j.Result.Blindness == analysis.FewerThanPlanned
}

// unread counts the time without readings while the canary has live traffic. After the
// blind limit stable gets everything, and after the error limit if the requests are not divided as
// planned: what hangs is counted nowhere. It is nil if nothing is to be done about it.
func (t *turn) unread(from time.Time) *decision {
	j := &t.o.Judged
	steps := t.s.Phase == phase.Progressing || t.s.Phase == phase.CompletingShift
	look := cmp.Or(t.o.Look, t.interval)
	if j.Anew { // it was something else that was borne, for longer
		t.s.Blind = time.Time{}
	}
	due, began := from.Add(look), t.s.Blind.IsZero()
	switch {
	case !j.unread() && !(j.undivided() && t.mayBlame(cause.Undivided)):
		ends := j.Result.Blindness != analysis.StableFails && !t.before(due) // before that a judge need not ask its store
		if j.Result.Verdict != analysis.Blind || ends {
			t.s.Blind = time.Time{}
		}
		return nil
	case !t.exposed() && !t.promoted() || t.s.PromoteNow, began && t.before(due):
		return nil
	}
	since, limit := t.s.Blind, t.blindLimit(look, steps && !j.undivided())
	switch {
	case began && j.undivided():
		since, t.s.Blind = t.o.Now, t.o.Now
	case began: // when it was asked: the answer may take as long as the limit to fail to come
		since = later(due, j.Unread)
	}
	if !t.before(since.Add(min(look, limit/2))) { // or it is a gap that needs no note
		t.s.Blind = since
	}
	if t.before(since.Add(limit)) {
		return nil
	}
	return t.tooBlind(steps)
}

// tooBlind takes users off a canary that nobody can judge.
func (t *turn) tooBlind(steps bool) *decision {
	j := &t.o.Judged
	c, what := cause.NoReadings, "no readings"
	switch {
	case j.undivided():
		c, what = cause.Undivided, "nothing to compare"
	case j.Err == nil && j.Result.Blindness == analysis.NoCanaryReadings:
		c = cause.NoCanaryReadings
	}
	why := fmt.Sprintf("%s for %v: %s", what, t.o.Now.Sub(t.s.Blind).Round(time.Second), j.words())
	if !steps || t.s.Recalled { // stable may be between two versions
		return t.rollBack(why)
	}
	return t.fallBack(c, why)
}

// promoted reports whether users have the new version of stable, and it may still go back.
func (t *turn) promoted() bool {
	return t.end.Kind == PromoteStable && rowOf(t.s.Phase).moved
}

// words are what the judge says of its want of readings.
func (j *judgement) words() string {
	if j.Err != nil {
		return j.Err.Error()
	}
	return j.Result.Reason
}
