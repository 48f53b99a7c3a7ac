package canary

import (
	"fmt"
	"slices"
	"time"
)

const (
	// maxTrace and maxReason keep an encoded State within maxState: a reason is
	// held at most maxTrace+1 times.
	maxTrace  = 8
	maxReason = 200
)

// stay waits, without changing anything.
func (t *turn) stay(r Reason) Decision {
	after := t.interval
	if left := r.Until.Sub(t.o.Now); left > 0 {
		after = min(after, left)
	}
	return Decision{Reason: r, After: after}
}

// write writes the State with the given traffic and looks again at once.
func (t *turn) write(traffic Traffic, r Reason) Decision {
	t.s.Serial++
	return Decision{Write: true, Traffic: traffic, Reason: r}
}

// shift writes new traffic.
func (t *turn) shift(traffic Traffic, r Reason) Decision {
	t.s.Traffic = traffic
	t.s.Shifted = t.o.Now
	t.s.Verified = time.Time{}
	t.s.Drifting = false
	d := t.write(traffic, r)
	d.After = t.settle
	return d
}

// enter moves to a phase and step with the given traffic. Traffic that the mesh
// does already need not be seen again.
func (t *turn) enter(phase Phase, step int, traffic Traffic, why string) Decision {
	s := &t.s
	from := t.place()
	s.Phase, s.Step = phase, step
	s.Entered = t.o.Now
	s.Paused, s.PausedFor = time.Time{}, 0
	s.Skipped, s.Approved = false, ""
	s.JudgeErrors = 0
	s.Command = Command{}
	t.record(from, why)

	r := Reason{Cause: CauseMoved, Detail: s.Reason}
	if phase == RollingBack || phase == RestoringStable {
		r.Cause = CauseFailed
	}
	if traffic == s.Traffic && traffic == t.o.Traffic && !s.Shifted.IsZero() {
		return t.write(traffic, r)
	}
	return t.shift(traffic, r)
}

// record notes in the State where it has come to, and why.
func (t *turn) record(from, why string) {
	s := &t.s
	s.Reason = clip(why, maxReason)
	move := Transition{At: t.o.Now, From: from, To: t.place(), Reason: s.Reason}
	s.Trace = append(slices.Clip(s.Trace[max(0, len(s.Trace)-maxTrace+1):]), move)
}

// place names the phase, or the step while there are steps.
func (t *turn) place() string {
	if t.s.Phase != Progressing {
		return t.s.Phase.String()
	}
	return fmt.Sprintf("step %d/%d %s", t.s.Step+1, len(t.steps), clip(t.steps[t.s.Step].Name, 48))
}

// seen tells whether the mesh does the traffic of the State, and since when. If
// it does not, the Decision says what to do about that.
func (t *turn) seen() (since time.Time, wait Decision, ok bool) {
	settled := t.s.Shifted.Add(t.settle)
	if !t.verify {
		if t.o.Now.Before(settled) {
			return since, t.stay(Reason{CauseSettling, t.s.Traffic.String(), settled}), false
		}
		return settled, wait, true
	}
	if !t.s.Verified.IsZero() {
		return t.s.Verified, wait, true
	}
	if t.o.Now.Before(settled) {
		return since, t.stay(Reason{CauseSettling, t.s.Traffic.String(), settled}), false
	}
	a := t.o.Answers[AskShown]
	switch a.Reply {
	case Unasked:
		return since, Decision{Ask: AskShown, Traffic: t.s.Traffic}, false
	case Yes:
		t.s.Verified = t.o.Now
		return since, t.write(t.o.Traffic, Reason{Cause: CauseMoved, Detail: "the mesh does " + t.s.Traffic.String()}), false
	}
	return since, t.stay(Reason{Cause: CauseNotShown, Detail: a.Reason}), false
}
