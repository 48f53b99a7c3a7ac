package fake_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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

func TestTheLastOfSeveralTriesIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{retries: {attempts: 1, retryOn: '503'}, route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(503)
			fmt.Fprint(w, "bad")
		}))
		require.Equal(t, "bad", get(entry).Body.String())
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_requests_total{reporter="source",response_code="503",response_flags="URX"}`, "")
		require.Contains(t, body, `"1"`)
	})
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
	mesh.Handle("reviews:1", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
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
