package fake_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const hour = "fault: {delay: {fixedDelay: 3600s, percentage: {value: 100}}}"

func TestADelayedRequestMeetsThePodsThatAreThereThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, server := entered(t, "[{"+hour+", route: [{"+toArm1+"}]}]")
		mesh.Handle("reviews:1", says("one"))
		time.AfterFunc(time.Minute, func() {
			setSpec(t, server, "reviews-v1", "replicas", 0)
			setRules(t, server, "[{route: [{"+toArm2+"}]}]")
		})
		w := get(entry)
		require.Equal(t, 503, w.Code, "its route is decided, its pods are not")
		require.Equal(t, "no answer from the mesh: flag DI,UH", w.Body.String())
	})
}

func TestATryGoesToAPodThatIsThereStill(t *testing.T) {
	cases := []struct {
		name, route, gone string
		code, tries       int
	}{
		{"the last one went", toArm1, "reviews-v1", 503, 1},
		{"others are left", "destination: {host: reviews}", "reviews-v1", 200, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mesh, entry, server := entered(t, "[{retries: {attempts: 5, retryOn: 5xx}, route: [{"+c.route+"}]}]")
				tries := 0
				mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					tries++
					setSpec(t, server, c.gone, "replicas", 0)
					time.Sleep(time.Minute)
					w.WriteHeader(500)
				}))
				var w *httptest.ResponseRecorder
				for tries == 0 {
					w = get(entry)
				}
				require.Equal(t, c.code, w.Code)
				require.Equal(t, c.tries, tries)
			})
		})
	}
}

func TestPodsThatFailedAreKnownWhenOthersCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, server := entered(t, "[{retries: {attempts: 100, retryOn: 5xx}, route: [{destination: {host: reviews}}]}]")
		tries := 0
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			tries++
			setSpec(t, server, "reviews-v1", "replicas", 1+tries%7)
			setSpec(t, server, "reviews-v2", "replicas", tries%2)
			time.Sleep(time.Minute)
			w.WriteHeader(500)
		}))
		mesh.Handle("reviews:2", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
		require.Equal(t, 500, get(entry).Code)
		require.Positive(t, tries)
	})
}

func TestAClientThatLeavesDuringADelayIsCountedWithItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, "[{"+hour+", route: [{"+toArm1+"}]}]")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		call(entry, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_request_duration_milliseconds_sum{reporter="source",response_flags="DI,DC"}`, "")
		require.Contains(t, body, `"1000"`)
	})
}

func TestAClientThatHasItsWholeAnswerMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, entry, _ := entered(t, toV1)
		ctx, leave := context.WithCancel(t.Context())
		mesh.Handle("reviews:1", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			fmt.Fprint(w, "ok")
			leave()
		}))
		call(entry, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		time.Sleep(15 * time.Second)
		_, body := ask(mesh, `istio_requests_total{reporter="source",response_code="200",response_flags="-"}`, "")
		require.Contains(t, body, `"1"`)
	})
}
