package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/metrics"
)

func ExampleIncrease() {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	every15s := func(total ...float64) (samples []metrics.Sample) {
		for i, v := range total {
			samples = append(samples, metrics.Sample{At: start.Add(time.Duration(i) * 15 * time.Second), Total: v, Good: v})
		}
		return samples
	}
	pod := metrics.Series{Target: "10.0.0.7:15090", Samples: every15s(1000, 1040, 1100, 20, 50)} // restarts once

	counts, err := metrics.Increase([]metrics.Series{pod}, metrics.Window{From: start, To: start.Add(time.Minute)})
	fmt.Println(counts, err)

	_, err = metrics.Increase([]metrics.Series{pod}, metrics.Window{From: start.Add(time.Minute), To: start.Add(61 * time.Second)})
	fmt.Println(errors.Is(err, metrics.ErrTooFewSamples), metrics.NoData(err))
	// Output:
	// 0/150 (0.00%) <nil>
	// true true
}

func ExampleQuery() {
	canary := metrics.Query{
		Arm:    metrics.Arm{Workload: "reviews-v2", Namespace: "bookinfo"},
		Signal: metrics.SlowerThan(250 * time.Millisecond),
	}
	fmt.Println(canary)
	fmt.Println(metrics.Query{Reporter: 8, Signal: metrics.HTTPStatus(7, 8)}.Validate())
	// Output:
	// requests slower than 250ms to reviews-v2.bookinfo, reported by the source
	// metrics: bad query: the arm needs a workload or a service
	// status 7 to 8: want a range within 100 to 599
	// reporter 8: want source, destination or waypoint
}

func ExampleProviderFunc() {
	var store metrics.Provider = metrics.ProviderFunc(
		func(context.Context, metrics.Query, metrics.Window) (metrics.Counts, error) {
			return metrics.Counts{Total: 1530, Bad: 12}, nil
		})
	counts, err := store.Counts(context.Background(), metrics.Query{}, metrics.Window{})
	fmt.Println(counts, err)
	// Output: 12/1530 (0.78%) <nil>
}
