// Package judgingtest holds what the tests of several judges have in common.
package judgingtest

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

// Noon is when the tests begin, and Minute a request about the first minute.
var (
	Noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	Minute = analysis.Request{Window: metrics.Window{From: Noon, To: Noon.Add(time.Minute)}, Step: "20%"}
)

// V1 and V2 are the arms, stable and canary.
var (
	V1 = metrics.Arm{Workload: "reviews-v1", Namespace: "bookinfo"}
	V2 = metrics.Arm{Workload: "reviews-v2", Namespace: "bookinfo"}
)

// Store is a Provider with the counts of each arm. An arm that is not there has
// no series.
type Store map[metrics.Arm]metrics.Counts

// Counts implements [metrics.Provider].
func (s Store) Counts(_ context.Context, q metrics.Query, _ metrics.Window) (metrics.Counts, error) {
	c, ok := s[q.Arm]
	if !ok {
		return metrics.Counts{}, metrics.ErrNoSeries
	}
	return c, nil
}

// Broken is a Provider that has only an error.
func Broken(err error) metrics.Provider {
	return metrics.ProviderFunc(func(context.Context, metrics.Query, metrics.Window) (metrics.Counts, error) {
		return metrics.Counts{}, fmt.Errorf("store: %w", err)
	})
}

// Of returns counts.
func Of(bad, total float64) metrics.Counts { return metrics.Counts{Total: total, Bad: bad} }
