package verify_test

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/metrics"
)

// One of two proxies still routes by the weights of before.
func ExampleMetrics() {
	counts := &store{ // metrics/prometheus counts on a cluster, and a fake.Mesh in tests
		stable: map[metrics.Proxy]metrics.Counts{web: {Total: 480}, mobile: {Total: 200}},
		canary: map[metrics.Proxy]metrics.Counts{web: {Total: 520}},
	}
	seen := verify.Metrics{Provider: counts, Stable: stable, Canary: second}
	a, err := seen.Verify(context.Background(), canary.Traffic{Canary: 50 * canary.Percent}, time.Now().Add(-time.Hour))
	fmt.Println(a.Reply == canary.Yes, err)
	fmt.Println(a.Reason)
	// Output:
	// false <nil>
	// not as written in the last 30s: mobile.edge at 10.0.0.2:15020 sent 0 of 200 requests to the canary
}
