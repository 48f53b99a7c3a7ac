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

var _ metrics.ReachReader = (*prometheus.Provider)(nil)

// The first readings of requests that reach no pod, and of those to the canary, count, as the proxy was
// read before.
func TestOneQuestionForWhatReachesNoPod(t *testing.T) {
	var asked []string
	to := func(service, more, values string) string {
		return requests(`"destination_service":"`+service+`",`+more, values)
	}
	answer := matrix(strings.Join([]string{
		to("reviews.bookinfo.svc.cluster.local", `"destination_workload":"reviews-v1","destination_workload_namespace":"bookinfo",`+ok, steady),
		to("reviews.bookinfo.svc.cluster.local", `"destination_workload":"reviews-v2","destination_workload_namespace":"bookinfo",`+ok, errored),
		to("reviews.bookinfo.svc.cluster.local", `"destination_workload":"unknown","response_code":"503","response_flags":"UH"`, errored),
		to("reviews:9080", `"destination_workload":"unknown","source_workload_namespace":"bookinfo","response_code":"503","response_flags":"NC"`, errored),
		to("reviews:9080", `"destination_workload":"unknown","source_workload_namespace":"other","response_code":"503","response_flags":"NC"`, errored),
	}, ","))
	a := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("query"))
		fmt.Fprint(w, answer)
	})
	windows := []metrics.Window{{From: noon, To: noon.Add(20 * time.Second)}, {From: noon.Add(20 * time.Second), To: noon.Add(time.Minute)}}
	got, err := provider(t, a, prometheus.Config{}).Reach(t.Context(), metrics.Hosts{"reviews.bookinfo.svc.cluster.local"},
		[]metrics.Arm{{Workload: "reviews-v1", Namespace: "bookinfo"}, reviews}, windows)
	require.NoError(t, err)
	require.Equal(t, []metrics.Reached{{Requests: 40, Answered: []float64{40, 0}}, {Requests: 125, Unreached: 10, Answered: []float64{110, 5}}}, got)
	require.Equal(t, []string{`istio_requests_total{reporter="source",destination_service=~"` +
		`(?i:reviews|reviews\\.bookinfo|reviews\\.bookinfo\\.svc|reviews\\.bookinfo\\.svc\\.cluster\\.local)(:[0-9]+)?|unknown|"}[3m]`}, asked)
}

func TestReachHasTheErrorsOfSequence(t *testing.T) {
	for name, c := range map[string]struct {
		hosts  metrics.Hosts
		status int
		answer string
		want   error
	}{
		"no series":    {metrics.Hosts{"reviews.example.com"}, 200, matrix(""), metrics.ErrNoSeries},
		"no host":      {metrics.Hosts{"*"}, 200, matrix(""), metrics.ErrBadQuery},
		"stale":        {metrics.Hosts{"reviews.example.com"}, 200, matrix(requests(`"destination_service":"reviews.example.com",`+ok, `[1772366325,"1"]`)), metrics.ErrStale},
		"unavailable":  {metrics.Hosts{"reviews.example.com"}, 503, "", metrics.ErrUnavailable},
		"not a matrix": {metrics.Hosts{"reviews.example.com"}, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, metrics.ErrNotCounter},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider(t, serve(t, c.status, c.answer), prometheus.Config{}).Reach(t.Context(), c.hosts, nil, []metrics.Window{minute})
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, fmt.Sprintf("requests to %v that reach no pod", c.hosts))
			require.Nil(t, got)
		})
	}
	_, err := provider(t, serve(t, 200, matrix("")), prometheus.Config{}).Reach(t.Context(), metrics.Hosts{"a.b"}, nil, nil)
	require.ErrorIs(t, err, metrics.ErrBadQuery)
}
