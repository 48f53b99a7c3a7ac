package fake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func post(h http.Handler, body io.Reader) *httptest.ResponseRecorder {
	return call(h, httptest.NewRequest(http.MethodPost, "/", body))
}

// overServer puts a real server before an entry, and returns what it logs, which
// is complete when it is closed.
func overServer(t *testing.T, entry http.Handler) (*httptest.Server, *bytes.Buffer) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = visitor.Host
		entry.ServeHTTP(w, r)
	}))
	var logged bytes.Buffer
	s.Config.ErrorLog = log.New(&logged, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s, &logged
}

func TestATryThatIsToBeRepeatedReadsNoMoreOfTheBody(t *testing.T) {
	mesh, entry, _ := entered(t, "[{retries: {attempts: 2, retryOn: '503'}, route: [{"+toArm1+"}]}]")
	tries := 0
	mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries++
		w.WriteHeader(503)
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	}))
	w := post(entry, strings.NewReader(strings.Repeat("x", 2<<20)))
	require.Equal(t, 503, w.Code)
	require.Equal(t, "2097152 <nil>", w.Body.String())
	require.Equal(t, 3, tries)
}

func TestABodyThatStopsIsNoReasonToWaitLonger(t *testing.T) {
	for _, retries := range []string{"attempts: 0", "attempts: 2, perTryTimeout: 1s, retryOn: 5xx"} {
		for _, mirror := range []string{"", "mirror: {host: reviews, subset: v2}, "} {
			synctest.Test(t, func(t *testing.T) {
				mesh, entry, _ := entered(t, "[{timeout: 4s, retries: {"+retries+"}, "+mirror+"route: [{"+toArm1+"}]}]")
				mesh.Handle("reviews:1", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }))
				mesh.Handle("reviews:2", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("copied") }))
				body, client := io.Pipe()
				go func() { _, _ = client.Write([]byte("half")) }()
				began := time.Now()
				require.Equal(t, 504, post(entry, body).Code)
				want := 4 * time.Second
				if mirror == "" && retries != "attempts: 0" {
					want = 3 * time.Second
				}
				require.Equal(t, want, time.Since(began).Round(time.Second))
				require.NoError(t, client.Close())
				mesh.Wait()
			})
		}
	}
}

func TestTheNextTryFindsWhatTheOneBeforeItWasReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{retries: {attempts: 1, perTryTimeout: 2s, retryOn: 5xx}, route: [{"+toArm1+"}]}]")
		first := make(chan error, 1)
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if r.Header.Get("X-Envoy-Attempt-Count") == "1" {
				first <- err
				return
			}
			fmt.Fprint(w, string(body), err)
		}))
		body, client := io.Pipe()
		go func() {
			_, _ = client.Write([]byte("one "))
			time.Sleep(3 * time.Second)
			_, _ = client.Write([]byte("two"))
			_ = client.Close()
		}()
		require.Equal(t, "one two<nil>", post(entry, body).Body.String())
		require.Error(t, <-first)
	})
}

func TestAServerAnswersWhileABodyIsBeingRead(t *testing.T) {
	for rule, code := range map[string]int{
		"timeout: 10ms": 504,
		"retries: {attempts: 1, perTryTimeout: 10ms, retryOn: 5xx}": 200,
	} {
		mesh, entry, _ := entered(t, "[{"+rule+", route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Envoy-Attempt-Count") == "1" {
				_, _ = io.ReadAll(r.Body)
			}
		}))
		body, client := io.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s, _ := overServer(t, entry)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, body)
		require.NoError(t, err)
		w, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.Equal(t, code, w.StatusCode)
		require.NoError(t, w.Body.Close())
		require.NoError(t, client.Close())
	}
}

func TestOnlyWhatMayBeNeededAgainIsKept(t *testing.T) {
	for rule, kept := range map[string]bool{
		"": false,
		"retries: {attempts: 2, retryOn: 'connect-failure,refused-stream'}, ": false,
		"retries: {attempts: 0}, ":                               false,
		"retries: {attempts: 2, retryOn: '503'}, ":               true,
		"retries: {attempts: 2, retryOn: retriable-4xx}, ":       true,
		"retries: {attempts: 2, retryOn: 'reset'}, ":             true,
		"mirror: {host: reviews, subset: v2}, ":                  true,
		"retries: {attempts: 2, retryOn: connect-failure,5xx}, ": true,
	} {
		mesh, entry, _ := entered(t, "[{"+strings.Replace(rule, "connect-failure,5xx", "'connect-failure,5xx'", 1)+"route: [{"+toArm1+"}]}]")
		body := io.NopCloser(strings.NewReader("x"))
		same := false
		mesh.Handle("reviews:1", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { same = r.Body == body }))
		mesh.Handle("reviews:2", says("two"))
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body = body
		call(entry, r)
		require.Equal(t, kept, !same, rule)
	}
}

func TestAMirrorTakesNothingFromTheRequest(t *testing.T) {
	mesh, entry, _ := entered(t, mirrored)
	mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, string(body), err)
	}))
	copied := make(chan bool, 2)
	mesh.Handle("reviews:2", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { copied <- true }))
	broken := []error{errors.New("broken"), io.EOF}
	body := io.MultiReader(strings.NewReader("x"), readerFunc(func([]byte) (int, error) {
		err := broken[0]
		broken = broken[1:]
		return 0, err
	}))
	require.Equal(t, "xbroken", post(entry, body).Body.String())
	mesh.Wait()
	require.Empty(t, copied, "a body that breaks off is not copied")

	none, err := http.NewRequest(http.MethodGet, "/", nil)
	require.NoError(t, err)
	require.Equal(t, "<nil>", call(entry, none).Body.String())
	mesh.Wait()
	require.Len(t, copied, 1)
}
