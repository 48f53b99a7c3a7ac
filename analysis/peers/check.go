package peers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// canary is how Values name the canary's arm.
const canary = "canary"

// check is what one interval of a window says of one arm.
type check struct {
	counts metrics.Counts
	// silence is why nothing was counted: an error of metrics, as ErrNoTraffic;
	// nil if something was.
	silence error
}

// of says what was counted.
func (c check) of(s metrics.Signal) string {
	if c.silence != nil {
		return fmt.Sprintf("nothing (%v)", c.silence)
	}
	return fmt.Sprintf("%v %v", c.counts, s)
}

// maxChecks keeps a mistyped interval from asking a store for ever.
const maxChecks = 10_000

// checks cuts the window into intervals, from its start, and returns what was
// counted in each complete one. What a store holds of an interval does not change
// once it is over, so that every look finds the same checks and perhaps some
// more. Silence belongs to its interval. Any other error is about the store as it
// is now, and no evidence about any interval: it is returned.
func checks(ctx context.Context, p metrics.Provider, q metrics.Query, w metrics.Window, every time.Duration) ([]check, error) {
	if n := w.Length() / every; n > maxChecks {
		return nil, fmt.Errorf("analysis: %v holds %d checks of %v; want at most %d", w.Length(), n, every, maxChecks)
	}
	var windows []metrics.Window
	for from := w.From; !from.Add(every).After(w.To); from = from.Add(every) {
		windows = append(windows, metrics.Window{From: from, To: from.Add(every)})
	}
	if windows == nil {
		return nil, nil
	}
	all, err := countAll(ctx, p, q, windows)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	for i, c := range all {
		if !judging.Sound(c.counts) {
			return nil, fmt.Errorf("analysis: %w: %v bad of %v", metrics.ErrNotCounter, c.counts.Bad, c.counts.Total)
		}
		if c == (check{}) {
			all[i].silence = metrics.ErrNoTraffic
		}
	}
	return all, nil
}

// countAll asks with one question, of a Provider that takes it.
func countAll(ctx context.Context, p metrics.Provider, q metrics.Query, windows []metrics.Window) ([]check, error) {
	s, ok := p.(metrics.Sequencer)
	if !ok {
		return countEach(ctx, p, q, windows)
	}
	all := make([]check, len(windows))
	counts, err := s.Sequence(ctx, q, windows)
	switch {
	case metrics.Nothing(err):
		for i := range all {
			all[i].silence = err
		}
		return all, nil
	case err != nil:
		return nil, err
	case len(counts) != len(windows):
		return nil, fmt.Errorf("%w: %d counts for %d windows", metrics.ErrPartial, len(counts), len(windows))
	}
	for i, c := range counts {
		all[i].counts = c
	}
	return all, nil
}

// countEach asks once for each window. Readings that are stale at the end of an
// interval that others follow were not stale for ever: there is a gap in them.
func countEach(ctx context.Context, p metrics.Provider, q metrics.Query, windows []metrics.Window) ([]check, error) {
	all := make([]check, len(windows))
	for i, w := range windows {
		c, err := p.Counts(ctx, q, w)
		gap := errors.Is(err, metrics.ErrStale) && i < len(windows)-1
		switch {
		case metrics.Nothing(err) || gap:
			all[i].silence = err
		case err != nil:
			return nil, err
		default:
			all[i].counts = c
		}
	}
	return all, nil
}

// firstCheck says when there will be one.
func firstCheck(w metrics.Window, every time.Duration) string {
	return fmt.Sprintf("the first check is complete in %v", (every - w.Length()).Round(time.Second))
}

// Condition is what the counts of one check must be like. Make it with
// [BadAtMost], [BadAbove] or [Where]; the zero value is no condition.
type Condition struct {
	words string
	holds func(metrics.Counts) bool
	err   error
}

// BadAtMost returns the Condition that the share of bad requests is at most
// share, from 0 to 1. A success rate of at least 99 % is BadAtMost(0.01), and so
// is a 99th percentile of at most 500 ms, of metrics.SlowerThan(500 ms).
func BadAtMost(share float64) Condition {
	return Condition{
		words: fmt.Sprintf("at most %s bad", judging.Percent(share)),
		holds: func(c metrics.Counts) bool { return c.Ratio() <= share },
		err:   checkPart(share),
	}
}

// BadAbove returns the Condition that the share of bad requests is above share,
// from 0 to 1.
func BadAbove(share float64) Condition {
	return Condition{
		words: fmt.Sprintf("more than %s bad", judging.Percent(share)),
		holds: func(c metrics.Counts) bool { return c.Ratio() > share },
		err:   checkPart(share),
	}
}

// Where returns the Condition that holds returns true. It is called for counts
// with at least some requests, possibly by several goroutines at once. The words
// stand in reasons: "want at least 10 requests".
func Where(words string, holds func(metrics.Counts) bool) Condition {
	c := Condition{words: words, holds: holds}
	if holds == nil || words == "" {
		c.err = errors.New("a condition needs words and a function")
	}
	return c
}

// String returns the words.
func (c Condition) String() string { return c.words }

func (c Condition) given() bool { return c.holds != nil || c.err != nil }

func checkPart(share float64) error {
	if !(0 <= share && share <= 1) {
		return fmt.Errorf("the share of bad requests is %v; want 0 to 1", share)
	}
	return nil
}

func checkEvery(every time.Duration) error {
	if every <= 0 {
		return fmt.Errorf("the time Every is %v; want a time above zero", every)
	}
	return nil
}

func checkNotNegative(name string, n int) error {
	if n < 0 {
		return fmt.Errorf("%s is %d; want zero or more", name, n)
	}
	return nil
}
