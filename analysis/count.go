package analysis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// defaultMinRequests is the number of requests before which no canary passes.
const defaultMinRequests = 100

// canary is how reasons and Values name the canary's arm.
const canary = "canary"

// look is one arm's part of a question to the store.
type look struct {
	provider metrics.Provider
	query    metrics.Query
	name     string // of the arm
}

// String names the arm within a sentence.
func (l look) String() string {
	if l.name == canary {
		return "the canary"
	}
	return l.name
}

// early says when measuring begins; "" if it has.
func (r Request) early() string {
	if wait := -r.Window.Length(); wait >= 0 {
		return fmt.Sprintf("measuring begins in %v", wait.Round(time.Second))
	}
	return ""
}

// count returns what the store counted. If there is nothing yet, silence says
// so in words.
func (l look) count(ctx context.Context, w metrics.Window) (c metrics.Counts, silence string, err error) {
	c, err = l.provider.Counts(ctx, l.query, w)
	switch {
	case errors.Is(err, metrics.ErrTooFewSamples):
		return metrics.Counts{}, fmt.Sprintf("the requests to %s were not read often enough yet to count them", l), nil
	case metrics.NoData(err), err == nil && c == metrics.Counts{}:
		return metrics.Counts{}, fmt.Sprintf("no requests to %s yet", l), nil
	case err != nil:
		return metrics.Counts{}, "", fmt.Errorf("analysis: %s: %w", l.name, err)
	case !judging.Sound(c):
		return metrics.Counts{}, "", fmt.Errorf("analysis: %s: %w: %v bad of %v", l.name, metrics.ErrNotCounter, c.Bad, c.Total)
	}
	return c, "", nil
}

func (l look) value(c metrics.Counts) Value {
	return Value{Name: l.query.Signal.String(), Arm: l.name, Counts: c}
}

// bar is the largest share of bad requests that is accepted, and the number of
// requests that it takes to see it.
type bar struct {
	share    float64
	requests float64
}

// verdict holds the counts against the bar. A Pass needs all the requests. A
// Fail needs only as many bad ones as settle the matter: the share is taken of
// at least b.requests, as if all that are missing were good. While not even bad
// ones only would settle it, nothing is seen.
func (b bar) verdict(c metrics.Counts) Verdict {
	switch {
	case b.exceeds(c.Bad, c):
		return Fail
	case c.Total >= b.requests:
		return Pass
	case b.exceeds(c.Total, c):
		return Inconclusive
	}
	return Blind
}

// few is why a bar is blind, if it is.
func few(v Verdict) Blindness {
	if v == Blind {
		return FewRequests
	}
	return Unspecified
}

func (b bar) exceeds(bad float64, c metrics.Counts) bool {
	return bad/max(c.Total, b.requests) > b.share
}

// tooFew says in words that an arm lacks requests.
func (b bar) tooFew(arm string, c metrics.Counts) string {
	return fmt.Sprintf("%s has %.0f of the %.0f requests needed", arm, c.Total, b.requests)
}

// early adds to a Fail that it came before all the requests did.
func (b bar) early(c metrics.Counts) string {
	if c.Total >= b.requests {
		return ""
	}
	return fmt.Sprintf(", even if the next %.0f are good", b.requests-c.Total)
}

// minRequests returns the number in use.
func minRequests(n int) float64 {
	if n == 0 {
		return defaultMinRequests
	}
	return float64(n)
}

// checkMin and checkShare find mistakes in the fields of Threshold and Compare.

func checkMin(n int) error {
	if n < 0 {
		return fmt.Errorf("MinRequests is %d; want zero or more", n)
	}
	return nil
}

func checkShare(name string, share float64) error {
	if !(0 <= share && share < 1) {
		return fmt.Errorf("%s is %v; want a share from 0 to below 1", name, share)
	}
	return nil
}
