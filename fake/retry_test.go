package fake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// both is a rule to the pods of both versions: three and two.
const bothVersions = "route: [{destination: {host: reviews}}]"

func TestWhichFailuresAreTriedAgain(t *testing.T) {
	status := func(code int) fake.Behaviour { return fake.Behaviour{ErrorRate: 1, Status: code} }
	slow := fake.Behaviour{Median: time.Second}
	cases := []struct {
		on    string
		again string // what is tried again, of all that can happen
	}{
		{"", "UF"},
		{"5xx", "UF UT 500 502 503 504 599"},
		{"gateway-error", "UF UT 502 503 504"},
		{"reset", "UF UT"},
		{"connect-failure", "UF"},
		{"reset-before-request", "UF"},
		{"retriable-4xx", "409"},
		{"retriable-status-codes", ""},
		{"500,429", "429 500"},
		{"retriable-status-codes, 404", "404"},
		{"refused-stream,cancelled,unavailable,envoy-ratelimited", ""},
		{"unheard-of,CONNECT-FAILURE,999", ""},
		{"connect-failure, 503", "UF 503"},
	}
	for _, c := range cases {
		t.Run(c.on, func(t *testing.T) {
			var again []string
			for _, failure := range []string{"UF", "UT", "404", "409", "429", "500", "502", "503", "504", "599"} {
				mesh, _, _ := entered(t, "[{retries: {attempts: 1, perTryTimeout: 500ms, retryOn: '"+c.on+"'}, route: [{"+toArm1+"}]}]")
				var code int
				switch _, err := fmt.Sscan(failure, &code); {
				case failure == "UF":
					mesh.Crash(ns, "reviews-v1", true)
				case failure == "UT":
					mesh.Behave("reviews:1", slow)
				default:
					require.NoError(t, err)
					mesh.Behave("reviews:1", status(code))
				}
				result := mesh.Send(100, client)
				require.Len(t, result, 1)
				if strings.HasPrefix(result[0].Flags, "URX") {
					again = append(again, failure)
				}
			}
			require.Equal(t, c.again, strings.Join(again, " "))
		})
	}
}

func TestByDefaultPodsThatCannotBeReachedAreTriedTwiceMore(t *testing.T) {
	mesh, _, _ := entered(t, "[{"+bothVersions+"}]")
	mesh.Crash(ns, "reviews-v1", true)
	const n = 1_000_000
	result := mesh.Send(n, client)
	// Of five pods three are down. Each try takes a pod that has not failed yet,
	// but for one of 5^6 or (5/2)^6 times.
	miss1, miss2 := 1./(5*5*5*5*5*5), 64./(5*5*5*5*5*5)
	fails := 3. / 5 * (miss1 + (1-miss1)*2/4) * (miss2 + (1-miss2)*1/3)
	require.InDelta(t, fails*n, float64(result.Broken()), 4000)
	require.EqualValues(t, n, result.Sent())

	mesh.Crash(ns, "reviews-v2", true)
	require.Equal(t, "7 x {Workload: Revision: Image: Code:503 Flags:URX,UF Mirrored:false}\n", outcomes(mesh.Send(7, client)))
}

func TestRetriesCanBeSwitchedOff(t *testing.T) {
	mesh, _, _ := entered(t, "[{retries: {attempts: 0}, "+bothVersions+"}]")
	mesh.Crash(ns, "reviews-v1", true)
	result := mesh.Send(100_000, client)
	within(t, 100_000, 3./5, result.Broken())
	require.Equal(t, "UF", result[0].Flags)
}

func TestARetryMayGoToAPodThatFailedBefore(t *testing.T) {
	const n = 100_000
	for rule, fails := range map[string]float64{
		"retries: {attempts: 1, retryOn: connect-failure}":                                  3. / 5 * 1 / 2,
		"retries: {attempts: 1, retryOn: connect-failure, retryIgnorePreviousHosts: false}": 3. / 5 * 3 / 5,
	} {
		mesh, _, _ := entered(t, "[{"+rule+", "+bothVersions+"}]")
		mesh.Crash(ns, "reviews-v1", true)
		within(t, n, fails, mesh.Send(n, client).Broken())
	}
}

func TestEveryTryThatArrivesIsCountedByItsPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, _, _ := entered(t, "[{retries: {attempts: 3, retryOn: 5xx}, route: [{"+toArm1+"}]}]")
		mesh.Behave("reviews:1", fake.Behaviour{ErrorRate: 1, Median: time.Second})
		require.Equal(t, "10 x {Workload:reviews-v1 Revision:v1 Image:reviews:1 Code:500 Flags:URX Mirrored:false}\n", outcomes(mesh.Send(10, client)))
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_requests_total{reporter="destination",response_code="500",response_flags="-"}`, "")
		require.Contains(t, body, `"40"`)
		_, body = ask(mesh, `istio_requests_total{reporter="source",response_code="500",response_flags="URX"}`, "")
		require.Contains(t, body, `"10"`)
		_, body = ask(mesh, `istio_request_duration_milliseconds_sum{reporter="source"}`, "")
		require.Contains(t, body, `"40000"`, "a client waits for all of its tries")
	})
}

func TestTimeouts(t *testing.T) {
	cases := []struct{ name, rule, outcome, arrived, took string }{
		{"of the request end it", "timeout: 2s", "504 UT", "1", "2000"},
		{"of a try are no failure to try again by default", "retries: {attempts: 2, perTryTimeout: 2s}", "504 UT", "1", "2000"},
		{"of a try can be", "retries: {attempts: 2, perTryTimeout: 2s, retryOn: reset}", "504 URX,UT", "3", "6000"},
		{"of the request end the tries", "timeout: 5s, retries: {attempts: 4, perTryTimeout: 2s, retryOn: 5xx}", "504 UT", "3", "5000"},
		{"of a try do not count if they are no shorter", "timeout: 2s, retries: {attempts: 4, perTryTimeout: 2s, retryOn: 5xx}", "504 UT", "1", "2000"},
		{"of nothing are none", "timeout: 0s", "200 ", "1", "10000"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, real := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					mesh, entry, _ := entered(t, "[{"+c.rule+", route: [{"+toArm1+"}]}]")
					mesh.Behave("reviews:1", fake.Behaviour{Median: 10 * time.Second})
					if real {
						mesh.Handle("reviews:1", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
							time.Sleep(10 * time.Second)
						}))
						began := time.Now()
						w := get(entry)
						require.Equal(t, c.outcome[:3], fmt.Sprint(w.Code))
						require.Equal(t, c.took, fmt.Sprint(time.Since(began).Milliseconds()))
					} else {
						result := mesh.Send(1, visitor)
						require.Equal(t, c.outcome, fmt.Sprint(result[0].Code, " ", result[0].Flags))
						require.Zero(t, result.Broken())
					}
					time.Sleep(30 * time.Second)
					value := func(query string) string {
						_, body := ask(mesh, query, "")
						return body
					}
					flags := c.outcome[4:]
					if flags == "" {
						flags = "-"
					}
					require.Contains(t, value(`istio_requests_total{reporter="source",response_flags="`+flags+`"}`), `"1"`)
					require.Contains(t, value(`istio_requests_total{reporter="destination"}`), `"`+c.arrived+`"`)
					require.Contains(t, value(`istio_request_duration_milliseconds_sum{reporter="source"}`), `"`+c.took+`"`)
					if c.outcome[:3] == "504" {
						require.Contains(t, value(`istio_requests_total{reporter="destination",response_code="0",response_flags="DC"}`), `"`+c.arrived+`"`)
					}
				})
			}
		})
	}
}

func TestATimeoutCutsTheDistributionOfDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, _, _ := entered(t, "[{timeout: 200ms, route: [{"+toArm1+"}]}]")
		mesh.Behave("reviews:1", fake.Behaviour{Median: 100 * time.Millisecond, Sigma: 1})
		const n = 1_000_000
		late := mesh.Send(n, client).Sum(func(o fake.Outcome) bool { return o.Flags == "UT" })
		within(t, n, 0.244109, late) // ln 2 standard deviations
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_request_duration_milliseconds_bucket{reporter="source",le="250"}`, "")
		require.Contains(t, body, fmt.Sprint(n-late), "no answer takes longer")
	})
}

func TestCopiesEndWithTheTimeoutAndAreNotTriedAgain(t *testing.T) {
	mesh, _, _ := entered(t, "[{timeout: 1s, retries: {attempts: 2, retryOn: 5xx}, route: [{"+toArm1+"}], mirrors: [{destination: {host: reviews, subset: v2}}]}]")
	mesh.Behave("reviews:2", fake.Behaviour{Median: 2 * time.Second})
	require.Equal(t, `10 x {Workload:reviews-v1 Revision:v1 Image:reviews:1 Code:200 Flags: Mirrored:false}
10 x {Workload:reviews-v2 Revision:v2 Image:reviews:2 Code:0 Flags:DC Mirrored:true}
`, outcomes(mesh.Send(10, client)))
	mesh.Behave("reviews:2", fake.Behaviour{ErrorRate: 1})
	require.EqualValues(t, 10, mesh.Send(10, client).Mirrored("reviews-v2"))
}
