package canary

import (
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// giving is how long stable may take to get all traffic, and leastGift how much more of it
// stable must be able to get for a write of its own.
const (
	giving    = 5 * time.Minute
	leastGift = 5 * Percent
)

// gradual reports whether the canary may keep a share of the live traffic in a phase in which
// stable is to have all.
func gradual(p phase.Phase) bool {
	return p == phase.Retreating || p == phase.Returning || p == phase.RollingBack
}

// keep puts into the traffic of a phase what the canary keeps of its share, because stable has
// no pods for it. It is nil when that is known. If nobody knows, the canary keeps nothing.
func (t *turn) keep(p phase.Phase, traffic *Traffic) *decision {
	most := min(t.s.Traffic.Canary, t.o.Traffic.Canary)
	if unknown := t.s.Recalled && t.s.Pin == (Pin{}); !gradual(p) || most == 0 || !t.o.Workload || unknown {
		return nil
	}
	if t.o.Answers[askInspected].Reply == unasked {
		return t.decide(decision{Ask: askInspected, Traffic: t.s.Traffic, Pin: t.s.Pin})
	}
	traffic.Canary = t.kept(most, t.o.Inspection.Shortfall, t.o.Now)
	return nil
}

// kept is what the canary keeps of most of the traffic, if stable has no pods for the shortfall. It
// falls to nothing within the time of giving: load is what makes an autoscaler add pods, and no wait is
// without an end. A canary that cannot answer keeps nothing.
func (t *turn) kept(most, shortfall Weight, since time.Time) Weight {
	left := min(giving, since.Add(giving).Sub(t.o.Now)+t.o.Skew)
	if t.o.Inspection.Dead != "" || left <= 0 {
		return 0
	}
	share := float64(max(0, min(Full, shortfall))) * float64(left) / float64(giving)
	return min(most, Weight(share)/Percent*Percent)
}

// giveBack gives stable more of its traffic as it gets the pods for it. It is nil when stable
// has everything.
func (t *turn) giveBack() *decision {
	s := &t.s
	switch {
	case s.Returned == 0 || s.Traffic.Canary == 0:
		return nil
	case t.o.Answers[askInspected].Reply == unasked:
		return t.decide(decision{Ask: askInspected, Traffic: s.Traffic, Pin: s.Pin})
	}
	shortfall := max(0, min(Full, t.o.Inspection.Shortfall))
	why := fmt.Sprintf("stable has ready pods for %v of the traffic", Full-shortfall)
	if t.o.Erred[askInspected] {
		shortfall, why = Full, "nobody knows how many pods of stable are ready"
	}
	kept := t.kept(s.Traffic.Canary, shortfall, s.Entered)
	if kept > 0 && s.Traffic.Canary-kept < leastGift {
		return t.stay(Reason{cause.Capacity, why + "; it gets the rest as it grows, and in any case in the end", s.Entered.Add(giving)})
	}
	s.Returned = min(s.Returned+1, maxCount)
	return t.shift(Traffic{Canary: kept, HeaderRoutes: s.Traffic.HeaderRoutes}, Reason{Cause: cause.Capacity, Detail: why})
}
