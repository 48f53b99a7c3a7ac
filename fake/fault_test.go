package fake_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const delayed = "fault: {delay: {fixedDelay: 3s, percentage: {value: 100}}}"

func TestDelaysAreCountedByTheSourceAlone(t *testing.T) {
	cases := []struct{ name, rule, outcome string }{
		{"of an answer", delayed + ", route: [{" + toArm1 + "}]", "1000 x {Workload:reviews-v1 Revision:v1 Image:reviews:1 Code:200 Flags:DI Mirrored:false}\n"},
		{"of an abort", "fault: {delay: {fixedDelay: 3s, percentage: {value: 100}}, abort: {httpStatus: 418, percentage: {value: 100}}}, route: [{" + toArm1 + "}]", "1000 x {Workload: Revision: Image: Code:418 Flags:DI,FI Mirrored:false}\n"},
		{"before a missing subset", delayed + ", route: [{destination: {host: reviews, subset: v9}}]", "1000 x {Workload: Revision: Image: Code:503 Flags:DI,NC Mirrored:false}\n"},
		{"by the older percentage", "fault: {delay: {fixedDelay: 3s, percent: 100}}, route: [{" + toArm1 + "}]", "1000 x {Workload:reviews-v1 Revision:v1 Image:reviews:1 Code:200 Flags:DI Mirrored:false}\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mesh, _, _ := entered(t, "[{"+c.rule+"}]")
				require.Equal(t, c.outcome, outcomes(mesh.Send(1000, client)))
				time.Sleep(15 * time.Second)
				_, body := ask(mesh, `istio_request_duration_milliseconds_bucket{reporter="source",le=~"2500|5000"}`, "")
				require.Regexp(t, `"le":"2500".*?,"0"\].*"le":"5000".*?,"1000"\]`, body)
				_, body = ask(mesh, `istio_request_duration_milliseconds_bucket{reporter="destination",le="10"}`, "")
				require.NotRegexp(t, `,"0"\]`, body)
			})
		})
	}
}

func TestADelayTakesItsShare(t *testing.T) {
	mesh, _, _ := entered(t, "[{fault: {delay: {fixedDelay: 3s, percentage: {value: 10}}}, route: [{"+toArm1+"}]}]")
	result := mesh.Send(100_000, client)
	require.Zero(t, result.Broken())
	require.EqualValues(t, 100_000, result.To("reviews-v1"))
	for _, c := range result {
		if c.Flags == "DI" {
			within(t, 100_000, 0.1, c.N)
		}
	}
}

func TestARealRequestWaitsForItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{"+delayed+", timeout: 1s, route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", says("one"))
		began := time.Now()
		require.Equal(t, "one", get(entry).Body.String())
		require.Equal(t, 3*time.Second, time.Since(began), "no timeout runs while it waits")

		began = time.Now()
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		call(entry, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		require.Equal(t, time.Second, time.Since(began), "nobody waits for a client that left")
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_requests_total{response_flags="DI,DC",response_code="0"}`, "")
		require.Contains(t, body, `"1"`)
	})
}
