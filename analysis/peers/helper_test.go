package peers_test

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	minute = analysis.Request{Window: metrics.Window{From: noon, To: noon.Add(time.Minute)}, Step: "20%"}

	v1 = metrics.Arm{Workload: "reviews-v1", Namespace: "bookinfo"}
	v2 = metrics.Arm{Workload: "reviews-v2", Namespace: "bookinfo"}
)

// store is a Provider with the counts of each arm. An arm that is not there has
// no series.
type store map[metrics.Arm]metrics.Counts

func (s store) Counts(_ context.Context, q metrics.Query, _ metrics.Window) (metrics.Counts, error) {
	c, ok := s[q.Arm]
	if !ok {
		return metrics.Counts{}, metrics.ErrNoSeries
	}
	return c, nil
}

// broken is a Provider that has only an error.
func broken(err error) metrics.Provider {
	return metrics.ProviderFunc(func(context.Context, metrics.Query, metrics.Window) (metrics.Counts, error) {
		return metrics.Counts{}, fmt.Errorf("store: %w", err)
	})
}

func of(bad, total float64) metrics.Counts { return metrics.Counts{Total: total, Bad: bad} }
