package canary

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/metrics"
)

// Block is a time in which a judged step's traffic flowed, as a judge may count
// it: from when the mesh was seen to do it, and the scrape lag, until the step was
// left. Times are whole milliseconds.
type block struct {
	From, To time.Time
	Traffic  Traffic // without cohorts and header routes
}

// Blocks are those of a rollout so far, in the order of time and without overlap.
// They are what a judge's evidence is gathered from, again and again, by whoever
// drives. The text is one word for each block: from (milliseconds since 1970, or
// since the end of the block before), length, and the shares of canary, baseline
// and mirror in parts per million, in base 36.
type blocks []block

// maxBlocks bounds what a State remembers.
const maxBlocks = 48

// add notes one more block. The oldest is dropped when there are too many, and
// its looks are counted, so that a judge knows where its schedule was.
func (e *evidence) add(one block, look time.Duration) {
	if len(e.Blocks) == maxBlocks {
		oldest := e.Blocks[0]
		e.Dropped = min(maxCount, e.Dropped+int(min(maxCount, oldest.To.Sub(oldest.From)/look)))
		e.Blocks = e.Blocks[1:]
	}
	e.Blocks = append(slices.Clip(e.Blocks), one)
}

// end is when the last block ended.
func (b blocks) end() time.Time {
	if len(b) == 0 {
		return time.Time{}
	}
	return b[len(b)-1].To
}

// MarshalText implements [encoding.TextMarshaler].
func (b blocks) MarshalText() ([]byte, error) {
	var text []byte
	last := int64(0)
	for _, one := range b {
		from, to := one.From.UnixMilli(), one.To.UnixMilli()
		values := [...]int64{from - last, to - from, int64(one.Traffic.Canary), int64(one.Traffic.Baseline), int64(one.Traffic.Mirror)}
		for i, v := range values {
			if i > 0 {
				text = append(text, '.')
			}
			text = strconv.AppendInt(text, v, 36)
		}
		text = append(text, ' ')
		last = to
	}
	return text[:max(0, len(text)-1)], nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *blocks) UnmarshalText(text []byte) error {
	var all blocks
	last := int64(0)
	for word := range strings.FieldsSeq(string(text)) {
		var values [5]int64
		parts := strings.Split(word, ".")
		if len(parts) != len(values) || len(all) == maxBlocks {
			return fmt.Errorf("block %d: %q is not one", len(all), clip(word, maxName))
		}
		for i, part := range parts {
			v, err := strconv.ParseInt(part, 36, 64)
			if err != nil || v < 0 || v > 1<<52 {
				return fmt.Errorf("block %d: %q is not a number of one", len(all), clip(part, maxName))
			}
			values[i] = v
		}
		from, to := last+values[0], last+values[0]+values[1]
		traffic := Traffic{Canary: Weight(values[2]), Baseline: Weight(values[3]), Mirror: Weight(values[4])}
		if err := traffic.Validate(); err != nil {
			return fmt.Errorf("block %d: %w", len(all), err)
		}
		all = append(all, block{time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC(), traffic})
		last = to
	}
	*b = all
	return nil
}

// window is what of the step under way a judge may count, given since when the
// mesh does its traffic.
func (t *turn) window(since time.Time) metrics.Window {
	from := since.Add(t.lag)
	if end := t.s.Blocks.end(); from.Before(end) {
		from = end // the step before it had the same traffic
	}
	return metrics.Window{From: from.UTC().Truncate(time.Millisecond), To: t.o.Now}
}

// closeBlock remembers what of the step that is being left was to be judged, or of the time after
// the last one in which the canary has everything.
func (t *turn) closeBlock() {
	s := &t.s
	serves := s.Phase == phase.Progressing || s.Phase == phase.CompletingShift || s.Phase == phase.PromotingStable
	if !serves || len(t.steps) == 0 || t.steps[s.Step].Requires == Nothing || s.Drifting {
		return
	}
	since := s.Verified
	if !t.verifies() {
		since = s.Shifted.Add(t.settle)
	} else if since.IsZero() {
		return
	}
	w := t.window(since)
	if to := w.To.UTC().Truncate(time.Millisecond); to.After(w.From) {
		traffic := s.Traffic
		traffic.Cohorts, traffic.HeaderRoutes = "", false
		s.add(block{w.From, to, traffic}, cmp.Or(t.o.Look, t.interval))
	}
}

// maxLooks bounds the looks in one request, so that a step that waits for a month for a gate,
// or a State that says so, costs no more than one of a day.
const maxLooks = 8192

// bounded returns the last looks of a window and the blocks before it, and how many older ones
// are dropped.
func (e *evidence) bounded(w metrics.Window, look time.Duration) (metrics.Window, blocks, int) {
	earlier, dropped := e.Blocks, e.Dropped
	room := maxLooks - int(min(maxLooks, w.Length()/look))
	for i := len(earlier) - 1; i >= 0; i-- {
		if room -= int(min(maxLooks, earlier[i].To.Sub(earlier[i].From)/look)); room < 0 {
			for _, old := range earlier[:i+1] {
				dropped += int(min(maxCount/maxBlocks, old.To.Sub(old.From)/look))
			}
			earlier = earlier[i+1:]
			break
		}
	}
	if more := w.Length()/look - maxLooks; more > 0 {
		w.From = w.From.Add(more * look)
		dropped += int(min(maxCount, more))
	}
	return w, earlier, min(maxCount, dropped)
}

// request is what to ask of the judge in a window of the step under way.
func (t *turn) request(w metrics.Window) analysis.Request {
	s := &t.s
	w, earlier, dropped := s.bounded(w, max(time.Millisecond, cmp.Or(t.o.Look, t.interval)))
	now := block{w.From, w.To, s.Traffic}.judged()
	r := analysis.Request{
		Window: w, Step: t.steps[s.Step].Name,
		Mirrored: now.Mirrored, Canary: now.Canary, Baseline: now.Baseline,
		Began: s.Began, StepBegan: s.Entered, PromotionBegan: s.Promotion,
		Promoted: t.end.Kind == PromoteStable && (s.Phase == phase.Returning || s.Phase == phase.Baking),
		Dropped:  dropped, Carry: s.Carry, Frozen: s.Frozen, Hosts: t.o.Hosts,
	}
	if len(earlier) > 0 {
		r.Earlier = make([]analysis.Block, len(earlier))
		for i, b := range earlier {
			r.Earlier[i] = b.judged()
		}
	}
	return r
}

func (b block) judged() analysis.Block {
	return analysis.Block{
		Window:   metrics.Window{From: b.From, To: b.To},
		Mirrored: b.Traffic.Canary == 0 && b.Traffic.Mirror > 0,
		Canary:   b.Traffic.Canary.share(), Baseline: b.Traffic.Baseline.share(),
	}
}
