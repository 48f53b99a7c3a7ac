package sequential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// look is one look of a rollout.
type look struct {
	window metrics.Window
	block  *analysis.Block
	first  bool // of its block
	now    bool // of the step under way
	// alone: the canary has no baseline beside it. merged: both workloads run the new version.
	alone, merged bool
	lost          int // looks before the first one that nobody has any more
	began         time.Time
}

// looks cuts the blocks of a rollout into looks of equal length. The rest of a
// block that is over is a look as well; one that is not over is left for later,
// and so is one that ended within the lag. So a look that was there once is there
// again, with the same counts, whoever asks and whenever. Where the canary got a larger
// share, the first looks are its warm-up, and left out. So are those of the oldest block that is
// left, as nobody knows what was before it.
func looks(r analysis.Request, every, lag time.Duration, warmup int) []look {
	var all []look
	blocks := r.Blocks()
	began := r.Began
	if began.IsZero() {
		began = blocks[0].Window.From
	}
	for i := range blocks {
		block, over := &blocks[i], i < len(r.Earlier)
		cold := 0
		if i == 0 || warms(&blocks[i-1], block) {
			cold = warmup
		}
		begin := block.Window.From.Add(time.Duration(cold) * every)
		for from := begin; from.Before(block.Window.To); from = from.Add(every) {
			w := metrics.Window{From: from, To: from.Add(every)}
			if w.To.After(block.Window.To) {
				if !over {
					break
				}
				w.To = block.Window.To
			}
			if w.To.Add(lag).After(r.Window.To) {
				return all
			}
			merged := !r.PromotionBegan.IsZero() && !from.Before(r.PromotionBegan)
			all = append(all, look{w, block, from.Equal(begin), !over, merged || !block.Mirrored && block.Canary == 1, merged, r.Dropped, began})
		}
	}
	return all
}

// warms reports whether the canary's pods may start cold in a block: it got a larger share, or has its
// share back after a time in which it was moved away.
func warms(before, block *analysis.Block) bool {
	back := before.Canary == block.Canary && before.Window.To.Before(block.Window.From)
	return before.Canary < block.Canary || back
}

// question is what to count in all looks: what a signal calls bad, or with bounds,
// for each of them what is slower.
type question struct {
	signal metrics.Signal
	bounds []time.Duration
	past   *metrics.Counts // if it is to be counted, of the baseline before the rollout
}

func (q question) ask(ctx context.Context, p metrics.Sequencer, query metrics.Query, windows []metrics.Window) ([][]metrics.Counts, error) {
	if len(q.bounds) > 0 {
		return p.SlowerThan(ctx, query, q.bounds, windows)
	}
	counts, err := p.Sequence(ctx, query, windows)
	return [][]metrics.Counts{counts}, err
}

// readPast counts the past by itself: one query for it and looks that begin days later would read
// all that is between them.
func (q question) readPast(ctx context.Context, p metrics.Sequencer, query metrics.Query, w metrics.Window) error {
	counts, err := q.ask(ctx, p, query, []metrics.Window{w})
	if metrics.NoData(err) {
		return nil
	}
	if err == nil {
		err = checkCounts(counts, q.size(), 1)
	}
	if err == nil {
		*q.past = counts[0][0]
	}
	return err
}

// size is how many counts a look has.
func (q question) size() int { return max(1, len(q.bounds)) }

// tables counts both arms, for each bound a table. Having counted nothing is no
// error; silence is then the reason.
func (j Judge) tables(ctx context.Context, q question, all []look) (tables [][]evidence.Look, silence, err error) {
	tables = make([][]evidence.Look, q.size())
	for i := range tables {
		tables[i] = make([]evidence.Look, len(all))
		for k := range all {
			tables[i][k].Step, tables[i][k].Alone = all[k].first, all[k].alone
		}
	}
	for arm, of := range []func(*evidence.Look) *evidence.Count{canaryOf, baselineOf} {
		name := [...]string{"canary", j.Tuning.baseline()}[arm]
		quiet, err := j.count(ctx, q, arm, all, func(i, k int, c metrics.Counts) { *of(&tables[i][k]) = count(c) })
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		switch {
		case quiet != nil && silence == nil:
			silence = fmt.Errorf("%s: %w", name, quiet)
		case errors.Is(quiet, metrics.ErrNoSeries) && errors.Is(silence, metrics.ErrNoSeries):
			silence = unknown{silence}
		}
	}
	for _, table := range tables {
		for k := range all {
			if l := &table[k]; all[k].merged {
				l.Canary, l.Baseline = plus(l.Canary, l.Baseline), evidence.Count{}
			}
		}
	}
	return tables, silence, nil
}

// unknown is the silence of a store that has no series of either arm.
type unknown struct{ error }

func (u unknown) Unwrap() error { return u.error }

// mostOpen is how many looks may wait for the readings of an arm.
const mostOpen = evidence.MostOpen

// closed returns the looks as they are compared. A look closes when both arms have been read, and
// counts as one with those before: arms that are read at different moments are not compared by
// what each did at another time. Until then it is empty.
func closed(table []evidence.Look, all []look) []evidence.Look {
	table, open := slices.Clone(table), 0
	for k := range table {
		l := &table[k]
		ends := k+1 == len(all) || all[k+1].block != all[k].block
		switch both := l.Canary.Total > 0 && l.Baseline.Total > 0; {
		case both || all[k].alone || open+1 == mostOpen || ends && !all[k].now:
			open = 0
		case ends:
			l.Canary, l.Baseline = evidence.Count{}, evidence.Count{} // not yet
		default:
			next := &table[k+1]
			next.Canary, next.Baseline = plus(next.Canary, l.Canary), plus(next.Baseline, l.Baseline)
			l.Canary, l.Baseline = evidence.Count{}, evidence.Count{}
			open++
		}
	}
	return table
}

func plus(a, b evidence.Count) evidence.Count {
	return evidence.Count{Bad: a.Bad + b.Bad, Total: a.Total + b.Total}
}

// count asks for all looks of an arm: for those with copies apart, as another
// reporter may have to be asked.
func (j Judge) count(ctx context.Context, q question, arm int, all []look, set func(i, k int, c metrics.Counts)) (silence, err error) {
	for _, mirrored := range []bool{false, true} {
		var windows []metrics.Window
		var places []int
		for k := range all {
			if all[k].block.Mirrored == mirrored {
				windows, places = append(windows, all[k].window), append(places, k)
			}
		}
		if len(windows) == 0 {
			continue
		}
		query := j.query(arm, q.signal)
		query.Reporter = judging.Reporter(j.Tuning.Reporter, mirrored)
		past := q.past != nil && arm == 1 && !mirrored
		if w := before(all); past && windows[0].From.Sub(w.To) <= pastOfStable {
			windows = slices.Insert(windows, 0, w)
		} else if past {
			past = false
			if err := q.readPast(ctx, j.Provider, query, w); err != nil {
				return nil, err
			}
		}
		counts, err := q.ask(ctx, j.Provider, query, windows)
		if metrics.NoData(err) {
			silence = err
			continue
		}
		if err == nil {
			err = checkCounts(counts, q.size(), len(windows))
		}
		if err != nil {
			return nil, err
		}
		if past {
			*q.past, counts[0] = counts[0][0], counts[0][1:]
		}
		for i := range counts {
			for at, c := range counts[i] {
				set(i, places[at], c)
			}
		}
	}
	return silence, nil
}

// checkCounts reports an answer that a Provider may not give.
func checkCounts(counts [][]metrics.Counts, bounds, windows int) error {
	if len(counts) != bounds {
		return fmt.Errorf("%w: counts of %d bounds instead of %d", metrics.ErrPartial, len(counts), bounds)
	}
	for _, some := range counts {
		if len(some) != windows {
			return fmt.Errorf("%w: counts of %d windows instead of %d", metrics.ErrPartial, len(some), windows)
		}
		for _, c := range some {
			if !judging.Sound(c) {
				return fmt.Errorf("%w: %v bad of %v", metrics.ErrNotCounter, c.Bad, c.Total)
			}
		}
	}
	return nil
}
