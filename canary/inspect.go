package canary

import (
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/enum"
)

// ChangePolicy is an answer to a canary that becomes another version during a rollout.
type ChangePolicy uint8

// The policies.
const (
	ChangeRollBack ChangePolicy = iota // the zero value: roll back
	ChangeRestart                      // roll back, and begin the rollout again with the new version
	ChangeHold                         // stay in the step until the version is back, or until an order
)

var changeNames = [...]string{"roll back", "restart", "hold"}

// String returns the name as it stands in an encoded plan.
func (p ChangePolicy) String() string { return enum.Name("ChangePolicy", changeNames[:], p) }

// MarshalText implements [encoding.TextMarshaler].
func (p ChangePolicy) MarshalText() ([]byte, error) {
	return enum.Marshal("onChange", changeNames[:], p)
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *ChangePolicy) UnmarshalText(text []byte) error {
	return enum.Unmarshal("onChange", changeNames[:], text, p)
}

// inspect looks at the pods. A canary that cannot answer loses its live traffic, and one that
// is another version is not what was judged. It is nil if all is well, or if nobody knows.
func (t *turn) inspect() *decision {
	if !t.o.Workload {
		return nil
	}
	seen := &t.o.Inspection
	switch {
	case t.o.Answers[askInspected].Reply == unasked:
		return t.decide(decision{Ask: askInspected, Traffic: t.s.Traffic, Pin: t.s.Pin})
	case seen.Dead != "" && t.exposed():
		d := t.fallBack(cause.NoPods, seen.Dead) // stable gets everything, even if it is between two versions
		if d.Write && t.s.Phase == phase.Retreating {
			t.s.Failing = t.o.Now
		}
		return d
	case seen.CanaryChanged != "" && t.onChange != ChangeHold && !t.s.Recalled:
		return t.otherCanary()
	case seen.Failed != "":
		return t.rollBack(seen.Failed)
	}
	return nil
}

// look inspects the pods where the canary has all traffic, or stable was promoted. It is nil
// if that is all right.
func (t *turn) look() *decision {
	switch t.s.Phase {
	case phase.CompletingShift:
		return t.inspect()
	case phase.PromotingStable, phase.RestoringStable, phase.Returning, phase.Baking:
		return t.afterwards()
	case phase.RollingBack:
		return t.keepsStable()
	}
	return nil
}

// keepsStable asks about the pods where stable has all traffic, so that a Workload that scales keeps
// its pods. It is nil when that was asked, or if the Workload does not scale, or nothing was pinned.
func (t *turn) keepsStable() *decision {
	if !t.o.Scaler || t.s.Pin == (Pin{}) || t.o.Answers[askInspected].Reply != unasked {
		return nil
	}
	return t.decide(decision{Ask: askInspected, Traffic: t.s.Traffic, Pin: t.s.Pin})
}

// endForGood takes back that the rollout is to begin again.
func (t *turn) endForGood() *decision {
	why := t.s.Command.Order.String() + t.s.Command.credit()
	t.s.Restart, t.s.Command = false, Command{}
	return t.write(t.o.Traffic, Reason{Cause: cause.MovedOn, Detail: why + "; it does not begin again"})
}

// afterwards turns back when the canary has the traffic and no ready pod, although stable may
// be between two versions, and when somebody has put another version in the place of the
// promoted one. It is nil if all is well.
func (t *turn) afterwards() *decision {
	seen := &t.o.Inspection
	switch {
	case !t.o.Workload || t.s.Recalled || t.end.Kind == Discard:
	case t.o.Answers[askInspected].Reply == unasked:
		return t.decide(decision{Ask: askInspected, Traffic: t.s.Traffic, Pin: t.s.Pin})
	case t.end.Kind == Stay:
		return t.stayed()
	case seen.Dead != "" && t.exposed():
		return t.bereft(seen.Dead)
	case seen.Failed != "" && t.s.Phase == phase.PromotingStable: // or stable runs the same version
		return t.rollBack(seen.Failed)
	case seen.StableChanged != "" && t.s.inParts():
		return t.rollBack(seen.StableChanged)
	case seen.StableChanged != "" && (t.s.Phase == phase.Baking || t.s.Phase == phase.Returning):
		return t.putBack(seen.StableChanged) // users stay where somebody has put them
	}
	return nil
}

// stayed is afterwards where the canary keeps the traffic for good.
func (t *turn) stayed() *decision {
	seen := &t.o.Inspection
	switch {
	case seen.Dead != "":
		return t.rollBack(seen.Dead)
	case seen.CanaryChanged != "" && t.onChange != ChangeHold:
		return t.otherCanary()
	case seen.Failed != "":
		return t.rollBack(seen.Failed)
	}
	return nil
}

// bereft decides where a canary without a ready pod has users. A stable that is promoted gets
// them, and behind a point of no return the promotion goes on: it is what helps.
func (t *turn) bereft(why string) *decision {
	if t.s.Phase == phase.Returning || t.s.mustStay() {
		return nil
	}
	return t.restoreInPlace(why)
}

// putBack restores stable where it is, unless the rollout has come to a point of no return.
func (t *turn) putBack(why string) *decision {
	if t.s.mustStay() {
		return t.callPeople(why)
	}
	return t.restoreInPlace(why)
}

// otherCanary turns back, and begins again if the plan says so.
func (t *turn) otherCanary() *decision {
	d := t.rollBack(t.o.Inspection.CanaryChanged)
	if d.Write && t.s.leadsBack() {
		t.s.Restart = t.onChange == ChangeRestart
	}
	return d
}
