package analysis

import (
	"context"
	"math"
	"time"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// interval is one look of a rollout.
type interval struct {
	window metrics.Window
	block  *Block
	first  bool // of its block
}

// looks cuts the blocks of a rollout into looks of equal length. The rest of a
// block that is over is a look as well; one that is not over is left for later.
// So a look that was there once is there again, whoever asks and whenever.
func looks(r Request, every time.Duration) []interval {
	now := Block{r.Window, r.Mirrored, r.Canary, r.Baseline}
	var all []interval
	for i := range len(r.Earlier) + 1 {
		block, over := &now, false
		if i < len(r.Earlier) {
			block, over = &r.Earlier[i], true
		}
		for from := block.Window.From; from.Before(block.Window.To); from = from.Add(every) {
			w := metrics.Window{From: from, To: from.Add(every)}
			if w.To.After(block.Window.To) {
				if !over {
					break
				}
				w.To = block.Window.To
			}
			all = append(all, interval{w, block, from.Equal(block.Window.From)})
		}
	}
	return all
}

// table counts both arms in all looks.
func (s Sequential) table(ctx context.Context, signal metrics.Signal, all []interval) ([]sequential.Look, error) {
	table := make([]sequential.Look, len(all))
	for i := range all {
		table[i].Step = all[i].first
	}
	for arm, of := range map[metrics.Arm]func(*sequential.Look) *sequential.Count{
		s.Canary:   func(l *sequential.Look) *sequential.Count { return &l.Canary },
		s.Baseline: func(l *sequential.Look) *sequential.Count { return &l.Baseline },
	} {
		for _, mirrored := range []bool{false, true} {
			err := s.fill(ctx, metrics.Query{
				Arm: arm, Signal: signal, Reporter: reporter(s.Reporter, Request{Mirrored: mirrored}),
			}, all, mirrored, func(i int, c metrics.Counts) { *of(&table[i]) = sequential.Count{Bad: c.Bad, Total: c.Total} })
			if err != nil {
				return nil, err
			}
		}
	}
	return table, nil
}

// fill asks for the looks with or without a mirror and sets what was counted.
// Having counted nothing is no error: there were no requests.
func (s Sequential) fill(ctx context.Context, q metrics.Query, all []interval, mirrored bool, set func(i int, c metrics.Counts)) error {
	var windows []metrics.Window
	var places []int
	for i := range all {
		if all[i].block.Mirrored == mirrored {
			windows, places = append(windows, all[i].window), append(places, i)
		}
	}
	if len(windows) == 0 {
		return nil
	}
	counts, err := s.Provider.Sequence(ctx, q, windows)
	if metrics.Nothing(err) {
		return nil
	}
	if err == nil && len(counts) != len(windows) {
		err = metrics.ErrPartial
	}
	if err != nil {
		return err
	}
	for k, c := range counts {
		if !(0 <= c.Bad && c.Bad <= c.Total) || math.IsInf(c.Total, 0) {
			return metrics.ErrNotCounter
		}
		set(places[k], c)
	}
	return nil
}
