// Package metrics says what a service mesh has counted about one version of a
// service: how many requests it got and how many of them were bad.
//
// The package holds the question ([Query], [Window]), the answer ([Counts]),
// the many ways of having no answer (the errors), and the arithmetic of
// counters ([Increase]). What is measured and not counted, such as memory, is
// asked for in the language of the store ([Gauger]). Package metrics/prometheus puts the question to a
// Prometheus server.
package metrics

import (
	"context"
	"fmt"
	"time"
)

// Window is the time in which requests are counted: after From, up to and
// including To. Windows that meet (one ends where the next begins) share no
// request and lose none.
//
// Counters are read now and then. A request is counted in the window of the
// first reading that saw it, so a window may count requests that came up to one
// scrape interval before From. A window that must not see what was before a
// change of traffic begins at least one scrape interval after the change.
type Window struct {
	From, To time.Time
}

// Length returns how long the window is; not more than zero if it has not
// begun.
func (w Window) Length() time.Duration { return w.To.Sub(w.From) }

// Contains reports whether a reading at t belongs to the window.
func (w Window) Contains(t time.Time) bool { return t.After(w.From) && !t.After(w.To) }

// Validate reports a window without a length. The error wraps ErrBadQuery.
func (w Window) Validate() error {
	if w.Length() <= 0 {
		return fmt.Errorf("metrics: %w: the window ends at %s, not after its start at %s",
			ErrBadQuery, w.To.Format(time.RFC3339Nano), w.From.Format(time.RFC3339Nano))
	}
	return nil
}

// Counts is how many requests there were and how many of them were bad. Counts
// are increments of counters; they need not be whole numbers. The zero value is
// no requests at all.
type Counts struct {
	Total, Bad float64
}

// Ratio returns the share of bad requests, 0 to 1. It is NaN without requests:
// ask for Total first.
func (c Counts) Ratio() float64 { return c.Bad / c.Total }

// Add returns the counts of both.
func (c Counts) Add(d Counts) Counts { return Counts{c.Total + d.Total, c.Bad + d.Bad} }

// String prints the counts as "12/1530 (0.78%)", or "no requests".
func (c Counts) String() string {
	if c.Total == 0 {
		return "no requests"
	}
	return fmt.Sprintf("%.0f/%.0f (%.2f%%)", c.Bad, c.Total, 100*c.Ratio())
}

// Provider reads counts from wherever a mesh keeps them. Implementations are
// safe for concurrent use, and end when ctx does.
//
// Counts without an error are finite, with 0 <= Bad <= Total and Total > 0. Any
// kind of having nothing to say is one of this package's errors, wrapped.
type Provider interface {
	Counts(ctx context.Context, q Query, w Window) (Counts, error)
}

// Sequencer is a Provider that counts in many windows with one question.
type Sequencer interface {
	Provider
	// Sequence returns the counts of each window. The windows are in the order of
	// time and do not overlap. One without requests has zero Counts; errors are
	// about all of them together.
	Sequence(ctx context.Context, q Query, windows []Window) ([]Counts, error)
	// Slow is Sequence for each Signal SlowerThan(bounds[i]): counts[i][k] is of
	// window k. The query's own Signal does not matter. Errors are about all bounds
	// together: one without a bucket is ErrNoBucket for all.
	Slow(ctx context.Context, q Query, bounds []time.Duration, windows []Window) (counts [][]Counts, err error)
}

// Gauger reads what is measured rather than counted: memory, the depth of a
// queue. Implementations are safe for concurrent use, and end when ctx does.
type Gauger interface {
	// Values returns one value for each window, by a query in the language of the
	// store that yields one series. The windows are in the order of time and do
	// not overlap. The value of a window in which nothing was measured is NaN; the
	// others are finite. Errors are about all windows together: ErrNoSeries is
	// having no value at all.
	//
	// The value of a window does not depend on the windows behind it, nor on the
	// readings after it: evidence that is gathered again is the same, bit for bit.
	Values(ctx context.Context, query string, windows []Window) ([]float64, error)
}

// ProviderFunc makes a Provider of a function.
type ProviderFunc func(ctx context.Context, q Query, w Window) (Counts, error)

// Counts calls f.
func (f ProviderFunc) Counts(ctx context.Context, q Query, w Window) (Counts, error) {
	return f(ctx, q, w)
}
