package prometheus_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
)

var _ metrics.Sequencer = (*prometheus.Provider)(nil)

// latencies is an answer with the buckets 100, in two spellings, 250 and +Inf of
// two proxies.
var latencies = matrix(strings.Join([]string{
	bucket("a", "100", `[1772366395,"50"],[1772366410,"60"]`),
	bucket("a", "100.0", `[1772366425,"70"],[1772366455,"80"]`),
	bucket("a", "250", steady),
	bucket("a", "+Inf", `[1772366395,"100"],[1772366410,"141"],[1772366425,"183"],[1772366455,"260"]`),
	bucket("b", "250.0", `[1772366395,"7"],[1772366455,"9"]`),
	bucket("b", "100.0", `[1772366395,"7"],[1772366455,"7"]`),
	bucket("b", "+Inf", `[1772366395,"7"],[1772366455,"10"]`),
}, ","))

const short, long = 100 * time.Millisecond, 250 * time.Millisecond

func TestOneQuestionForAllBoundsOfLatency(t *testing.T) {
	var asked []string
	a := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("query"))
		fmt.Fprint(w, latencies)
	})
	windows := []metrics.Window{{From: noon, To: noon.Add(20 * time.Second)}, {From: noon.Add(20 * time.Second), To: noon.Add(time.Minute)}}
	query := metrics.Query{Arm: reviews, Signal: metrics.HTTPStatus(7, 8)} // which does not matter
	got, err := provider(t, a, prometheus.Config{}).SlowerThan(t.Context(), query, []time.Duration{long, short, long}, windows)
	require.NoError(t, err)
	ofLong := []metrics.Counts{{Total: 41, Bad: 1}, {Total: 122, Bad: 10}}
	require.Equal(t, [][]metrics.Counts{ofLong, {{Total: 41, Bad: 31}, {Total: 122, Bad: 102}}, ofLong}, got)
	require.Equal(t, []string{`istio_request_duration_milliseconds_bucket{reporter="source",destination_workload="reviews-v2",` +
		`destination_workload_namespace="bookinfo",le=~"250|250\\.0|100|100\\.0|250|250\\.0|\\+Inf"}[3m]`}, asked)
}

func TestSlowHasTheErrorsOfSequence(t *testing.T) {
	for name, c := range map[string]struct {
		query  metrics.Query
		bounds []time.Duration
		answer string
		want   error
		text   string
	}{
		"no series":      {slow, []time.Duration{short}, matrix(""), metrics.ErrNoSeries, "slow requests to reviews-v2.bookinfo, reported by the source"},
		"no such bucket": {slow, []time.Duration{short, time.Second, long}, latencies, metrics.ErrNoBucket, `1000 ms, at "a"`},
		"not asked for":  {slow, []time.Duration{short}, latencies, metrics.ErrNotCounter, "unexpected bucket"},
		"bucket twice":   {slow, []time.Duration{short, long}, matrix(bucket("a", "250", steady) + "," + bucket("a", "250.0", steady)), metrics.ErrManySeries, ""},
		"stale":          {slow, []time.Duration{short}, matrix(bucket("a", "100", `[1772366325,"1"]`) + "," + bucket("a", "+Inf", `[1772366325,"1"]`)), metrics.ErrStale, "2m15s"},
		"no bound":       {slow, nil, latencies, metrics.ErrBadQuery, "want at least one bound"},
		"a bad bound":    {slow, []time.Duration{short, 0}, latencies, metrics.ErrBadQuery, "slower than 0s"},
		"a bad arm":      {metrics.Query{}, []time.Duration{short}, latencies, metrics.ErrBadQuery, "the arm needs"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider(t, serve(t, 200, c.answer), prometheus.Config{}).SlowerThan(t.Context(), c.query, c.bounds, []metrics.Window{minute})
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.text)
			require.Equal(t, 1, strings.Count(err.Error(), "prometheus:"))
			require.Nil(t, got)
		})
	}
}
