package fake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

func TestOfARequestThatIsTriedAgainTheClientSeesTheLastAnswer(t *testing.T) {
	mesh, entry, _ := entered(t, "[{retries: {attempts: 2, retryOn: '503'}, route: [{"+toArm1+"}]}]")
	var bodies, counts []string
	mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, int64(1+2*len(bodies)))) // more of it each time
		require.NoError(t, err)
		bodies, counts = append(bodies, string(body)), append(counts, r.Header.Get("X-Envoy-Attempt-Count"))
		if len(bodies) < 3 {
			w.Header().Set("X-Try", "bad")
			w.WriteHeader(503)
			fmt.Fprint(w, "bad")
			require.NoError(t, http.NewResponseController(w).Flush())
			return
		}
		fmt.Fprint(w, "good")
	}))
	w := call(entry, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello")))
	require.Equal(t, 200, w.Code)
	require.Equal(t, "good", w.Body.String())
	require.Empty(t, w.Header().Get("X-Try"))
	require.Equal(t, []string{"h", "hel", "hello"}, bodies)
	require.Equal(t, []string{"1", "2", "3"}, counts)
}

func TestALargeBodyIsSentOnce(t *testing.T) {
	mesh, entry, _ := entered(t, "[{retries: {attempts: 2, retryOn: '503'}, route: [{"+toArm1+"}]}]")
	tries := 0
	mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries++
		n, err := io.Copy(io.Discard, r.Body)
		require.NoError(t, err)
		w.WriteHeader(503)
		fmt.Fprint(w, n)
	}))
	w := call(entry, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 2<<20))))
	require.Equal(t, "2097152", w.Body.String())
	require.Equal(t, 1, tries)
}

func TestAHandlerMayFailBeforeASimulatedPodAnswers(t *testing.T) {
	mesh, entry, _ := entered(t, "[{retries: {attempts: 9, retryOn: reset}, "+bothVersions+"}]")
	mesh.Handle("reviews:1", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("bug") }))
	for range 100 {
		require.Equal(t, "reviews-v2", get(entry).Body.String())
	}
	mesh.Crash(ns, "reviews-v2", true)
	require.Equal(t, 503, get(entry).Code)
}

func TestAHandlerThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{timeout: 1s, route: [{"+toArm1+"}]}]")
		said := make(chan error, 2)
		handle := func(h http.HandlerFunc) { mesh.Handle("reviews:1", h) }
		handle(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Late", "yes")
			<-r.Context().Done()
			time.Sleep(time.Hour)
			_, err := fmt.Fprint(w, "too late")
			said <- err
			said <- http.NewResponseController(w).Flush()
		})
		began := time.Now()
		w := get(entry)
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, 504, w.Code)
		require.Empty(t, w.Header().Get("X-Late"))
		require.ErrorIs(t, <-said, http.ErrHandlerTimeout)
		require.ErrorIs(t, <-said, http.ErrHandlerTimeout)

		handle(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half an ans")
			time.Sleep(time.Hour)
		})
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { get(entry) })
		time.Sleep(time.Hour)

		handle(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(w, "all of it")
			require.NoError(t, http.NewResponseController(w).Flush())
			w.Header().Set("X-Sum", "9")
			w.Header().Set("X-Other", "dropped")
		})
		w = get(entry)
		require.Equal(t, "all of it", w.Body.String())
		require.True(t, w.Flushed)
		require.Equal(t, "9", w.Result().Trailer.Get("X-Sum"))
		require.Empty(t, w.Header().Get("X-Other"))
	})
}

func TestAHandlerThatIsLateReadsNoMoreOfTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{retries: {attempts: 1, perTryTimeout: 1s, retryOn: 5xx}, route: [{"+toArm1+"}]}]")
		read := make(chan error, 1)
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Envoy-Attempt-Count") == "1" {
				time.Sleep(time.Minute)
				_, err := r.Body.Read(make([]byte, 1))
				read <- err
				return
			}
			body, err := io.ReadAll(r.Body)
			fmt.Fprint(w, string(body), err)
		}))
		require.Equal(t, "hello<nil>", call(entry, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello"))).Body.String())
		require.Error(t, <-read)
	})
}

func TestABodyThatBreaksOffIsNoFailureOfThePod(t *testing.T) {
	broken := errors.New("broken")
	mesh, entry, _ := entered(t, "[{route: [{"+toArm1+"}]}]")
	mesh.Handle("reviews:1", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		require.ErrorIs(t, err, broken)
	}))
	body := io.MultiReader(strings.NewReader("x"), readerFunc(func([]byte) (int, error) { return 0, broken }))
	require.Equal(t, 200, call(entry, httptest.NewRequest(http.MethodPost, "/", body)).Code)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// anyRule is a rule of retries, timeouts, faults and weights, and pods that fail.
func anyRule(rt *rapid.T) (rule string, pods [2]fake.Behaviour, crashed [2]bool) {
	maybe := func(name string, values ...string) string {
		return rapid.SampledFrom(append(values, "")).Draw(rt, name)
	}
	rule = maybe("retries", "retries: {attempts: 0}, ", "retries: {attempts: 1, retryOn: 5xx}, ",
		"retries: {attempts: 3, retryOn: 'gateway-error,500', perTryTimeout: 15ms}, ",
		"retries: {attempts: 2, retryOn: reset, retryIgnorePreviousHosts: false}, ") +
		maybe("timeout", "timeout: 20ms, ", "timeout: 1s, ") +
		maybe("fault", "fault: {abort: {httpStatus: 418, percentage: {value: 20}}}, ",
			"fault: {delay: {fixedDelay: 1s, percentage: {value: 30}}, abort: {httpStatus: 418, percentage: {value: 20}}}, ") +
		maybe("mirror", "mirror: {host: reviews, subset: v2}, mirrorPercentage: {value: 50}, ") +
		rapid.SampledFrom([]string{
			bothVersions, "route: [{" + toArm1 + "}]", "route: [{destination: {host: reviews, subset: v3}}]",
			"route: [{" + toArm1 + ", weight: 70}, {" + toArm2 + ", weight: 30}]",
		}).Draw(rt, "route")
	for i := range pods {
		pods[i] = fake.Behaviour{
			ErrorRate: rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(rt, "errors"),
			Status:    rapid.SampledFrom([]int{500, 503, 409}).Draw(rt, "status"),
			Median:    rapid.SampledFrom([]time.Duration{7, 12, 18, 30}).Draw(rt, "median") * time.Millisecond,
		}
		crashed[i] = rapid.IntRange(0, 3).Draw(rt, "crashed") == 0
	}
	return rule, pods, crashed
}

func prepared(t testing.TB, rule string, pods [2]fake.Behaviour, crashed [2]bool, seed uint64) *fake.Mesh {
	server := bookinfo(t)
	setRules(t, server, "[{"+rule+"}]")
	mesh := fake.NewMesh(server, fake.Config{Seed: seed, Versions: map[string]fake.Behaviour{"reviews:1": pods[0], "reviews:2": pods[1]}})
	require.Empty(t, mesh.Problems())
	for i, down := range crashed {
		mesh.Crash(ns, fmt.Sprint("reviews-v", i+1), down)
	}
	return mesh
}

// Law: whatever the rule and however pods fail, every request ends once, the
// source counts each once, and Send and Load count alike.
func TestEveryRequestEndsOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule, pods, crashed := anyRule(rt)
		n := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 1_000_000)).Draw(rt, "n")
		mesh := prepared(t, rule, pods, crashed, rapid.Uint64().Draw(rt, "seed"))
		result := mesh.Send(n, client)
		require.EqualValues(rt, n, result.Sent())
		source, arrived := totals(mesh)
		require.EqualValues(rt, n, source)
		answered := result.Sum(func(o fake.Outcome) bool { return o.Workload != "" })
		require.GreaterOrEqual(rt, arrived, answered, "a pod counts every try")
		for _, c := range result {
			require.NotZero(rt, c.N)
			require.Equal(rt, c.Mirrored, c.Flags == "DC" || c.Mirrored)
		}
	})
}

// totals reads the counters of both reporters.
func totals(mesh *fake.Mesh) (source, destination uint64) {
	w := httptest.NewRecorder()
	mesh.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	for line := range strings.Lines(w.Body.String()) {
		var n float64
		if at := strings.LastIndexByte(line, ' '); strings.HasPrefix(line, "istio_requests_total{") {
			_, err := fmt.Sscan(line[at:], &n)
			if err != nil {
				continue
			}
			if strings.Contains(line, `reporter="source"`) {
				source += uint64(n)
			} else {
				destination += uint64(n)
			}
		}
	}
	return source, destination
}

// Law: real requests, to handlers that behave as the simulated pods do, end as
// often in each way as those that are sent in bulk.
func TestRealRequestsEndLikeSimulatedOnes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rule, pods, crashed := anyRule(rt)
		seed := rapid.Uint64().Draw(rt, "seed")
		const sent, many = 150, 1_000_000
		want := map[string]float64{}
		for _, c := range prepared(t, rule, pods, crashed, seed).Send(many, client) {
			if !c.Mirrored {
				want[fmt.Sprint(c.Code, c.Workload)] += float64(c.N) / many
			}
		}
		got := map[string]uint64{}
		synctest.Test(t, func(t *testing.T) {
			mesh := prepared(t, rule, pods, crashed, seed+1)
			dice := rapidDice(seed)
			for i, b := range pods {
				mesh.Handle(fmt.Sprint("reviews:", i+1), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(b.Median)
					w.Header().Set("X-By", fmt.Sprint("reviews-v", i+1))
					if dice() < b.ErrorRate {
						w.WriteHeader(b.Status)
					}
				}))
			}
			entry := mesh.Entry(client.From)
			for range sent {
				r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.Background())
				r.Host = client.Host
				w := httptest.NewRecorder()
				entry.ServeHTTP(w, r)
				got[fmt.Sprint(w.Code, w.Header().Get("X-By"))]++
			}
			mesh.Wait()
			time.Sleep(time.Second)
			source, _ := totals(mesh)
			require.EqualValues(rt, sent, source)
		})
		for outcome := range got {
			require.Contains(rt, want, outcome)
		}
		for outcome, share := range want {
			within(rt, sent, share, got[outcome])
		}
	})
}

// rapidDice returns a source of numbers from 0 to 1 that handlers share.
func rapidDice(seed uint64) func() float64 {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 7))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64()
	}
}
