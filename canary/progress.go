package canary

import (
	"cmp"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// progress walks the plan's steps: it stays while something is lacking, and
// moves on when nothing is.
func (t *turn) progress() *decision {
	step := &t.steps[t.s.Step]
	if d := t.inspect(); d != nil {
		return d
	}
	t.answers()
	d := t.lacking(step)
	switch {
	case d == nil:
		return t.advance()
	case d.Ask != askNothing || d.Write:
		return d
	}
	return t.bounded(step, d)
}

// exposed reports whether users are on the canary, or are to be. Of a Router with several
// parts, one that somebody changed hides what the others do.
func (t *turn) exposed() bool { return t.o.Traffic.users() || t.s.Traffic.users() }

// users reports whether the traffic sends live requests to the canary.
func (t Traffic) users() bool { return t.Canary > 0 || t.Cohorts != "" }

// bounded applies the step's deadline to a decision to stay.
func (t *turn) bounded(step *Step, d *decision) *decision {
	if step.Deadline == 0 || !t.s.Paused.IsZero() || t.s.Phase == phase.Retreating {
		return d
	}
	if until := t.deadline(step); t.before(until) {
		d.After = min(d.After, max(time.Second, until.Sub(t.o.Now)))
		return d
	}
	advance := step.OnDeadline == DeadlineAdvance
	why := fmt.Sprintf("step %q missed its deadline of %v: %v", step.Name, step.Deadline, d.Reason)
	switch {
	case advance && d.Reason.Cause == cause.Hold: // which ends by itself
		return d
	case step.OnDeadline == DeadlinePause, advance && d.Reason.Cause == cause.Verdict && t.o.Judged.callsForPeople():
		t.s.Paused = t.o.Now
		t.record(why)
		return t.note(Reason{Cause: cause.Paused, Detail: t.s.Reason, Until: t.o.Now.Add(t.pauseLimit())})
	}
	return t.rollBack(why)
}

func (t *turn) deadline(step *Step) time.Time {
	return t.s.Entered.Add(step.Deadline + t.s.PausedFor)
}

// lacking finds the first thing that the step still lacks. What looks after the
// users' safety comes before what only a person or time can end. It is nil if
// nothing is lacking.
func (t *turn) lacking(step *Step) *decision {
	since, unseen := t.seen()
	if unseen != nil && (since.IsZero() || !t.exposed()) {
		return unseen
	}
	verdict, d := t.judge(step, since)
	if d == nil {
		d = t.obstacle()
	}
	switch {
	case d != nil:
		return d
	case unseen != nil: // a failing canary goes back all the same
		return t.stay(Reason{Cause: cause.Verifying, Detail: t.o.Answers[askShown].Reason})
	case !t.s.Paused.IsZero():
		return t.paused()
	case t.s.PromoteNow:
		return nil
	}
	return t.unripe(step, since, verdict)
}

// unripe waits for the end of the hold, the verdict, and the gates. It is nil if the step may be
// left.
func (t *turn) unripe(step *Step, since time.Time, verdict Reason) *decision {
	if until := since.Add(step.Hold); t.before(until) && !t.s.Skipped {
		return t.stay(Reason{cause.Hold, verdict.Detail, until})
	}
	if verdict.Cause != cause.None {
		return t.stay(verdict)
	}
	return t.pass(step.LeaveGates)
}

// obstacle is what keeps the step whatever the judge says. It is nil if nothing does.
func (t *turn) obstacle() *decision {
	seen := &t.o.Inspection
	switch {
	case t.o.Trouble != "" || t.o.Refused != "" || t.o.Erred[askInspected]:
		return t.outOfReach()
	case seen.Dead != "": // a canary of copies only, or users would be off it already
		return t.stay(Reason{Cause: cause.Capacity, Detail: seen.Dead})
	case seen.StableDead != "" && !t.s.PromoteNow:
		return t.stay(Reason{Cause: cause.Capacity, Detail: seen.StableDead})
	case seen.StableChanged != "" || seen.CanaryChanged != "":
		return t.stay(Reason{Cause: cause.OtherVersion, Detail: cmp.Or(seen.StableChanged, seen.CanaryChanged)})
	case t.s.Drifting:
		return t.drifting()
	}
	return nil
}

// judge asks for a verdict on the step. A failing one rolls back; what keeps the
// step for want of a verdict is returned as a Reason.
func (t *turn) judge(step *Step, since time.Time) (lack Reason, d *decision) {
	if step.Requires == Nothing {
		return lack, nil
	}
	window := t.window(since)
	switch {
	case !window.To.After(window.From):
		return Reason{cause.Verdict, "the first metrics of this step are not available yet", window.From}, nil
	case !t.o.Judged.Asked:
		return lack, t.decide(decision{Ask: askJudge, Request: t.request(window)})
	}
	return t.judged(step, window.From)
}

// judged is what the judge's answer means to the step.
func (t *turn) judged(step *Step, from time.Time) (lack Reason, d *decision) {
	j := &t.o.Judged
	if d := t.unread(from); d != nil {
		return lack, d
	}
	if j.Err == nil && !(t.verifies() && t.s.Verified.IsZero()) {
		t.s.Carry = j.Result.Carry // for the next write
	}
	switch {
	case j.Err != nil && t.s.PromoteNow:
		return lack, nil
	case j.Err != nil: // no evidence, so it holds even a step that needs no pass
		return Reason{Cause: cause.JudgeError, Detail: j.Err.Error()}, nil
	case j.Result.Verdict == analysis.Fail:
		return lack, t.rollBack("the judge failed step \"" + step.Name + "\": " + j.Result.Reason)
	case j.Result.StableWorse && t.mayBlame(cause.StableWorse):
		return lack, t.fallBack(cause.StableWorse, j.Result.Reason)
	case t.suffices(step):
		return lack, nil
	}
	return Reason{Cause: cause.Verdict, Detail: j.Result.Reason}, nil
}

// suffices reports whether the verdict is what the step requires.
func (t *turn) suffices(step *Step) bool {
	j := &t.o.Judged
	return j.Result.Verdict == analysis.Pass || j.inconclusive() && (step.Requires == NoFailure || t.unproven(step))
}

// inconclusive reports whether the judge has seen enough to find a disaster, and no more.
func (j *judgement) inconclusive() bool {
	return j.Asked && j.Err == nil && j.Result.Verdict == analysis.Inconclusive
}

// callsForPeople reports whether a roll back would need more reason: nothing proves the canary bad, or
// stable fails as well, and would get everybody.
func (j *judgement) callsForPeople() bool {
	fails := j.Asked && j.Err == nil && j.Result.Verdict == analysis.Blind && j.Result.Blindness == analysis.StableFails
	return j.inconclusive() || fails
}

// unproven reports whether the step, which is not the last one, may be left without a Pass:
// its deadline is over, and nothing speaks against the canary.
func (t *turn) unproven(step *Step) bool {
	late := step.Deadline > 0 && !t.before(t.deadline(step))
	return late && step.OnDeadline == DeadlineAdvance && !t.o.Judged.Result.Doubt && t.s.Step < len(t.steps)-1
}

// advance enters the next step, or ends the plan, when everything is ready for
// that.
func (t *turn) advance() *decision {
	next := t.s.Step + 1
	if t.s.PromoteNow {
		next = max(next, len(t.steps)-1)
	}
	if next >= len(t.steps) {
		return t.finish()
	}
	why := "step done"
	if t.o.Judged.Asked && t.o.Judged.Err == nil {
		why = t.o.Judged.Result.Verdict.String() + ": " + t.o.Judged.Result.Reason
		if t.steps[t.s.Step].Requires == Pass && t.o.Judged.inconclusive() && !t.s.PromoteNow {
			why = "unproven, " + why
		}
	}
	return t.enterWhenReady(next, why)
}

// enterWhenReady enters the step when its gates are open and everything is ready
// for its traffic. Until
// then the deadline of the step that the rollout is in goes on.
func (t *turn) enterWhenReady(next int, why string) *decision {
	traffic := t.steps[next].Traffic
	if t.o.Trouble != "" {
		return t.bounded(&t.steps[t.s.Step], t.outOfReach())
	}
	if d := t.pass(t.steps[next].EnterGates); d != nil && !t.s.PromoteNow {
		if d.Ask != askNothing || d.Write {
			return d
		}
		return t.bounded(&t.steps[t.s.Step], d)
	}
	if d := t.unready(traffic); d != nil {
		return d
	}
	if dead := t.o.Inspection.Dead; dead != "" && traffic.users() { // whatever it has just answered
		return t.bounded(&t.steps[t.s.Step], t.stay(Reason{Cause: cause.Capacity, Detail: dead}))
	}
	return t.enter(phase.Progressing, next, traffic, why)
}

// unready asks whether everything is ready for the traffic. It is nil if it is.
func (t *turn) unready(traffic Traffic) *decision {
	switch a := t.o.Answers[askReady]; a.Reply {
	case unasked:
		return t.decide(decision{Ask: askReady, Traffic: traffic, Pin: t.s.Pin})
	case Wait:
		return t.bounded(&t.steps[t.s.Step], t.stay(Reason{Cause: cause.Capacity, Detail: a.Reason}))
	case No:
		return t.rollBack("the canary cannot take " + traffic.String() + ": " + a.Reason)
	}
	return nil
}
