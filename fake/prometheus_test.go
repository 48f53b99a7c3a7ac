package fake_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// ask puts a query to the API and returns status and body.
func ask(mesh *fake.Mesh, query, at string) (int, string) {
	w := httptest.NewRecorder()
	form := url.Values{"query": {query}, "time": {at}}.Encode()
	mesh.Prometheus().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/query?"+form, nil))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestThePrometheusAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := fake.NewMesh(bookinfo(t), fake.Config{})
		mesh.Send(7, client)
		time.Sleep(40 * time.Second) // scrapes at 15 and 30 s
		const only = `__name__,reporter="source", response_code=~"2..",destination_workload="reviews-v1", le!~"x"`
		series := strings.Replace(only, "__name__,", "", 1)
		cases := []struct {
			query, at string
			code      int
			want      string // a part of the answer
		}{
			{"istio_requests_total{" + series + "}[5m]", "", 200, `"values":[[946684815,"6"],[946684830,"6"]]`},
			{"istio_requests_total{" + series + "}[15s]", "946684830", 200, `"values":[[946684830,"6"]]`},
			{"istio_requests_total{" + series + "}[16s]", "2000-01-01T00:00:30Z", 200, `"values":[[946684815,"6"],[946684830,"6"]]`},
			{"istio_requests_total{" + series + "}", "", 200, `"resultType":"vector"`},
			{"istio_requests_total{" + series + "}", "", 200, `"value":[946684840,"6"]`},
			{"  istio_requests_total { reporter = \"source\" , } [ 5m ] ", "", 200, `"resultType":"matrix"`},
			{"istio_requests_total", "946684800", 200, `"result":[]`},
			{`istio_request_duration_milliseconds_bucket{` + series + `,le="10"}`, "", 200, `"6"`},
			{`istio_request_duration_milliseconds_bucket{` + series + `,le="5"}`, "", 200, `"0"`},
			{`istio_request_duration_milliseconds_bucket{` + series + `,le="+Inf"}`, "", 200, `"6"`},
			{`istio_request_duration_milliseconds_sum{` + series + `}`, "", 200, `"60"`},
			{`{__name__="istio_request_duration_milliseconds_count",` + series + `}`, "", 200, `"6"`},
			{`istio_requests_total{destination_workload="reviews.v1"}`, "", 200, `"result":[]`},
			{`istio_requests_total{grpc_response_status="",reporter="source"}`, "", 200, `"6"`},
			{"sum(rate(istio_requests_total[5m]))", "", 422, "not simulated"},
			{"istio_requests_total offset 5m", "", 422, "left over"},
			{"", "", 422, "selects nothing"},
			{"a[0s]", "", 422, "bad range"},
			{"a[5m", "", 422, "bad range"},
			{`a{b}`, "", 422, "want a matcher"},
			{`a{b=c}`, "", 422, "want a quoted value"},
			{`a{b="c" d="e"}`, "", 422, "want a comma"},
			{`a{b=~"("}`, "", 422, "missing closing"},
			{`a{b='ccc}`, "", 422, "bad value"},
			{`{reporter='source',source_workload='product\x70\u0061ge'}`, "", 200, `"6"`},
			{"{reporter=`source`}", "", 200, `"6"`},
			{"a", "yesterday", 400, `"errorType":"bad_data"`},
		}
		for _, c := range cases {
			code, body := ask(mesh, c.query, c.at)
			require.Equal(t, c.code, code, "%s: %s", c.query, body)
			require.Contains(t, body, c.want, c.query)
		}
		w := httptest.NewRecorder()
		mesh.Prometheus().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/targets", nil))
		require.Equal(t, 422, w.Code)
		require.JSONEq(t, `{"status":"error","errorType":"execution","error":"/api/v1/targets is not simulated"}`, w.Body.String())
	})
}

func TestTheTextFormatIsThatOfAProxy(t *testing.T) {
	mesh := fake.NewMesh(bookinfo(t), fake.Config{})
	mesh.Send(100, client)
	w := httptest.NewRecorder()
	mesh.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/stats/prometheus", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	require.NoError(t, err)
	require.Len(t, families["istio_requests_total"].GetMetric(), 4, "two arms, two reporters")
	require.Len(t, families["istio_request_duration_milliseconds"].GetMetric()[0].GetHistogram().GetBucket(), 20)
}

func FuzzSelectors(f *testing.F) {
	for _, seed := range []string{"a", `a{b="c"}[5m]`, `{__name__=~"x.*",}`, "a{", "[5m]", `a{b="\xff"}`} {
		f.Add(seed)
	}
	mesh := fake.NewMesh(bookinfo(f), fake.Config{})
	f.Fuzz(func(t *testing.T, query string) {
		code, body := ask(mesh, query, "")
		require.Contains(t, []int{200, 422}, code)
		require.Contains(t, body, `"status":`)
	})
}
