package sequential

import (
	"context"
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

// past is what somebody else than the canary did before the rollout, and in its last looks: stable,
// or a neighbour. A canary can hurt them by what they share.
type past struct {
	who, what string
	before    evidence.Count
	looks     []evidence.Count
}

// worse says that the last looks are worse than what was before the rollout, whatever the canary is.
// It compares by the wide margin that a canary alone has.
func (p past) worse() (why string, is bool) {
	test, err := evidence.NewErrorTest(evidence.Settings{Alpha: worseAlpha})
	if err != nil || p.before.Total == 0 {
		return "", false
	}
	test.Update(evidence.Look{Baseline: p.before})
	var now evidence.Count
	for _, l := range p.looks {
		test.Update(evidence.Look{Canary: l, Alone: true})
		now = plus(now, l)
	}
	if test.Evidence().Fail < -math.Log(worseAlpha) {
		return "", false
	}
	return fmt.Sprintf("%s itself has %v %s at present, and had %v before the rollout", p.who, inWords(now), p.what, inWords(p.before)), true
}

func inWords(c evidence.Count) metrics.Counts { return metrics.Counts{Total: c.Total, Bad: c.Bad} }

// last returns which of the looks are the last ones of the present block.
func last(all []look) (from int) {
	for from = len(all) - 1; from > 0 && all[from-1].block == all[from].block && len(all)-from < lastLooks; from-- {
	}
	return from
}

// ofStable returns stable's own past in each metric that may fail it.
func (j Judge) ofStable(all []look, tests []process) (pasts []past) {
	for _, t := range tests {
		p, ok := t.(*rate)
		if !ok || p.Weight < 0 || p.FailOnly || all[len(all)-1].alone {
			continue
		}
		one := past{who: j.Tuning.baseline(), what: p.String(), before: p.past}
		for i := last(all); i < len(all); i++ {
			one.looks = append(one.looks, p.table[i].Baseline)
		}
		pasts = append(pasts, one)
	}
	return pasts
}

// ofNeighbours counts the server errors of the neighbours, while the canary has users. Those that
// nobody knows have no past.
func (j Judge) ofNeighbours(ctx context.Context, all []look) (pasts []past, err error) {
	if now := all[len(all)-1]; now.block.Mirrored || now.merged {
		return nil, nil
	}
	var windows []metrics.Window
	for i := last(all); i < len(all); i++ {
		windows = append(windows, all[i].window)
	}
	for _, arm := range j.Neighbours {
		query, q := metrics.Query{Arm: arm, Reporter: j.Tuning.Reporter}, question{past: &metrics.Counts{}}
		one := past{who: arm.String(), what: query.Signal.String()}
		counts, err := q.ask(ctx, j.Provider, query, windows)
		if metrics.NoData(err) {
			continue
		}
		if err == nil {
			err = checkCounts(counts, q.size(), len(windows))
		}
		if err == nil {
			err = q.readPast(ctx, j.Provider, query, before(all))
		}
		if err != nil {
			return nil, fmt.Errorf("analysis: neighbour %v: %w", arm, err)
		}
		for _, c := range counts[0] {
			one.looks = append(one.looks, count(c))
		}
		one.before = count(*q.past)
		pasts = append(pasts, one)
	}
	return pasts, nil
}

// compare adds what the pasts say.
func compare(r *analysis.Result, pasts []past) {
	for _, p := range pasts {
		if why, is := p.worse(); is {
			r.StableWorse = true
			if r.Verdict != analysis.Fail {
				r.Reason = why + "; " + r.Reason
			}
			return
		}
	}
}
