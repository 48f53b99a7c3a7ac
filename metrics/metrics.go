// Package metrics counts the requests of one version of a service, and how many of them
// were bad, as measured by the service mesh.
//
// The package defines the query ([Query], [Window]), the answer ([Counts]), the errors,
// and the arithmetic of counters ([Increase]). A [Gauger] reads values that are measured
// rather than counted, such as memory, with a query in the store's own language. A
// [ProxyCounter] counts by proxy, a [RefusalReader] names the proxies that refuse
// configuration, and a [ReachReader] counts the requests that no pod got. Package metrics/prometheus implements all this with a Prometheus server.
package metrics

import (
	"context"
	"fmt"
	"time"
)

// Window is the period in which requests are counted: after From, up to and including To.
// Adjacent windows (one ends where the next begins) share no request and lose none.
//
// Counters are read at intervals. A request is counted in the window of the first reading
// that includes it. So a window may count requests from up to one scrape interval before
// From. To exclude requests from before a change of traffic, begin the window at least
// one scrape interval after the change.
type Window struct {
	From, To time.Time
}

// Length returns To minus From. It is zero or negative for an empty window.
func (w Window) Length() time.Duration { return w.To.Sub(w.From) }

// Contains reports whether a reading at t belongs to the window.
func (w Window) Contains(t time.Time) bool { return t.After(w.From) && !t.After(w.To) }

// Validate returns an error that wraps ErrBadQuery if To is not after From.
func (w Window) Validate() error {
	if w.Length() <= 0 {
		return fmt.Errorf("metrics: %w: the window ends at %s, not after its start at %s",
			ErrBadQuery, w.To.Format(time.RFC3339Nano), w.From.Format(time.RFC3339Nano))
	}
	return nil
}

// Counts is a number of requests and the number of bad ones among them. Counts are
// increments of counters and need not be whole numbers. The zero value means no requests.
type Counts struct {
	Total, Bad float64
}

// Ratio returns the share of bad requests, 0 to 1. It is NaN if Total is 0.
func (c Counts) Ratio() float64 { return c.Bad / c.Total }

// Add returns the sum of both.
func (c Counts) Add(d Counts) Counts { return Counts{c.Total + d.Total, c.Bad + d.Bad} }

// String prints the counts as "12/1530 (0.78%)", or "no requests".
func (c Counts) String() string {
	if c.Total == 0 {
		return "no requests"
	}
	return fmt.Sprintf("%.0f/%.0f (%.2f%%)", c.Bad, c.Total, 100*c.Ratio())
}

// Provider reads counts from the store of a mesh's metrics. Implementations must be safe
// for concurrent use, and return when ctx ends.
//
// If the error is nil, the Counts are finite, with 0 <= Bad <= Total and Total > 0.
// Otherwise the error wraps one of this package's errors.
type Provider interface {
	Counts(ctx context.Context, q Query, w Window) (Counts, error)
}

// Sequencer is a Provider that counts in many windows with one query.
type Sequencer interface {
	Provider
	// Sequence returns the counts of each window. The windows are in order of time and do
	// not overlap. A window without requests has zero Counts. Errors are about all
	// windows together.
	Sequence(ctx context.Context, q Query, windows []Window) ([]Counts, error)
	// SlowerThan is Sequence for each Signal SlowerThan(bounds[i]): counts[i][k] is for window
	// k. The query's own Signal is ignored. Errors are about all bounds together: one
	// bound without a bucket is ErrNoBucket for all.
	SlowerThan(ctx context.Context, q Query, bounds []time.Duration, windows []Window) (counts [][]Counts, err error)
}

// Gauger reads values that are measured rather than counted, such as memory or the depth
// of a queue. Implementations must be safe for concurrent use, and return when ctx ends.
type Gauger interface {
	// Values returns one value for each window. The query is in the language of the store
	// and yields one series. The windows are in order of time and do not overlap. The
	// value of a window without measurements is NaN; the others are finite. Errors are
	// about all windows together. ErrNoSeries means that no window has a value.
	//
	// The value of a window depends neither on later windows nor on later readings. A
	// repeated call returns the same evidence, bit for bit.
	Values(ctx context.Context, query string, windows []Window) ([]float64, error)
}

// ProviderFunc is a function that implements Provider.
type ProviderFunc func(ctx context.Context, q Query, w Window) (Counts, error)

// Counts calls f.
func (f ProviderFunc) Counts(ctx context.Context, q Query, w Window) (Counts, error) {
	return f(ctx, q, w)
}
