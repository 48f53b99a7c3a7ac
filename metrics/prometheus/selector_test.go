package prometheus_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
)

var reviews = metrics.Arm{Workload: "reviews-v2", Namespace: "bookinfo"}

func TestSelectors(t *testing.T) {
	for name, c := range map[string]struct {
		query metrics.Query
		names metrics.Names
		over  time.Duration
		want  string
	}{
		"a workload": {
			metrics.Query{Arm: reviews}, metrics.Names{}, 5 * time.Minute,
			`istio_requests_total{reporter="source",destination_workload="reviews-v2",destination_workload_namespace="bookinfo"}[5m]`},
		"a revision of a service": {
			metrics.Query{Arm: metrics.Arm{Revision: "v2", Service: "reviews.bookinfo.svc.cluster.local"}, Reporter: metrics.Destination},
			metrics.Names{}, 90 * time.Second,
			`istio_requests_total{reporter="destination",destination_canonical_revision="v2",destination_service="reviews.bookinfo.svc.cluster.local"}[1m30s]`},
		"a host of its own, at a waypoint": {
			metrics.Query{Arm: metrics.Arm{Service: "canary.bookinfo.svc.cluster.local"}, Reporter: metrics.Waypoint},
			metrics.Names{}, 36 * time.Hour,
			`istio_requests_total{reporter="waypoint",destination_service="canary.bookinfo.svc.cluster.local"}[1d12h]`},
		"gRPC calls": {
			metrics.Query{Arm: reviews, Signal: metrics.GRPCErrors()}, metrics.Names{}, 1500 * time.Millisecond,
			`istio_requests_total{reporter="source",destination_workload="reviews-v2",destination_workload_namespace="bookinfo",request_protocol="grpc"}[1s500ms]`},
		"a bucket, as Prometheus 2 and 3 spell it": {
			metrics.Query{Arm: reviews, Signal: metrics.SlowerThan(100 * time.Millisecond)}, metrics.Names{}, time.Minute,
			`istio_request_duration_milliseconds_bucket{reporter="source",destination_workload="reviews-v2",destination_workload_namespace="bookinfo",le=~"100|100\\.0|\\+Inf"}[1m]`},
		"a bucket below a millisecond": {
			metrics.Query{Arm: reviews, Signal: metrics.SlowerThan(500 * time.Microsecond)}, metrics.Names{}, time.Minute,
			`istio_request_duration_milliseconds_bucket{reporter="source",destination_workload="reviews-v2",destination_workload_namespace="bookinfo",le=~"0\\.5|\\+Inf"}[1m]`},
		"a bucket that Prometheus 3 spells with an exponent": {
			metrics.Query{Arm: reviews, Signal: metrics.SlowerThan(30 * time.Minute)}, metrics.Names{}, time.Minute,
			`istio_request_duration_milliseconds_bucket{reporter="source",destination_workload="reviews-v2",destination_workload_namespace="bookinfo",le=~"1800000|1800000\\.0|1\\.8e\\+06|\\+Inf"}[1m]`},
		"names of one's own": {
			metrics.Query{Arm: reviews},
			metrics.Names{Requests: "mesh_requests", Reporter: "side", Workload: "dst", Namespace: "dst_ns"}, time.Minute,
			`mesh_requests{side="source",dst="reviews-v2",dst_ns="bookinfo"}[1m]`},
		"values with signs of the language": {
			metrics.Query{Arm: metrics.Arm{Workload: `a.b"} or {x=~".*`, Namespace: "back\\slash\nline"}}, metrics.Names{}, 0,
			`istio_requests_total{reporter="source",destination_workload="a.b\"} or {x=~\".*",destination_workload_namespace="back\\slash\nline"}[1ms]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := prometheus.Selector(c.query, c.names, c.over)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestNoSelectorForABadQuery(t *testing.T) {
	_, err := prometheus.Selector(metrics.Query{}, metrics.Names{}, time.Minute)
	require.ErrorIs(t, err, metrics.ErrBadQuery)
	_, err = prometheus.Selector(metrics.Query{Arm: reviews}, metrics.Names{Service: "not a name"}, time.Minute)
	require.ErrorIs(t, err, metrics.ErrBadQuery)
}

// Whatever a workload is called, its name stays inside its quotes.
func FuzzSelectorKeepsValuesInTheirQuotes(f *testing.F) {
	f.Add("reviews-v2")
	f.Add(`a"} or {b="`)
	f.Add("a.b\\")
	f.Add("é\x00\xff\u2028")
	f.Fuzz(func(t *testing.T, workload string) {
		if workload == "" {
			return
		}
		got, err := prometheus.Selector(metrics.Query{Arm: metrics.Arm{Workload: workload, Namespace: "n"}}, metrics.Names{}, time.Minute)
		require.NoError(t, err)
		value, found := strings.CutPrefix(got, `istio_requests_total{reporter="source",destination_workload=`)
		require.True(t, found)
		value, found = strings.CutSuffix(value, `,destination_workload_namespace="n"}[1m]`)
		require.True(t, found)
		unquoted, err := strconv.Unquote(value)
		require.NoError(t, err)
		require.Equal(t, workload, unquoted)
	})
}
