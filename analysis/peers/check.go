package peers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// canary is the name of the canary's arm in Values.
const canary = "canary"

// check is what was counted in one interval for one arm.
type check struct {
	counts metrics.Counts
	// silence is why nothing was counted, such as metrics.ErrNoTraffic; nil if something
	// was counted.
	silence error
}

// of describes what was counted.
func (c check) of(s metrics.Signal) string {
	if c.silence != nil {
		return fmt.Sprintf("nothing (%v)", c.silence)
	}
	return fmt.Sprintf("%v %v", c.counts, s)
}

// maxChecks prevents a mistyped interval from causing endless queries.
const maxChecks = 10_000

// checks cuts the window into intervals, from its start, and returns the counts of each
// complete one. The counts of an interval do not change once it is over, so every look
// finds the same checks and possibly more. An error that means "no evidence" belongs to
// its interval. Any other error is about the present state of the store, not about an
// interval, and is returned.
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

// countAll counts in all windows with one query, if the Provider supports that.
func countAll(ctx context.Context, p metrics.Provider, q metrics.Query, windows []metrics.Window) ([]check, error) {
	s, ok := p.(metrics.Sequencer)
	if !ok {
		return countEach(ctx, p, q, windows)
	}
	all := make([]check, len(windows))
	counts, err := s.Sequence(ctx, q, windows)
	switch {
	case metrics.NoData(err):
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

// countEach sends one query for each window. If readings are stale at the end of an
// interval but others follow, there is a gap in the readings.
func countEach(ctx context.Context, p metrics.Provider, q metrics.Query, windows []metrics.Window) ([]check, error) {
	all := make([]check, len(windows))
	for i, w := range windows {
		c, err := p.Counts(ctx, q, w)
		gap := errors.Is(err, metrics.ErrStale) && i < len(windows)-1
		switch {
		case metrics.NoData(err) || gap:
			all[i].silence = err
		case err != nil:
			return nil, err
		default:
			all[i].counts = c
		}
	}
	return all, nil
}

// firstCheck says when the first check will be complete.
func firstCheck(w metrics.Window, every time.Duration) string {
	return fmt.Sprintf("the first check is complete in %v", (every - w.Length()).Round(time.Second))
}

// Condition is a condition on the counts of one check. Make it with [BadAtMost],
// [BadAbove] or [Where]. The zero value means no condition.
type Condition struct {
	words string
	holds func(metrics.Counts) bool
	err   error
}

// BadAtMost returns the Condition that the share of bad requests is at most share, from 0
// to 1. BadAtMost(0.01) means a success rate of at least 99 %. With the Signal
// metrics.SlowerThan(500 ms), it means a 99th percentile of at most 500 ms.
func BadAtMost(share float64) Condition {
	return Condition{
		words: fmt.Sprintf("at most %s bad", judging.Percent(share)),
		holds: func(c metrics.Counts) bool { return c.Ratio() <= share },
		err:   checkPart(share),
	}
}

// BadAbove returns the Condition that the share of bad requests is above share, from 0 to
// 1.
func BadAbove(share float64) Condition {
	return Condition{
		words: fmt.Sprintf("more than %s bad", judging.Percent(share)),
		holds: func(c metrics.Counts) bool { return c.Ratio() > share },
		err:   checkPart(share),
	}
}

// Where returns a Condition that is met if holds returns true. The function is called for
// counts with at least some requests, possibly by several goroutines at once. The words
// describe the condition in reasons: "at least 10 requests".
func Where(words string, holds func(metrics.Counts) bool) Condition {
	c := Condition{words: words, holds: holds}
	if holds == nil || words == "" {
		c.err = errors.New("the condition needs words and a function")
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
