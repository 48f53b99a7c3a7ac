package fake_test

import (
	"context"
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
	number   uint64
	scenario badScenario
	end      phase.Phase // Idle if it has not ended
	waits    string      // what for, if it has not ended
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
	o := badOutcome{scenario: s, end: c.end.Phase, harm: w.ledger.harm, events: c.events}
	common := w.exposure(s, lasted)
	for _, tr := range s.troubles {
		if tr.began || tr.kind.autoscaled {
			common.lasts = tr.rest(lasted - tr.at)
			o.allowed += tr.allowed(common, w.greatest)
		}
	}
	wrong := func(format string, args ...any) { o.wrong = append(o.wrong, fmt.Sprintf(format, args...)) }
	if o.ratio() > 1 && o.late(w) {
		o.harm = 0
	}
	if o.ratio() > 1 {
		wrong("%.0f requests were harmed, and %.0f are allowed", o.harm, o.allowed)
	}
	if o.end != phase.Idle && c.told != o.end {
		wrong("it ended %v, and the Observer was told %v", o.end, c.told)
	}
	if c.early != "" {
		wrong("%s", c.early)
	}
	if w.writes > badWrites {
		wrong("it did not move for half an hour, and wrote %d times", w.writes)
	}
	if o.end == phase.Idle {
		o.waits = w.waits(wrong)
	}
	for _, tr := range s.troubles {
		if tr.began && tr.stays != nil && !tr.stays(w, s) {
			wrong("%s, and somebody overwrote that", tr.kind.name)
		}
	}
	w.scaled.ended(o.end, wrong)
	if w.ledger.wrong > 0 {
		wrong("it ended %v, and later the wrong version answered %d requests", o.end, w.ledger.wrong)
	}
	if len(o.wrong) > 0 {
		o.notYet = notYetBuilt(w, o)
	}
	return o
}

// exposure is what the troubles of a rollout mean to the allowance of each.
func (w *badWorld) exposure(s badScenario, lasted time.Duration) badExposure {
	x := badExposure{plan: w.plan, judged: w.judged, badPodsOf: badPodsOf{
		scaling: s.scaling, follows: s.follows, thin: s.autoscaled, start: badStart, ways: 1,
	}}
	for _, tr := range s.troubles {
		if !tr.began {
			continue
		}
		if tr.kind.group != "shrink" || tr.grows > 0 { // for want of pods of an idle stable nothing goes back
			x.ways++
		}
		x.abrupt = x.abrupt || tr.abrupt()
		x.unread = x.unread || tr.pods == "unread"
		x.undriven = x.undriven || tr.kind.group == "driver"
		x.thin, x.start = x.thin || tr.thins, max(x.start, tr.start)
		if tr.lacks {
			looks := lasted - tr.at
			if tr.kind.name != "pods start slowly" { // a pod that never starts stays, and an update waits for it
				looks = tr.rest(looks)
			}
			x.lacks = max(x.lacks, looks)
		}
	}
	return x
}

// abrupt reports whether somebody who is no driver may give stable all traffic because of it.
func (tr *badTrouble) abrupt() bool {
	return slices.Contains([]string{"driver", "object", "edit"}, tr.kind.group) || tr.kind.name == "State is removed"
}

// late reports whether something began too late for the judge to see it before the plan's bake
// time was over. What users lose after that is no rollout's.
func (o badOutcome) late(w *badWorld) bool {
	x := badExposure{plan: w.plan, judged: w.judged}
	seen := allowJudged(x)
	if len(o.scenario.troubles) > 1 {
		seen += x.first() // traffic that somebody changes begins a new window
	}
	if o.has(func(tr *badTrouble) bool { return tr.kind.group == "store" }) {
		seen += badErrorLimit
	}
	for _, tr := range o.scenario.troubles {
		if strings.HasPrefix(tr.kind.name, "API ") { // nobody can look or write
			seen += tr.lasts
		}
	}
	return o.end == phase.Promoted && o.has(func(tr *badTrouble) bool {
		return (tr.kind.group == "answers" || tr.kind.group == "speed") && w.crew.left.Before(tr.since.Add(seen))
	})
}

// badWrites is how often a rollout may write in half an hour in which it does not move: LookBy
// each five minutes, and what it notes of its troubles.
const badWrites = 20

// waits returns what a rollout that has not ended waits for.
func (w *badWorld) waits(wrong func(string, ...any)) string {
	last := w.crew.last
	switch {
	case len(w.crew.kill) == 0:
		ctx, cancel := context.WithTimeout(w.t.Context(), badSweep)
		defer cancel()
		if r, err := w.router().Read(ctx); err == nil && r.Traffic.Canary > 0 && !w.crew.called {
			wrong("nobody drives it, and users have %v", r.Traffic)
		}
		return "a driver"
	case last.Err != nil:
		return "an error to end"
	case last.Reason.Cause == cause.Unreachable && last.Traffic.Canary > 0 && last.At.Sub(w.crew.started) > badErrorLimit: // it was watched for longer than that
		wrong("users are on the canary, and a part has been away for longer than the error limit: %v", last.Reason)
	case last.Reason.Cause == cause.None || last.Reason.Detail == "" && last.Reason.Until.IsZero():
		wrong("it neither ended nor said what it waits for: %v", last.Reason)
	}
	return fmt.Sprintf("%v, %v", last.After.Phase, last.Reason.Cause)
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

// badTable shows by kind how many rollouts had it, how many of them did harm, and the median
// and the worst of their harm as a part of what was allowed.
func badTable(all []badOutcome) string {
	kinds, ends, first := map[string][]float64{}, map[string]int{}, map[string]uint64{}
	for _, o := range all {
		end := o.end.String()
		if o.end == phase.Idle {
			end = "not ended: " + o.waits
		}
		if o.notYet != "" {
			end = "not counted: " + o.notYet
		}
		if ends[end]++; ends[end] == 1 {
			first[end] = o.number
		}
		for _, tr := range o.scenario.troubles {
			if tr.began && o.notYet == "" {
				kinds[tr.kind.name] = append(kinds[tr.kind.name], o.ratio())
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "harm as a part of what is allowed\n%-24s %6s %6s %7s %7s\n", "", "count", "harm", "median", "worst")
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		count := len(kinds[name])
		r := slices.DeleteFunc(kinds[name], func(x float64) bool { return x == 0 })
		slices.Sort(r)
		harm := len(r)
		r = append(r, 0)[:max(1, harm)]
		fmt.Fprintf(&b, "%-24s %6d %6d %7.2f %7.2f\n", name, count, harm, r[len(r)/2], r[len(r)-1])
	}
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		fmt.Fprintf(&b, "%6d %s (the first one is %d)\n", ends[end], end, first[end])
	}
	return b.String()
}

// notYet are safety mechanisms that the engine lacks, most of them designed and not built. A
// rollout that needs one may do something wrong without being a violation; the table counts it.
// Whoever builds one removes its line here.
var notYet = []struct {
	why   string
	needs func(w *badWorld, o badOutcome) bool
}{
	{"a proxy that is behind sends to pods that stable had before, and no count tells them from those of today", func(w *badWorld, o badOutcome) bool {
		return w.ledger.wrong > 0 && o.has(func(tr *badTrouble) bool { return tr.kind.group == "stall" || tr.detail == deployments })
	}},
	{"the script does not hold stable against its own past, so a canary that hurts both goes on", func(w *badWorld, o badOutcome) bool {
		return !w.judged && o.has(func(tr *badTrouble) bool { return tr.kind.name == "canary hurts both" })
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
