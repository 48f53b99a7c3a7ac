package canary

import (
	"cmp"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// The bounds of a return in parts.
const (
	giving    = 5 * time.Minute // until stable has all traffic
	leastGift = 5 * Percent     // in one write
	doubling  = Full / 2        // what stable gets at once although nobody knows its pods
)

// gradual reports whether the canary may keep a share of the live traffic in a phase in which
// stable is to have all.
func gradual(p phase.Phase) bool {
	return p == phase.Retreating || p == phase.Returning || p == phase.RollingBack
}

// inParts reports whether traffic returns to stable in parts, and the canary still has one.
func (p *Place) inParts() bool {
	return p.Traffic.Canary > 0 && (!p.Giving.IsZero() || p.Phase == phase.Returning)
}

// keep puts into the traffic of a phase what the canary keeps of its share, because stable has
// no pods for it, or because it returns in steps. It is nil when that is known.
func (t *turn) keep(p phase.Phase, traffic *Traffic) *decision {
	has := t.o.Traffic.Canary
	pinned := t.o.Workload && t.s.Pin != (Pin{})
	switch {
	case !gradual(p) || has == 0:
		return nil
	case pinned && t.o.Answers[askInspected].Reply == unasked:
		return t.decide(decision{Ask: askInspected, Traffic: t.s.Traffic, Pin: t.s.Pin})
	case pinned && t.s.Giving.IsZero() && t.o.Erred[askInspected]:
		traffic.Canary = max(0, has-doubling)
	case pinned:
		traffic.Canary = t.kept(has)
	}
	traffic.Canary = max(traffic.Canary, min(has, t.planned(p)))
	return nil
}

// kept is what the canary keeps of what it has. It is what stable has no pods for, which falls
// to nothing with the time: load is what makes an autoscaler add pods, and no wait is without an
// end. A canary that cannot answer keeps nothing, and a stable that cannot gets nothing.
func (t *turn) kept(has Weight) Weight {
	seen, since := &t.o.Inspection, t.s.Giving
	if since.IsZero() {
		since = t.o.Now
	}
	left := min(giving, since.Add(giving).Sub(t.o.Now)+t.o.Doubt)
	switch {
	case seen.Dead != "":
		return 0
	case seen.StableDead != "", seen.Shortfall >= Full:
		return has
	case left <= 0:
		return 0
	}
	lacks := max(0, min(Full, seen.Shortfall))
	if t.unknown() {
		lacks = Full
	}
	share := Weight(float64(lacks) * float64(left) / float64(giving))
	return min(has, share/Percent*Percent)
}

// gives notes since when traffic returns in parts, which another phase may have begun. A share of
// a return in steps is held first.
func (t *turn) gives(since time.Time) {
	if !gradual(t.s.Phase) || t.s.Traffic.Canary == 0 {
		return
	}
	t.s.Giving = since
	switch {
	case t.arrived():
		t.s.Giving = time.Time{}
	case since.IsZero():
		t.s.Giving = t.o.Now
	}
}

// giveBackAtOnce is giveBack where nothing is judged first.
func (t *turn) giveBackAtOnce() *decision {
	if t.s.Phase != phase.RollingBack && t.o.Inspection.Dead == "" {
		return nil
	}
	return t.giveBack(time.Time{})
}

// unknown reports whether nobody knows what pods there are.
func (t *turn) unknown() bool { return !t.o.Workload || t.o.Erred[askInspected] }

// giveBack gives stable more of its traffic as it gets the pods for it. In steps, stable first
// has its share for the hold, from when the mesh was seen to do it. It is nil when stable has
// everything.
func (t *turn) giveBack(seen time.Time) *decision {
	s := &t.s
	switch {
	case !s.inParts():
		return nil
	case t.o.Workload && t.o.Answers[askInspected].Reply == unasked:
		return t.decide(decision{Ask: askInspected, Traffic: s.Traffic, Pin: s.Pin})
	}
	if d := t.holdShare(seen); d != nil {
		return d
	}
	if s.Giving.IsZero() { // the hold of its share is over
		s.Giving = t.o.Now
	}
	why := fmt.Sprintf("stable has ready pods for %v of the traffic", Full-max(0, min(Full, t.o.Inspection.Shortfall)))
	if t.unknown() {
		why = "nobody knows how many pods of stable are ready"
	}
	why = cmp.Or(t.o.Inspection.StableDead, why)
	planned := t.planned(s.Phase)
	kept := max(t.kept(s.Traffic.Canary), planned)
	if gift := s.Traffic.Canary - kept; gift == 0 || gift < leastGift && kept > planned {
		return t.stay(Reason{cause.Capacity, why + "; it gets more with each pod, and with the time", s.Giving.Add(giving)})
	}
	r := Reason{Cause: cause.Capacity, Detail: why}
	if kept == planned && t.inSteps(s.Phase) {
		r = Reason{Cause: cause.MovedOn, Detail: t.nextShare()}
	}
	since := s.Giving
	d := t.shift(Traffic{Canary: kept, HeaderRoutes: s.Traffic.HeaderRoutes}, r)
	t.gives(since)
	return d
}
