package fake_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/metrics"
)

// call sends a real request through the gateway of the fixture.
func call(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	r.Host = visitor.Host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(h http.Handler) *httptest.ResponseRecorder {
	return call(h, httptest.NewRequest(http.MethodGet, "/", nil))
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}

// entered returns a mesh with the given rules and the handler of its gateway.
func entered(t testing.TB, rules string) (*fake.Mesh, http.Handler, *apiserver.Server) {
	t.Helper()
	server := bookinfo(t)
	setRules(t, server, rules)
	mesh := fake.NewMesh(server, fake.Config{})
	require.Empty(t, mesh.Problems())
	return mesh, mesh.Entry(visitor.From), server
}

const toV1 = "[{route: [{destination: {host: reviews.bookinfo.svc.cluster.local, subset: v1}}]}]"

func TestRealRequestsAreRoutedByTheSameRules(t *testing.T) {
	mesh, entry, server := entered(t, `[{match: [{headers: {x-user: {exact: 'a,b'}}, method: {exact: POST}, queryParams: {q: {exact: '1'}}, uri: {exact: /p}}],
		route: [{destination: {host: reviews, subset: v2}}]}, {route: [{destination: {host: reviews, subset: v1}}]}]`)
	mesh.Handle("reviews:1", says("one"))
	mesh.Handle("reviews:2", says("two"))
	require.Equal(t, "one", get(entry).Body.String())
	r := httptest.NewRequest(http.MethodPost, "https://x/p?q=1", strings.NewReader("body"))
	r.Header["X-User"] = []string{"a", "b"}
	require.Equal(t, "two", call(entry, r).Body.String())
	setImage(t, server, "reviews-v1", "reviews:2")
	mesh.Handle("reviews:1", says("old"))
	require.Equal(t, "old", get(entry).Body.String(), "the rollout has not begun yet")
}

func TestRealAnswersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, toV1)
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(70 * time.Millisecond)
			w.WriteHeader(500)
			require.NoError(t, http.NewResponseController(w).Flush())
		}))
		require.Equal(t, 500, get(entry).Code)
		time.Sleep(15 * time.Second)
		mesh.Handle("reviews:1", says(""))
		require.Equal(t, 200, get(entry).Code)
		time.Sleep(15 * time.Second)
		c, err := mesh.Counts(t.Context(), arm("reviews-v1"), last(15*time.Second))
		require.NoError(t, err)
		require.Equal(t, metrics.Counts{Total: 1}, c)
		_, body := ask(mesh, `istio_request_duration_milliseconds_bucket{reporter="source",response_code="500",le=~"50|100"}`, "")
		require.Contains(t, body, `"le":"50"`)
		require.Regexp(t, `"le":"50".*?,"0"\].*"le":"100".*?,"1"\]`, body)
	})
}

func TestTheMeshAnswersByItself(t *testing.T) {
	cases := map[string]struct {
		rules    string
		code     int
		body     string
		location string
	}{
		"no rule":           {"[{match: [{uri: {exact: /x}}], directResponse: {status: 200}}]", 404, "no answer from the mesh: flag NR", ""},
		"missing subset":    {"[{route: [{destination: {host: reviews, subset: v9}}]}]", 503, "no answer from the mesh: flag NC", ""},
		"direct response":   {"[{directResponse: {status: 418, body: {string: teapot}}}]", 418, "teapot", ""},
		"redirect":          {"[{redirect: {uri: /new}}]", 301, "", "http://reviews.example.com/new"},
		"redirect to host":  {"[{redirect: {authority: other, scheme: https, uri: /x, redirectCode: 302}}]", 302, "", "https://other/x"},
		"redirect, no uri":  {"[{redirect: {authority: other}}]", 301, "", "http://other/"},
		"simulated version": {toV1, 200, "reviews-v1", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, entry, _ := entered(t, c.rules)
			w := get(entry)
			require.Equal(t, c.code, w.Code)
			require.Equal(t, c.body, w.Body.String())
			require.Equal(t, c.location, w.Header().Get("Location"))
		})
	}
}

const mirrored = "[{route: [{destination: {host: reviews, subset: v1}}], mirror: {host: reviews, subset: v2}}]"

func TestCopiesAreSentInTheBackgroundAndTheirAnswersDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, mirrored)
		got := make(chan string, 2)
		echo := func(name string, status int) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				got <- name + " got " + string(body)
				w.Header().Set("X-By", name)
				w.WriteHeader(status)
				_, err = w.Write(body)
				require.NoError(t, err)
			})
		}
		mesh.Handle("reviews:1", echo("one", 200))
		mesh.Handle("reviews:2", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			echo("two", 500).ServeHTTP(w, r)
		}))
		began := time.Now()
		w := call(entry, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello")))
		require.Zero(t, time.Since(began), "nobody waits for a copy")
		require.Equal(t, "hello", w.Body.String())
		require.Equal(t, "one", w.Header().Get("X-By"))
		mesh.Wait()
		require.Equal(t, "one got hello", <-got)
		require.Equal(t, "two got hello", <-got)
		_, body := ask(mesh, `istio_requests_total{destination_workload="reviews-v2"}`, "")
		require.NotContains(t, body, `"source"`)
	})
}

func TestASimulatedVersionCanHaveARealMirror(t *testing.T) {
	mesh, entry, _ := entered(t, mirrored)
	got := make(chan string, 1)
	mesh.Handle("reviews:2", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.URL.Path }))
	require.Equal(t, "reviews-v1", get(entry).Body.String())
	require.Equal(t, "/", <-got)
}

func TestLargeBodiesAreNotCopiedButArriveWhole(t *testing.T) {
	mesh, entry, _ := entered(t, mirrored)
	large := strings.Repeat("x", 2<<20)
	mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	}))
	mesh.Handle("reviews:2", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("copied") }))
	w := call(entry, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(large)))
	require.Equal(t, "2097152 <nil>", w.Body.String())
	mesh.Wait()
}

func TestCopiesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, mirrored)
		release := make(chan struct{})
		mesh.Handle("reviews:1", says("one"))
		mesh.Handle("reviews:2", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			_, err := io.WriteString(w, "dropped")
			require.NoError(t, err)
		}))
		for range 100 {
			require.Equal(t, "one", get(entry).Body.String())
		}
		close(release)
		mesh.Wait()
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_requests_total{destination_workload="reviews-v2"}`, "")
		require.Contains(t, body, `"64"`)
	})
}

func TestAHandlerThatPanicsIsAnUpstreamThatHangsUp(t *testing.T) {
	mesh, entry, _ := entered(t, toV1)
	mesh.Handle("reviews:1", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	require.Equal(t, 503, get(entry).Code)
	mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half an ans")
		panic(http.ErrAbortHandler)
	}))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { get(entry) })
}

func TestAClientThatLeavesIsNoErrorOfTheVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, toV1)
		ctx, leave := context.WithCancel(t.Context())
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			leave()
			w.WriteHeader(500)
		}))
		call(entry, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_requests_total{reporter="source",response_code="0",response_flags="DC"}`, "")
		require.Contains(t, body, `"1"`)
	})
}
