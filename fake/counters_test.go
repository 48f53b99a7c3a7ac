package fake_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
)

var _ metrics.Sequencer = (*fake.Mesh)(nil)

func arm(workload string) metrics.Query {
	return metrics.Query{Arm: metrics.Arm{Workload: workload, Namespace: ns}}
}

// last is a window up to now.
func last(d time.Duration) metrics.Window {
	now := time.Now()
	return metrics.Window{From: now.Add(-d), To: now}
}

// inProcess hands requests to a handler.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// prometheusOf reads a mesh through its HTTP API, by the real client.
func prometheusOf(t testing.TB, mesh *fake.Mesh) *prometheus.Provider {
	t.Helper()
	c, err := api.NewClient(api.Config{Address: "http://prometheus", RoundTripper: inProcess{mesh.Prometheus()}})
	require.NoError(t, err)
	p, err := prometheus.New(v1.NewAPI(c), prometheus.Config{})
	require.NoError(t, err)
	return p
}

// A whole day by hand: steady load, two arms of which one fails 5 %, a mirror,
// a step, a broken rule, a restart. The mesh itself and the Prometheus client
// must read the same.
func TestCountersAreReadAlikeDirectlyAndThroughPrometheus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{
			Seed: 4, Delay: time.Second, Spread: 3 * time.Second,
			Versions: map[string]fake.Behaviour{
				"reviews:1": {Median: 20 * time.Millisecond, Sigma: 0.5},
				"reviews:2": {Median: 40 * time.Millisecond, Sigma: 1, ErrorRate: 0.05, Status: 502},
			},
		})
		remote := prometheusOf(t, mesh)
		load := mesh.Load(100, client)
		read := func(q metrics.Query, over time.Duration) metrics.Counts {
			t.Helper()
			direct, err := mesh.Counts(t.Context(), q, last(over))
			require.NoError(t, err)
			far, err := remote.Counts(t.Context(), q, last(over))
			require.NoError(t, err)
			require.Equal(t, far, direct)
			return direct
		}
		mesh.Send(10_000, visitor) // a counter's first reading is a base line
		time.Sleep(10 * time.Minute)
		mesh.Send(10_000, visitor)
		canary := read(arm("reviews-v2"), 5*time.Minute)
		within(t, 30_000, 0.2, uint64(canary.Total))
		within(t, int(canary.Total), 0.05, uint64(canary.Bad))
		require.Zero(t, read(arm("reviews-v1"), 5*time.Minute).Bad)

		slow := arm("reviews-v2")
		slow.Signal = metrics.SlowerThan(100 * time.Millisecond)
		c := read(slow, 5*time.Minute)
		within(t, int(c.Total), 0.1798, uint64(c.Bad)) // ln(100/40) standard deviations
		byRevision := metrics.Query{Arm: metrics.Arm{Revision: "v2", Service: "reviews.bookinfo.svc.cluster.local"}}
		require.Equal(t, canary, read(byRevision, 5*time.Minute))

		setRules(t, server, "[{route: [{destination: {host: reviews, subset: v1}}], mirror: {host: reviews, subset: v2}}]")
		time.Sleep(10 * time.Minute)
		requireSameProxies(t, mesh, remote, last(11*time.Minute))
		_, err := mesh.Counts(t.Context(), arm("reviews-v2"), last(5*time.Minute))
		require.ErrorIs(t, err, metrics.ErrNoTraffic, "copies are not reported by the source")
		copies := arm("reviews-v2")
		copies.Reporter = metrics.Destination
		require.EqualValues(t, 30_000, read(copies, 5*time.Minute).Total)

		mesh.Restart(ns, "reviews-v2")
		time.Sleep(5 * time.Minute)
		require.InDelta(t, 30_000, read(copies, 5*time.Minute).Total, 1500, "a reset is not a negative increment")

		setRules(t, server, "[{route: [{destination: {host: reviews, subset: v9}}]}]")
		time.Sleep(10 * time.Minute)
		require.EqualValues(t, 100*35*60, load.Stop().Sent())
		hosts := metrics.Hosts{"reviews.bookinfo.svc.cluster.local"}
		both := []metrics.Arm{reviewsV1, reviewsV2}
		lost, err := mesh.Reach(t.Context(), hosts, both, []metrics.Window{last(5 * time.Minute)})
		require.NoError(t, err)
		far, err := remote.Reach(t.Context(), hosts, both, []metrics.Window{last(5 * time.Minute)})
		require.NoError(t, err)
		require.Equal(t, far, lost)
		require.Equal(t, []metrics.Reached{{Requests: 30_000, Unreached: 30_000, Answered: []float64{0, 0}}}, lost)
		_, err = mesh.Reach(t.Context(), nil, both, []metrics.Window{last(5 * time.Minute)})
		require.ErrorIs(t, err, metrics.ErrBadQuery)
		mesh.Send(1, client)
		time.Sleep(10 * time.Minute)
		require.EqualValues(t, 100*35*60, load.Stop().Sent())
	})
}

// requireSameProxies holds what two read by proxy against each other: those of the client and
// of the gateway.
func requireSameProxies(t *testing.T, mesh *fake.Mesh, remote *prometheus.Provider, w metrics.Window) {
	t.Helper()
	direct, err := mesh.Proxies(t.Context(), arm("reviews-v2"), w)
	require.NoError(t, err)
	far, err := remote.Proxies(t.Context(), arm("reviews-v2"), w)
	require.NoError(t, err)
	require.Equal(t, far, direct)
	require.Len(t, far, 2)
	_, err = remote.Proxies(t.Context(), metrics.Query{Arm: reviewsV1, Signal: metrics.SlowerThan(time.Second)}, w)
	require.ErrorIs(t, err, metrics.ErrBadQuery)
	_, err = remote.Proxies(t.Context(), metrics.Query{Arm: metrics.Arm{Workload: "no", Namespace: "such"}}, w)
	require.ErrorIs(t, err, metrics.ErrNoSeries)
}

func TestManyBoundsOfLatencyAreReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := fake.NewMesh(bookinfo(t), fake.Config{})
		for range 4 {
			mesh.Send(500, client)
			time.Sleep(30 * time.Second)
		}
		bounds := []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, time.Second}
		windows := []metrics.Window{{From: time.Now().Add(-90 * time.Second), To: time.Now().Add(-time.Minute)}, last(30 * time.Second)}
		got, err := mesh.SlowerThan(t.Context(), arm("reviews-v1"), bounds, windows)
		require.NoError(t, err)
		far, err := prometheusOf(t, mesh).SlowerThan(t.Context(), arm("reviews-v1"), bounds, windows)
		require.NoError(t, err)
		require.Equal(t, far, got)
		for i, bound := range bounds {
			q := arm("reviews-v1")
			q.Signal = metrics.SlowerThan(bound)
			want, err := mesh.Sequence(t.Context(), q, windows)
			require.NoError(t, err)
			require.Equal(t, want, got[i])
		}
		require.Positive(t, got[0][0].Bad, "all took 10 ms")
		require.Zero(t, got[1][0].Bad)

		_, err = mesh.SlowerThan(t.Context(), arm("reviews-v1"), nil, windows)
		require.ErrorIs(t, err, metrics.ErrBadQuery)
		_, err = mesh.SlowerThan(t.Context(), arm("reviews-v1"), append(bounds, 7*time.Millisecond), windows)
		require.ErrorIs(t, err, metrics.ErrNoBucket)
	})
}

func TestThereAreManyWaysOfHavingNoCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := fake.NewMesh(bookinfo(t), fake.Config{})
		ended, end := context.WithCancel(t.Context())
		end()
		grpc, odd := arm("reviews-v1"), arm("reviews-v1")
		grpc.Signal, odd.Signal = metrics.GRPCErrors(), metrics.SlowerThan(7*time.Millisecond)
		mesh.Send(10, client)
		time.Sleep(time.Minute)
		for name, c := range map[string]struct {
			ctx   context.Context
			query metrics.Query
			over  time.Duration
			want  error
		}{
			"never heard of": {t.Context(), arm("reviews-v7"), time.Minute, metrics.ErrNoSeries},
			"no request":     {t.Context(), arm("reviews-v1"), 30 * time.Second, metrics.ErrNoTraffic},
			"no gRPC":        {t.Context(), grpc, time.Minute, metrics.ErrNoSeries},
			"no such bucket": {t.Context(), odd, time.Minute, metrics.ErrNoBucket},
			"no question":    {t.Context(), metrics.Query{}, time.Minute, metrics.ErrBadQuery},
			"no window":      {t.Context(), arm("reviews-v1"), 0, metrics.ErrBadQuery},
			"out of time":    {ended, arm("reviews-v1"), time.Minute, context.Canceled},
		} {
			_, err := mesh.Counts(c.ctx, c.query, last(c.over))
			require.ErrorIs(t, err, c.want, name)
		}
	})
}

func TestReadingsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := fake.NewMesh(bookinfo(t), fake.Config{Scrape: time.Minute, Retention: time.Hour})
		mesh.Load(1, client)
		time.Sleep(10 * time.Hour)
		c, err := mesh.Counts(t.Context(), arm("reviews-v1"), last(10*time.Hour))
		require.NoError(t, err)
		require.Less(t, c.Total, 3601.)
	})
}

func TestTheSourceCountsWhatTheMeshAnswersItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		setRules(t, server, `[{match: [{uri: {exact: /nc}}], route: [{destination: {host: reviews, subset: v9}}]},
			{match: [{uri: {exact: /uh}}], route: [{destination: {host: reviews, subset: v3}}]}]`)
		mesh := fake.NewMesh(server, fake.Config{})
		for n, path := range []string{"/nr", "/nc", "/uh"} {
			r := client
			r.Path = path
			mesh.Send(n+1, r)
		}
		time.Sleep(15 * time.Second)
		c, err := api.NewClient(api.Config{Address: "http://prometheus", RoundTripper: inProcess{mesh.Prometheus()}})
		require.NoError(t, err)
		value, _, err := v1.NewAPI(c).Query(t.Context(), `istio_requests_total{response_flags!="-"}`, time.Now())
		require.NoError(t, err)
		require.Equal(t, `istio_requests_total{connection_security_policy="unknown", destination_app="unknown", destination_canonical_revision="latest", destination_canonical_service="unknown", destination_service="reviews", destination_service_name="reviews", destination_service_namespace="unknown", destination_version="unknown", destination_workload="unknown", destination_workload_namespace="unknown", instance="productpage.bookinfo", reporter="source", request_protocol="http", response_code="404", response_flags="NR", source_workload="productpage", source_workload_namespace="bookinfo"} => 1 @[946684815]
istio_requests_total{connection_security_policy="unknown", destination_app="unknown", destination_canonical_revision="latest", destination_canonical_service="unknown", destination_service="reviews", destination_service_name="reviews", destination_service_namespace="unknown", destination_version="unknown", destination_workload="unknown", destination_workload_namespace="unknown", instance="productpage.bookinfo", reporter="source", request_protocol="http", response_code="503", response_flags="NC", source_workload="productpage", source_workload_namespace="bookinfo"} => 2 @[946684815]
istio_requests_total{connection_security_policy="unknown", destination_app="unknown", destination_canonical_revision="latest", destination_canonical_service="unknown", destination_service="reviews.bookinfo.svc.cluster.local", destination_service_name="reviews", destination_service_namespace="bookinfo", destination_version="unknown", destination_workload="unknown", destination_workload_namespace="unknown", instance="productpage.bookinfo", reporter="source", request_protocol="http", response_code="503", response_flags="UH", source_workload="productpage", source_workload_namespace="bookinfo"} => 3 @[946684815]`, value.String())
	})
}
