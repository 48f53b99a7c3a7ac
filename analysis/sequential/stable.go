package sequential

import (
	"fmt"
	"math"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// The reference of stable is its own past: so long before the rollout. It is worse than that if its
// last looks say so.
const (
	pastOfStable = time.Hour
	lastLooks    = 8
	worseAlpha   = 0.01
)

// before is the time whose counts are stable's past. It ends before the first look, also if a clock
// was set back after the rollout began.
func before(all []look) metrics.Window {
	to := all[0].began
	if first := all[0].window.From; first.Before(to) {
		to = first
	}
	return metrics.Window{From: to.Add(-pastOfStable), To: to}
}

// worse says that stable is worse than before the rollout, whatever the canary is: a canary can
// hurt both by what they share. It compares by the wide margin that a canary alone has.
func (p *rate) worse(judge Judge, k int) (why string, is bool) {
	test, err := evidence.NewErrorTest(evidence.Settings{Alpha: worseAlpha})
	if err != nil || p.past.Total == 0 {
		return "", false
	}
	test.Update(evidence.Look{Baseline: p.past})
	var now evidence.Count
	for i := max(0, k+1-lastLooks); i <= k; i++ {
		if l := p.table[i].Baseline; p.all[i].block == p.all[k].block && !p.all[i].alone {
			test.Update(evidence.Look{Canary: l, Alone: true})
			now.Bad, now.Total = now.Bad+l.Bad, now.Total+l.Total
		}
	}
	if test.Evidence().Fail < -math.Log(worseAlpha) {
		return "", false
	}
	return fmt.Sprintf("%s itself has %v %v at present, and had %v before the rollout", judge.Tuning.baseline(), inWords(now), p.Rate, inWords(p.past)), true
}

func inWords(c evidence.Count) metrics.Counts { return metrics.Counts{Total: c.Total, Bad: c.Bad} }

// ofStable adds what stable's own past says.
func (j Judge) ofStable(r *analysis.Result, all []look, tests []process) {
	for _, t := range tests {
		p, ok := t.(*rate)
		if !ok || p.Weight < 0 || p.FailOnly {
			continue
		}
		if why, is := p.worse(j, len(all)-1); is {
			r.StableWorse = true
			if r.Verdict != analysis.Fail {
				r.Reason = why + "; " + r.Reason
			}
			return
		}
	}
}
