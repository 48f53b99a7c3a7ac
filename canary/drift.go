package canary

import (
	"cmp"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// drift compares the traffic read with that of the State. Both were written in
// one step, so a difference is somebody else's change and never a step under
// way. It is nil if there is nothing to do about it.
func (t *turn) drift() *decision {
	same := t.o.Traffic == t.s.Traffic
	switch {
	case t.o.Loss != lossless:
		t.s.Drifts = min(t.s.Drifts+1, maxCount)
		return t.recalled()
	case same && t.s.Drifting:
		return t.shift(t.s.Traffic, Reason{Cause: cause.Drift, Detail: "somebody has restored the step's traffic"})
	case same:
		return nil
	case t.misfit():
		t.repairs = true
		return nil
	case t.s.Drifting && t.driftPolicy() == Reassert:
		return t.reassert(fmt.Sprintf("somebody changed %v to %v", t.s.Traffic, t.o.Traffic))
	case t.s.Drifting:
		return nil // left alone, as the plan says
	}
	t.s.Drifts = min(t.s.Drifts+1, maxCount)
	return t.answerDrift(fmt.Sprintf("somebody changed the traffic from %v to %v (change %d of at most %d)", t.s.Traffic, t.o.Traffic, t.s.Drifts, t.spec.drift.Limit))
}

// recalled puts a State back that somebody removed and this driver remembers.
func (t *turn) recalled() *decision {
	t.s.Serial = t.firstSerial()                     // what is remembered may be a few writes old,
	t.s.Shifted, t.s.Verified = t.o.Now, time.Time{} // and nobody knows what the traffic was since
	what := fmt.Sprintf("somebody %v, with %v (change %d of at most %d)", t.o.Loss, t.o.Traffic, t.s.Drifts, t.spec.drift.Limit)
	row := rowOf(t.s.Phase)
	if t.end.Kind == PromoteStable && !row.moved && !row.back {
		// What is remembered may be older than what was removed: stable may be
		// under promotion already.
		t.s.Recalled = true
	}
	switch {
	case t.s.leadsBack():
	case t.s.Command.Order == order.Abort:
		return t.obey()
	case t.o.Age > max(maxStale, 2*t.interval):
		return t.rollBack(fmt.Sprintf("drift: %s; the State that this driver remembers is %v old", what, t.o.Age.Round(time.Second)))
	case t.s.Recalled && t.o.Traffic.Canary == Full && t.s.Traffic.Canary != Full:
		return t.rollBack("drift: " + what)
	}
	return t.answerDrift(what)
}

func (t *turn) answerDrift(what string) *decision {
	r := Reason{Cause: cause.Drift, Detail: what}
	gone := t.goneWithoutNeed()
	if gone {
		t.s.Traffic.HeaderRoutes = false
	}
	switch {
	case !t.s.leadsBack() && !t.s.mustStay() && !rowOf(t.s.Phase).moved && t.s.Drifts > t.spec.drift.Limit:
		return t.rollBack("drift: " + what)
	case t.o.Refused != "":
		return t.reassert(what)
	case gone && !t.s.Traffic.exceeds(t.o.Traffic):
		return t.shift(t.s.Traffic, r)
	}
	return t.byPolicy(what)
}

// byPolicy answers drift as the plan says.
func (t *turn) byPolicy(what string) *decision {
	r := Reason{Cause: cause.Drift, Detail: what}
	switch t.driftPolicy() {
	case Adopt:
		adopted := t.o.Traffic
		adopted.HeaderRoutes = adopted.HeaderRoutes && t.s.Traffic.HeaderRoutes // they are the plan's
		r.Detail += "; it is adopted"
		return t.shift(adopted, r)
	case HoldAndAsk:
		t.s.Drifting, t.s.Drifted = true, t.o.Now
		r.Detail += "; it stays until an order: resume restores the step's traffic, abort rolls back"
		return t.write(t.o.Traffic, r)
	case RollBackOnDrift:
		return t.rollBack("drift: " + what)
	}
	return t.reassert(what)
}

// misfit reports whether the header routes alone are not as they should be, because
// somebody changed them or their rule. That is no other traffic: they are made anew.
func (t *turn) misfit() bool {
	found := t.o.Traffic
	found.HeaderRoutes = true
	return found == t.s.Traffic && !t.goneWithoutNeed()
}

// repair goes on with the rollout, and makes the header routes anew if that writes
// nothing, or tells why it cannot.
func (t *turn) repair() *decision {
	before := t.s
	d := t.act()
	if d.Ask != askNothing || d.Write || d.Err != nil {
		return d
	}
	d.Reason = Reason{Cause: cause.Drift, Detail: "the header routes differ from their rules, and are written again"}
	after := d.After
	switch a := t.mayPutBack(); a.Reply {
	case Yes:
	case unasked:
		return t.decide(decision{Ask: askReady, Traffic: t.s.Traffic, Pin: t.s.Pin})
	default:
		d.Reason.Detail += ", and cannot be made anew: " + a.Reason
		return d
	}
	t.s = before // nothing came of what was begun
	d = t.write(t.s.Traffic, d.Reason)
	d.After = after
	return d
}

// goneWithoutNeed reports whether somebody removed header routes on the way back, or
// where stable has all traffic: they are put up again with traffic that needs them.
func (t *turn) goneWithoutNeed() bool {
	stable := rowOf(t.s.Phase).traffic != ofStep && t.s.Traffic == Traffic{HeaderRoutes: true}
	return t.s.Traffic.HeaderRoutes && !t.o.Traffic.HeaderRoutes && (stable || t.s.leadsBack())
}

// driftPolicy is the plan's in its steps. What is restored with the traffic that was
// found keeps what is found.
func (t *turn) driftPolicy() DriftPolicy {
	switch {
	case t.s.Phase == phase.Progressing && (t.spec.drift.Policy != RollBackOnDrift || !t.s.mustStay()):
		return t.spec.drift.Policy
	case t.s.Phase == phase.RestoringStable && t.s.Recalled, (!t.s.Giving.IsZero() || t.s.inParts()) && !t.o.Traffic.exceeds(t.s.Traffic):
		return Adopt
	}
	return Reassert
}

// reassert puts the traffic of the State back: at once, unless it gives the canary
// more than it has, for which everything must be ready, as what stood for it may be
// gone as well.
func (t *turn) reassert(what string) *decision {
	if a := t.mayPutBack(); a.Reply != Yes {
		return t.endure(what, a)
	}
	d := t.shift(t.s.Traffic, Reason{Cause: cause.Drift, Detail: what + "; it is restored"})
	if t.s.Drifts > t.spec.drift.Limit {
		d.After = t.interval // somebody goes on changing it, and it must go back all the same
	}
	return d
}

// mayPutBack tells whether the traffic of the State can be put back.
func (t *turn) mayPutBack() Answer {
	switch {
	case t.o.Refused != "":
		return Wait.Because("%s", t.o.Refused)
	case t.s.Traffic.exceeds(t.o.Traffic):
		return t.o.Answers[askReady]
	}
	return Answer{Reply: Yes}
}

// endure goes on with what was found until it can be put back, but no further: it is
// judged, and commands are obeyed.
func (t *turn) endure(what string, a Answer) *decision {
	switch {
	case a.Reply == unasked:
		return t.decide(decision{Ask: askReady, Traffic: t.s.Traffic, Pin: t.s.Pin})
	case a.Reply == No && t.s.Phase != phase.PromotingStable && !t.s.leadsBack() && !t.s.mustStay():
		return t.rollBack("drift: " + what + "; the step's traffic cannot be restored: " + a.Reason)
	case t.s.Phase == phase.Progressing && !t.s.Drifting, t.o.Loss != lossless:
		if t.s.Phase == phase.Progressing {
			t.s.Drifting, t.s.Drifted = true, t.o.Now
		}
		return t.write(t.o.Traffic, Reason{Cause: cause.Drift, Detail: what})
	}
	t.held = what + "; it is put back when that is possible: " + a.Reason
	return nil
}

// driftsUntil is how long the traffic of somebody else may stand. An earlier version of the
// library did not note since when it does.
func (t *turn) driftsUntil() time.Time {
	return later(t.s.Entered, t.s.Drifted).Add(t.pauseLimit())
}

// drifting waits until the step's traffic can be restored, or for an order.
func (t *turn) drifting() *decision {
	why := cmp.Or(t.held, "the traffic of somebody else stays until an order: resume restores the step's traffic, abort rolls back")
	until := t.driftsUntil()
	if !t.before(until) {
		return t.rollBack(fmt.Sprintf("drift for %v: %s", t.pauseLimit(), why))
	}
	return t.stay(Reason{cause.Drift, why, until})
}
