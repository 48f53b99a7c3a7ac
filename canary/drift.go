package canary

import "fmt"

// drift compares the traffic read with that of the State. Both were written in
// one step, so a difference is somebody else's change and never a step under
// way. It is nil if there is nothing to do about it.
func (t *turn) drift() *decision {
	same := t.o.Traffic == t.s.Traffic
	switch {
	case same && t.o.Loss == lossless && !t.s.Drifting:
		return nil
	case same && t.s.Drifting:
		return t.shift(t.s.Traffic, Reason{Cause: CauseDrift, Detail: "the step's traffic is back"})
	case t.s.Drifting && t.o.Loss == lossless:
		return nil // left alone, as the plan says
	}
	t.s.Drifts = min(t.s.Drifts+1, maxCount)
	if t.o.Loss != lossless {
		return t.recalled()
	}
	return t.answerDrift(fmt.Sprintf("somebody changed %v to %v (%d of %d times)", t.s.Traffic, t.o.Traffic, t.s.Drifts, t.spec.drift.Limit))
}

// recalled puts a State back that somebody removed and this driver remembers.
func (t *turn) recalled() *decision {
	t.s.Serial = t.firstSerial() // what is remembered may be a few writes old
	what := fmt.Sprintf("the rollout's state was %v by somebody else, with %v (%d of %d times)", t.o.Loss, t.o.Traffic, t.s.Drifts, t.spec.drift.Limit)
	if row := t.s.Phase.row(); t.end.Kind == PromoteStable && !row.moved && !row.back {
		// What is remembered may be older than what was removed: stable may be
		// under promotion already.
		t.s.Recalled = true
		if t.o.Traffic == everything && t.s.Traffic != everything {
			return t.rollBack("drift: " + what)
		}
	}
	return t.answerDrift(what)
}

func (t *turn) answerDrift(what string) *decision {
	r := Reason{Cause: CauseDrift, Detail: what}
	if row := t.s.Phase.row(); !row.back && !row.moved && t.s.Drifts > t.spec.drift.Limit {
		return t.rollBack("drift: " + what)
	}
	switch t.driftPolicy() {
	case Adopt:
		return t.shift(t.o.Traffic, r)
	case HoldAndAsk:
		t.s.Drifting = true
		return t.write(t.o.Traffic, r)
	case RollBackOnDrift:
		return t.rollBack("drift: " + what)
	}
	return t.reassert(r)
}

// driftPolicy is the plan's in its steps. What is restored with the traffic that was
// found keeps what is found.
func (t *turn) driftPolicy() DriftPolicy {
	switch {
	case t.s.Phase == Progressing:
		return t.spec.drift.Policy
	case t.s.Phase == RestoringStable && t.s.Recalled:
		return Adopt
	}
	return Reassert
}

// reassert puts the traffic of the State back.
func (t *turn) reassert(r Reason) *decision {
	if d := t.standing(r.Detail); d != nil {
		return d
	}
	d := t.shift(t.s.Traffic, r)
	if t.s.Drifts > t.spec.drift.Limit {
		d.After = t.interval // somebody goes on changing it, and it must go back all the same
	}
	return d
}

// standing asks whether traffic that is to be put back can flow still, as what
// stood for it may be gone as well. It is nil if it can.
func (t *turn) standing(what string) *decision {
	back := t.s.Traffic
	switch a := t.o.Answers[askReady]; {
	case back == t.o.Traffic || back == Traffic{} || a.Reply == Yes:
		return nil
	case a.Reply == Unasked:
		return t.decide(decision{Ask: askReady, Traffic: back, Pin: t.s.Pin})
	case t.s.Phase == Progressing:
		return t.unready(back)
	default:
		return t.stay(Reason{Cause: CauseDrift, Detail: what + "; it is put back when it can flow: " + a.Reason})
	}
}
