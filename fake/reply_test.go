package fake_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALateHandlerMayStillChangeWhatItGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{timeout: 1s, headers: {response: {set: {x-sent: '%REQ(x-a)% %REQ(:path)%'}}}, route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			r.Header.Set("X-A", "changed")
			r.URL.Path = "/changed"
			<-r.Context().Done()
			r.Header.Set("X-A", "again") // beside the answer
		}))
		r := httptest.NewRequest(http.MethodGet, "/path", nil)
		r.Header.Set("X-A", "sent")
		require.Equal(t, "sent /path", call(entry, r).Header().Get("X-Sent"))
	})
}

func TestWaitWaitsForHandlersThatAreLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{timeout: 1s, route: [{"+toArm1+"}]}]")
		ended := false
		mesh.Handle("reviews:1", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Hour)
			ended = true
		}))
		require.Equal(t, 504, get(entry).Code)
		mesh.Wait()
		require.True(t, ended)
	})
}

func TestManyMayWaitAtOnce(t *testing.T) {
	mesh, entry, _ := entered(t, mirrored)
	mesh.Handle("reviews:2", says("two"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				get(entry)
				mesh.Wait()
			}
		})
	}
	all.Wait()
}

// A require in a handler ends its goroutine.
func TestAHandlerThatEndsItsGoroutineHangsUp(t *testing.T) {
	goexit := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{timeout: 3s, route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", goexit)
		began := time.Now()
		require.Equal(t, 503, get(entry).Code)
		require.Zero(t, time.Since(began))
	})
	mesh, entry, _ := entered(t, toV1)
	mesh.Handle("reviews:1", goexit)
	w := &heard{ResponseWriter: httptest.NewRecorder()}
	done := make(chan bool)
	go func() {
		defer close(done)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = visitor.Host
		entry.ServeHTTP(w, r)
	}()
	<-done
	require.Zero(t, w.code, "no answer is made up")
}

// heard remembers the status that was written.
type heard struct {
	http.ResponseWriter
	code int
}

func (h *heard) WriteHeader(code int) { h.code = code }

func TestThePanicOfAHandlerIsShown(t *testing.T) {
	for _, rule := range []string{"", "timeout: 9s, "} {
		mesh, entry, _ := entered(t, "[{"+rule+"route: [{"+toArm1+"}]}]")
		s, logged := overServer(t, entry)
		ask := func(why any) int {
			mesh.Handle("reviews:1", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(why) }))
			w, err := http.Get(s.URL)
			require.NoError(t, err)
			require.NoError(t, w.Body.Close())
			return w.StatusCode
		}
		require.Equal(t, 503, ask(http.ErrAbortHandler))
		require.Empty(t, logged.String())
		require.Equal(t, 503, ask("a bug"))
		s.Close()
		require.Contains(t, logged.String(), ": a bug\n")
		require.Contains(t, logged.String(), "reply_test.go")
	}
}

func TestEveryTrailerThatIsDeclaredArrives(t *testing.T) {
	for _, rule := range []string{"", "timeout: 9s, "} {
		mesh, entry, _ := entered(t, "[{"+rule+"route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Trailer", "x-a, X-B")
			fmt.Fprint(w, "body")
			w.Header().Set("X-A", "1")
			w.Header().Set("X-B", "2")
		}))
		s, _ := overServer(t, entry)
		w, err := http.Get(s.URL)
		require.NoError(t, err)
		_, err = io.ReadAll(w.Body)
		require.NoError(t, err)
		require.Equal(t, http.Header{"X-A": {"1"}, "X-B": {"2"}}, w.Trailer)
	}
}

func TestHandlersMayFlushAsBeforeControllers(t *testing.T) {
	mesh, entry, _ := entered(t, toV1)
	mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() }))
	require.True(t, get(entry).Flushed)
}

func TestNothingIsWrittenToAConnectionThatAHandlerTookOver(t *testing.T) {
	for _, rule := range []string{"", "timeout: 9s, retries: {attempts: 2, retryOn: 5xx}, "} {
		mesh, entry, _ := entered(t, "[{"+rule+"route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, buffer, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, err = fmt.Fprint(w, "dropped")
			if err == nil {
				t.Error("written after Hijack")
			}
			fmt.Fprint(buffer, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
			_ = buffer.Flush()
			_ = conn.Close()
		}))
		s, logged := overServer(t, entry)
		w, err := http.Get(s.URL)
		require.NoError(t, err)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.Equal(t, "abc", string(body))
		s.Close()
		require.Empty(t, logged.String())
	}
}

func TestAHandlerThatIsReplacedEndsWhatItHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{retries: {attempts: 2, retryOn: '503'}, mirror: {host: reviews, subset: v2}, route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", says("one"))
		copied := make(chan bool, 1)
		mesh.Handle("reviews:2", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { copied <- true }))
		body := readerFunc(func([]byte) (int, error) { // after the pods were drawn
			mesh.Handle("reviews:1", nil)
			mesh.Handle("reviews:2", nil)
			return 0, io.EOF
		})
		require.Equal(t, "one", post(entry, body).Body.String())
		mesh.Wait()
		require.Len(t, copied, 1)
	})
}

// The end of its context tells a handler that it is late. What it says then is for
// nobody, however soon it says it.
func TestAHandlerThatAnswersTheEndOfItsContextIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{timeout: 1s, route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			_, _ = io.WriteString(w, "too late") // the error is that it is
		}))
		for range 20_000 {
			answer := get(entry)
			require.Equal(t, 504, answer.Code)
			require.Empty(t, answer.Body.String())
		}
		mesh.Wait()
	})
}
