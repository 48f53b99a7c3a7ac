package canary

import (
	"cmp"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// lastLooks is how many looks stable is looked at when it has all traffic again, the warm-up of
// a judge included, if that takes no longer than lastTime.
const lastLooks, lastTime = 5, 5 * time.Minute

// outageLooks is how many looks a judge needs to find an outage.
const outageLooks = 3

// lateFault keeps the traffic from a promoted stable until a fault that began at the end of the
// last step was found: a plan without a bake time has no later judgement. It is nil if that time
// is over, or if nobody judges in looks. A judge that says how well it has seen this time, as its
// counts are late or few, has as much as the last time for it. Long looks take theirs.
func (t *turn) lateFault() *decision {
	s := &t.s
	if s.Phase != phase.PromotingStable || s.PromoteNow || t.o.Look == 0 || len(t.steps) == 0 || t.steps[s.Step].Requires == Nothing {
		return nil
	}
	takes := min(t.lag+outageLooks*t.o.Look, t.errorLimit())
	if j := &t.o.Judged; j.Asked && j.Err == nil && j.Result.Sight < j.Result.Needed {
		takes = max(takes, lastTime)
	}
	until := s.Entered.Add(takes)
	if !t.before(until) {
		return nil
	}
	return t.stay(Reason{cause.Verdict, "stable is promoted, and the end of the last step is still looked at", until})
}

// aftermath looks at stable after a way back, and adds what it shows to the reason: if stable
// does no better, the canary was not the cause. It is nil when that is done, or if the canary
// had no traffic to be judged by.
func (t *turn) aftermath() *decision {
	s, n := &t.s, len(t.s.Blocks)
	if s.Phase != phase.RollingBack || s.Restart || len(t.steps) == 0 || n == 0 || s.Blocks[n-1].Traffic.Canary == 0 {
		return nil
	}
	since, _ := t.seen()
	w := t.window(since)
	until := w.From.Add(min(lastTime, lastLooks*cmp.Or(t.o.Look, t.interval)))
	switch {
	case t.before(until):
		return t.stay(Reason{cause.Verdict, "stable has all traffic again, and is looked at", until})
	case !t.o.Judged.Asked:
		r := t.request(w)
		r.Earlier, r.Dropped, r.Carry, r.Frozen = nil, 0, nil, nil // this time alone
		r.PromotionBegan = time.Time{}                             // stable has the old version
		return t.decide(decision{Ask: askJudge, Request: r})
	}
	const room = maxReason / 3
	if shows := t.o.Judged.aftermath(); shows != "" {
		s.Reason = clip(s.Reason, maxReason-room) + clip(shows, room)
	}
	return nil
}

// aftermath is what the numbers behind an answer say of stable, or of what it is compared with.
func (j *judgement) aftermath() string {
	if j.Err != nil {
		return "; how stable does since then is not known"
	}
	var said []string
	for _, v := range j.Result.Values {
		if v.Arm != "canary" && v != (analysis.Value{Name: v.Name, Arm: v.Arm, Unit: v.Unit}) {
			said = append(said, v.String()+" "+v.Name)
		}
	}
	if said == nil {
		return ""
	}
	return "; since then: " + strings.Join(said, ", ")
}
