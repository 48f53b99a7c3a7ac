package prometheus_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
)

// noon is the time 1772366400 of the answers below, the start of the window.
var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	minute = metrics.Window{From: noon, To: noon.Add(time.Minute)}
)

// serve answers every query with the status and body, and returns a client.
func serve(t *testing.T, status int, body string) prometheus.API {
	t.Helper()
	return client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}

func client(t *testing.T, h http.HandlerFunc) prometheus.API {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := api.NewClient(api.Config{Address: server.URL})
	require.NoError(t, err)
	return v1.NewAPI(c)
}

func provider(t *testing.T, a prometheus.API, c prometheus.Config) *prometheus.Provider {
	t.Helper()
	p, err := prometheus.New(a, c)
	require.NoError(t, err)
	return p
}

// matrix is a successful answer with these series.
func matrix(series string) string {
	return `{"status":"success","data":{"resultType":"matrix","result":[` + series + `]}}`
}

// requests is a series of istio_requests_total in the form of the API.
func requests(labels, values string) string {
	return `{"metric":{"__name__":"istio_requests_total","instance":"10.0.0.7:15020",` + labels + `},"values":[` + values + `]}`
}

// bucket is a series of the histogram.
func bucket(instance, le, values string) string {
	return `{"metric":{"__name__":"istio_request_duration_milliseconds_bucket","instance":"` + instance +
		`","response_code":"200","le":"` + le + `"},"values":[` + values + `]}`
}

const (
	steady  = `[1772366395,"100"],[1772366410,"140"],[1772366425,"180"],[1772366455,"250"]`
	errored = `[1772366425,"3"],[1772366455,"5"]`
	ok      = `"response_code":"200"`
	failed  = `"response_code":"503","response_flags":"UF"`
	left    = `"response_code":"0","response_flags":"DC"`
)

var (
	serverErrors = metrics.Query{Arm: reviews}
	clientErrors = metrics.Query{Arm: reviews, Signal: metrics.ClientErrors()}
	grpcErrors   = metrics.Query{Arm: reviews, Signal: metrics.GRPCErrors()}
	slow         = metrics.Query{Arm: reviews, Signal: metrics.SlowerThan(100 * time.Millisecond)}
)

// V15: calls of gRPC count by their own status, among others.
func TestCountsFromAnswersOfTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		query  metrics.Query
		answer string
		want   metrics.Counts
	}{
		"good requests only": {serverErrors, matrix(requests(ok, steady)), metrics.Counts{Total: 150}},
		"errors that began inside the window": {serverErrors,
			matrix(requests(ok, steady) + "," + requests(failed, errored)), metrics.Counts{Total: 155, Bad: 5}},
		"nothing but errors": {serverErrors, matrix(requests(failed, steady)), metrics.Counts{Total: 150, Bad: 150}},
		"clients that left":  {serverErrors, matrix(requests(ok, steady) + "," + requests(left, errored)), metrics.Counts{Total: 155}},
		"clients that left or were refused": {clientErrors, matrix(requests(ok, steady) + "," + requests(left, errored) +
			"," + requests(`"response_code":"403"`, errored) + "," + requests(failed, errored)), metrics.Counts{Total: 165, Bad: 10}},
		"calls that a gRPC server failed": {serverErrors, matrix(requests(ok, steady) + "," + requests(ok+`,"grpc_response_status":"0"`, steady) +
			"," + requests(ok+`,"grpc_response_status":"14"`, errored) + "," + requests(ok+`,"grpc_response_status":"5"`, errored)),
			metrics.Counts{Total: 310, Bad: 5}},
		"gRPC errors": {grpcErrors,
			matrix(requests(ok+`,"grpc_response_status":"0"`, steady) + "," + requests(ok+`,"grpc_response_status":"14"`, errored)),
			metrics.Counts{Total: 155, Bad: 5}},
		"slow requests, Prometheus 2": {slow,
			matrix(bucket("a", "100", steady) + "," + bucket("a", "+Inf", `[1772366395,"100"],[1772366410,"141"],[1772366425,"183"],[1772366455,"260"]`)),
			metrics.Counts{Total: 160, Bad: 10}},
		"slow requests, from Prometheus 2 to 3 inside the window": {slow,
			matrix(bucket("a", "100", `[1772366395,"100"],[1772366410,"140"]`) + "," +
				bucket("a", "100.0", `[1772366425,"180"],[1772366455,"250"]`) + "," +
				bucket("a", "+Inf", `[1772366395,"100"],[1772366410,"141"],[1772366425,"183"],[1772366455,"260"]`)),
			metrics.Counts{Total: 160, Bad: 10}},
		"slow requests of two proxies, one of them reset": {slow,
			matrix(bucket("a", "100", steady) + "," + bucket("a", "+Inf", steady) + "," +
				bucket("b", "100", `[1772366395,"100"],[1772366410,"5"]`) + "," +
				bucket("b", "+Inf", `[1772366395,"110"],[1772366410,"7"]`)),
			metrics.Counts{Total: 157, Bad: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider(t, serve(t, 200, c.answer), prometheus.Config{}).Counts(t.Context(), c.query, minute)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestEveryKindOfNothingHasItsError(t *testing.T) {
	for name, c := range map[string]struct {
		query  metrics.Query
		status int
		answer string
		want   error
		text   string
	}{
		"no series":        {serverErrors, 200, matrix(""), metrics.ErrNoSeries, "server errors to reviews-v2.bookinfo, reported by the source"},
		"no traffic":       {serverErrors, 200, matrix(requests(ok, `[1772366395,"100"],[1772366410,"100"]`)), metrics.ErrNoTraffic, ""},
		"one scrape":       {serverErrors, 200, matrix(requests(ok, `[1772366410,"100"]`)), metrics.ErrTooFewSamples, ""},
		"NaN":              {serverErrors, 200, matrix(requests(ok, `[1772366395,"NaN"],[1772366410,"1"]`)), metrics.ErrNotANumber, "10.0.0.7:15020"},
		"infinite":         {serverErrors, 200, matrix(requests(ok, `[1772366395,"1"],[1772366410,"+Inf"]`)), metrics.ErrInfinite, ""},
		"negative":         {serverErrors, 200, matrix(requests(ok, `[1772366395,"-1"],[1772366410,"1"]`)), metrics.ErrNotCounter, ""},
		"stale":            {serverErrors, 200, matrix(requests(ok, `[1772366325,"1"],[1772366330,"2"]`)), metrics.ErrStale, "the newest reading is 2m10s old, at most 2m0s is allowed"},
		"no code":          {serverErrors, 200, matrix(requests(`"app":"x"`, steady)), metrics.ErrNoLabel, "response_code"},
		"no gRPC status":   {grpcErrors, 200, matrix(requests(ok, steady)), metrics.ErrNoLabel, "grpc_response_status"},
		"no such bucket":   {slow, 200, matrix(bucket("a", "+Inf", steady)), metrics.ErrNoBucket, `100 ms, at "a"`},
		"bucket twice":     {slow, 200, matrix(bucket("a", "100", steady) + "," + bucket("a", "100.0", steady)), metrics.ErrManySeries, ""},
		"infinity twice":   {slow, 200, matrix(bucket("a", "+Inf", steady) + "," + bucket("a", "Inf", steady)), metrics.ErrManySeries, ""},
		"a foreign bucket": {slow, 200, matrix(bucket("a", "250", steady)), metrics.ErrNotCounter, "unexpected bucket"},
		"no bound at all":  {slow, 200, matrix(bucket("a", "many", steady)), metrics.ErrNotCounter, "unexpected bucket"},
		"warnings": {serverErrors, 200, `{"status":"success","data":{"resultType":"matrix","result":[` + requests(ok, steady) +
			`]},"warnings":["store a: unreachable","store b: too slow"]}`, metrics.ErrPartial, "store a: unreachable; store b: too slow"},
		"a vector": {serverErrors, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, metrics.ErrNotCounter, "not a matrix"},
		"a native histogram": {serverErrors, 200, matrix(`{"metric":{},"histograms":[[1772366410,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]]}`),
			metrics.ErrNotCounter, "native"},
		"a refusal": {serverErrors, 422, `{"status":"error","errorType":"execution","error":"query processing would load too many samples"}`,
			metrics.ErrUnavailable, "too many samples"},
		"a gateway's error": {serverErrors, 502, `<html>Bad Gateway</html>`, metrics.ErrUnavailable, "502"},
		"not JSON":          {serverErrors, 200, `<html>Please log in</html>`, metrics.ErrUnavailable, ""},
		"a bad query":       {metrics.Query{}, 200, matrix(""), metrics.ErrBadQuery, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := provider(t, serve(t, c.status, c.answer), prometheus.Config{}).Counts(t.Context(), c.query, minute)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.text)
			require.Equal(t, metrics.Counts{}, got)
		})
	}
}

func TestTheQuestionReachesBackForABaseLine(t *testing.T) {
	var query, at string
	a := client(t, func(w http.ResponseWriter, r *http.Request) {
		query, at = r.FormValue("query"), r.FormValue("time")
		fmt.Fprint(w, matrix(requests(ok, steady)))
	})
	_, err := provider(t, a, prometheus.Config{MaxAge: 30 * time.Second}).Counts(t.Context(), serverErrors, minute)
	require.NoError(t, err)
	require.Equal(t, "1772366460", at)
	require.Equal(t, `istio_requests_total{reporter="source",destination_workload="reviews-v2",destination_workload_namespace="bookinfo"}[1m30s]`, query)
}

func TestNamesOfLabelsAreThoseOfTheConfig(t *testing.T) {
	const renamed = `{"metric":{"code":"500","pod":"a"},"values":[` + steady + `]}`
	names := metrics.Names{ResponseCode: "code", Instance: "pod"}
	got, err := provider(t, serve(t, 200, matrix(renamed)), prometheus.Config{Names: names}).Counts(t.Context(), serverErrors, minute)
	require.NoError(t, err)
	require.Equal(t, metrics.Counts{Total: 150, Bad: 150}, got)
}

func TestTheEndOfTheContextEndsTheQuestion(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := client(t, func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, r.ParseForm()) // the server notices a client that leaves only behind the body
		cancel()
		<-r.Context().Done()
	})
	_, err := provider(t, a, prometheus.Config{}).Counts(ctx, serverErrors, minute)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, metrics.ErrUnavailable)
}

func TestAnErrorOfTheServerCanBeLookedInto(t *testing.T) {
	a := serve(t, 400, `{"status":"error","errorType":"bad_data","error":"parse error"}`)
	_, err := provider(t, a, prometheus.Config{}).Counts(t.Context(), serverErrors, minute)
	var apiError *v1.Error
	require.ErrorAs(t, err, &apiError)
	require.Equal(t, v1.ErrBadData, apiError.Type)
}

func TestAWindowThatHasNotBegunIsNotAskedFor(t *testing.T) {
	p := provider(t, failing{}, prometheus.Config{})
	_, err := p.Counts(t.Context(), serverErrors, metrics.Window{From: noon, To: noon})
	require.ErrorIs(t, err, metrics.ErrBadQuery)
}

// failing is an API that must not be asked.
type failing struct{}

func (failing) Query(context.Context, string, time.Time, ...v1.Option) (model.Value, v1.Warnings, error) {
	panic("asked")
}

func TestNewReportsEveryMistake(t *testing.T) {
	_, err := prometheus.New(nil, prometheus.Config{Names: metrics.Names{Service: "not a name"}, MaxAge: -1, Step: 1})
	require.ErrorIs(t, err, metrics.ErrBadQuery)
	for _, want := range []string{"Service", "the API is nil", "MaxAge is -1ns; want 0 or more", "Step is 1ns; want whole milliseconds"} {
		require.ErrorContains(t, err, want)
	}
}

// E29: what a URL may hold is not for logs.
func TestATokenInTheURLIsNotInTheError(t *testing.T) {
	c, err := api.NewClient(api.Config{Address: "http://ann:secret@127.0.0.1:1/?token=hush"})
	require.NoError(t, err)
	p := provider(t, v1.NewAPI(c), prometheus.Config{})
	_, err = p.Counts(t.Context(), serverErrors, minute)
	require.ErrorIs(t, err, metrics.ErrUnavailable)
	require.ErrorContains(t, err, "127.0.0.1:1")
	_, valuesErr := p.Values(t.Context(), "up", []metrics.Window{minute})
	for _, err := range []error{err, valuesErr} {
		require.NotContains(t, err.Error(), "secret")
		require.NotContains(t, err.Error(), "hush")
	}
}
