package fake_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// badOutcome is what came of a rollout.
type badOutcome struct {
	scenario badScenario
	end      phase.Phase // Idle if it has not ended
	harm     float64
	allowed  float64
	wrong    []string
	notYet   string // why what is wrong does not count yet; "" if it does
	events   []string
}

func (o badOutcome) ratio() float64 {
	if o.harm == 0 {
		return 0
	}
	return o.harm / max(o.allowed, 1)
}

// outcome holds the run against what is allowed.
func (w *badWorld) outcome(s badScenario, lasted time.Duration) badOutcome {
	c := w.crew
	c.mu.Lock()
	defer c.mu.Unlock()
	o := badOutcome{scenario: s, end: c.end.Phase, harm: float64(w.ledger.harm), events: c.events}
	rate := badRate
	if w.edge {
		rate += badEdgeRate
	}
	for _, tr := range s.troubles {
		if tr.began {
			o.allowed += tr.allowed(w.plan, rate, lasted-tr.at)
		}
	}
	wrong := func(format string, args ...any) { o.wrong = append(o.wrong, fmt.Sprintf(format, args...)) }
	if o.ratio() > 1 {
		wrong("%.0f requests were harmed, and %.0f are allowed", o.harm, o.allowed)
	}
	switch {
	case o.end != phase.Idle && c.told != o.end:
		wrong("it ended %v, and the Observer was told %v", o.end, c.told)
	case o.end == phase.Idle && c.last.Err == nil && (c.last.Reason.Cause == cause.None || c.last.Reason.Detail == "" && c.last.Reason.Until.IsZero()):
		wrong("it neither ended nor said what it waits for: %v", c.last.Reason)
	}
	if w.ledger.wrong > 0 {
		wrong("it ended %v, and later the wrong version answered %d requests", o.end, w.ledger.wrong)
	}
	if len(o.wrong) > 0 {
		o.notYet = notYetBuilt(w, o)
	}
	return o
}

func (o badOutcome) String() string {
	return fmt.Sprintf("%v\n  ended %v, harm %.0f of %.0f\n  %s\n  %s", o.scenario, o.end, o.harm, o.allowed, strings.Join(o.wrong, "\n  "), strings.Join(o.events, "\n  "))
}

// badSum returns the worst part of the allowed harm, and how many rollouts did something wrong.
// What is not built yet counts for neither.
func badSum(all []badOutcome) (worst float64, violations int) {
	for _, o := range all {
		if o.notYet == "" {
			worst, violations = max(worst, o.ratio()), violations+min(1, len(o.wrong))
		}
	}
	return worst, violations
}

// badTable shows by kind how many rollouts had it, and the median and the worst of their
// harm as a part of what was allowed.
func badTable(all []badOutcome) string {
	kinds, ends, later := map[string][]float64{}, map[phase.Phase]int{}, map[string]int{}
	for _, o := range all {
		ends[o.end]++
		if o.notYet != "" {
			later[o.notYet]++
			continue
		}
		for _, tr := range o.scenario.troubles {
			if tr.began {
				kinds[tr.kind.name] = append(kinds[tr.kind.name], o.ratio())
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n%-24s %6s %7s %7s\n", ends, "harm as a part of what is allowed", "count", "median", "worst")
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		r := slices.Sorted(slices.Values(kinds[name]))
		fmt.Fprintf(&b, "%-24s %6d %7.2f %7.2f\n", name, len(r), r[len(r)/2], r[len(r)-1])
	}
	for _, why := range slices.Sorted(maps.Keys(later)) {
		fmt.Fprintf(&b, "%6d not counted: %s\n", later[why], why)
	}
	return b.String()
}

// notYet are the safety mechanisms that are designed and not built. A rollout that needs one
// may do something wrong without being a violation.
var notYet = []struct {
	why   string
	needs func(w *badWorld, o badOutcome) bool
}{
	{"the bake time is not judged, and CompletingShift is left without sight", func(_ *badWorld, o badOutcome) bool {
		return o.end == phase.Promoted && o.has(func(tr *badTrouble) bool {
			return tr.last && (tr.kind.group == "answers" || tr.kind.group == "speed")
		})
	}},
	{"an end is said although the mesh was not seen to do it", func(w *badWorld, o badOutcome) bool {
		return w.ledger.wrong > 0 && o.has(func(tr *badTrouble) bool { return tr.kind.group == "stall" })
	}},
	{"a stable that somebody changes after its promotion is not noticed", func(w *badWorld, o badOutcome) bool {
		return o.end == phase.Promoted && w.ledger.wrong > 0 && o.has(func(tr *badTrouble) bool { return tr.kind.group == "stable" && tr.last })
	}},
}

func (o badOutcome) has(is func(*badTrouble) bool) bool {
	return slices.ContainsFunc(o.scenario.troubles, func(tr *badTrouble) bool { return tr.began && is(tr) })
}

func notYetBuilt(w *badWorld, o badOutcome) string {
	for _, n := range notYet {
		if n.needs(w, o) {
			return n.why
		}
	}
	return ""
}
