package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/internal/e2e/envoy"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// reached has a rule for each way in which a request may end.
const reached = `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: NAMESPACE}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: NAMESPACE}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: deaf, labels: {version: v2}}, {name: empty, labels: {version: v9}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: NAMESPACE}
spec: {selector: {gateway: NAMESPACE}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [reviews.example.com]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: NAMESPACE}
spec:
  hosts: [reviews, reviews.example.com]
  gateways: [mesh, front]
  http:
  - {match: [{uri: {prefix: /answered}}], route: [{destination: {host: reviews, subset: v1}}], retries: {attempts: 0}}
  - {match: [{uri: {prefix: /no-cluster}}], route: [{destination: {host: reviews, subset: nowhere}}], retries: {attempts: 0}}
  - {match: [{uri: {prefix: /no-pod}}], route: [{destination: {host: reviews, subset: empty}}], retries: {attempts: 0}}
  - {match: [{uri: {prefix: /deaf}}], route: [{destination: {host: reviews, subset: deaf}}], retries: {attempts: 0}}
  - {match: [{uri: {prefix: /retried}}], route: [{destination: {host: reviews, subset: deaf}}]}
  - {match: [{uri: {prefix: /fault}}], route: [{destination: {host: reviews, subset: v1}}], fault: {abort: {httpStatus: 418, percentage: {value: 100}}}}
  - {match: [{uri: {prefix: /lost-fault}}], route: [{destination: {host: reviews, subset: nowhere}}], fault: {abort: {httpStatus: 418, percentage: {value: 100}}}}
  - {match: [{uri: {prefix: /empty-fault}}], route: [{destination: {host: reviews, subset: empty}}], fault: {abort: {httpStatus: 419, percentage: {value: 100}}}}
  - {match: [{uri: {prefix: /late}}], route: [{destination: {host: reviews, subset: v1}}], fault: {delay: {fixedDelay: 1ms, percentage: {value: 100}}}}
  - {match: [{uri: {prefix: /slow}}], route: [{destination: {host: reviews, subset: v1}}], timeout: 0.2s, retries: {attempts: 0}}
  - {match: [{uri: {prefix: /cut-again}}], route: [{destination: {host: reviews, subset: v1}}], retries: {attempts: 2, retryOn: reset}}
  - {match: [{uri: {prefix: /cut}}], route: [{destination: {host: reviews, subset: v1}}], retries: {attempts: 0}}
  - {match: [{uri: {prefix: /bad-again}}], route: [{destination: {host: reviews, subset: v1}}], retries: {attempts: 2, retryOn: 5xx}}
  - {match: [{uri: {prefix: /copied}}], route: [{destination: {host: reviews, subset: v1}}], mirror: {host: reviews, subset: v1}, retries: {attempts: 0}}
  - {match: [{uri: {prefix: /redirect}}], redirect: {uri: /}}
  - {match: [{uri: {prefix: /direct}}], directResponse: {status: 285}}
  - {match: [{uri: {prefix: /ready}}], directResponse: {status: 299}}
`

// podOf is the manifest of a Deployment of one pod, of which Prometheus reads the metrics.
func podOf(namespace, name, image, labels string) string {
	return fmt.Sprintf(`
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s}
spec:
  selector: {matchLabels: {%[4]s}}
  template:
    metadata: {annotations: {prometheus.io/scrape: "true"}, labels: {%[4]s}}
    spec: {containers: [{name: %[2]s, image: %[3]q}]}
`, namespace, name, image, labels)
}

// reviewsOf are the objects of a namespace, with two versions of reviews.
func reviewsOf(namespace, objects string) string {
	return strings.ReplaceAll(objects, "NAMESPACE", namespace) +
		podOf(namespace, "reviews-v1", "reviews:1", "app: reviews, version: v1") +
		podOf(namespace, "reviews-v2", "reviews:2", "app: reviews, version: v2")
}

// serveReached runs the first version and those who ask; the second one is deaf.
func serveReached(t *testing.T, namespace string, v1 http.Handler) (objects string) {
	p := controlPlane(t)
	p.Serve(namespace, "reviews:1", envoy.App(p, v1, traffic.Port))
	p.Serve(namespace, "client:1", envoy.Proxy{Plane: p}.Run)
	p.Serve(namespace, "gateway:1", envoy.Proxy{Plane: p, Gateway: true}.Run)
	objects = reviewsOf(namespace, reached)
	p.Apply(t, namespace, objects)
	awaitEndpoints(t, map[string]int{namespace + "/reviews": 2}, namespace)
	p.Apply(t, namespace, podOf(namespace, "client", "client:1", "app: client")+podOf(namespace, "gateway", "gateway:1", "gateway: "+namespace))
	return objects
}

// ways are those in which a request may end, by its path.
var ways = []string{
	"/answered", "/no-cluster", "/no-pod", "/deaf", "/retried", "/fault", "/lost-fault", "/empty-fault", "/late",
	"/slow", "/cut", "/cut-again", "/bad-again", "/copied", "/redirect", "/direct", "/no-rule",
}

// byPath ends requests in the ways that a version has a part in.
func byPath(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/slow":
		<-r.Context().Done()
	case "/cut", "/cut-again":
		panic(http.ErrAbortHandler)
	case "/bad-again":
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// asker is a proxy that the requests of this test enter by.
type asker struct{ workload, host, gateway string }

var askers = []asker{{"client", "reviews:9080", ""}, {"gateway", "reviews.example.com", "front"}}

// What a request is counted as decides what a judge sees, above all of those that
// reach no pod. Envoy's log says how each ended and where; that there is a Service
// for it, and which, is istiod's word; what it is called where there is none, and
// what pods count of themselves, is package envoy's.
func TestHoweverARequestEndsTheFakeMeshCountsItAsEnvoyDoes(t *testing.T) {
	t.Parallel()
	p := controlPlane(t)
	namespace := p.Namespace(t)
	objects := serveReached(t, namespace, http.HandlerFunc(byPath))
	for _, a := range askers {
		proxy := traffic.Through(p, namespace, a.workload)
		t.Cleanup(proxy.CloseIdleConnections)
		ask := func(path string) (code int) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.host+path, nil)
			require.NoError(t, err)
			answer, err := proxy.RoundTrip(request)
			if err != nil {
				return 0
			}
			defer answer.Body.Close()
			return answer.StatusCode
		}
		require.True(t, poll(t, func() bool { return ask("/ready") == 299 }))
		for _, path := range ways {
			require.NotZero(t, ask(path), path)
		}
	}
	want := countedByTheFake(t, namespace, objects)
	b := &bookinfo{plane: p, namespace: namespace}
	seen := map[string]float64{}
	same := poll(t, func() bool {
		clear(seen)
		for _, s := range b.ask(t, fmt.Sprintf("istio_requests_total{namespace=%q}", namespace)).(model.Vector) {
			if s.Metric["response_code"] != "299" {
				seen[compared(s.Metric)] += float64(s.Value)
			}
		}
		return maps.Equal(want, seen)
	})
	if !same {
		require.Equal(t, want, seen)
	}
}

// compared are the labels that the fake mesh has as well.
func compared(m model.Metric) string {
	var all []string
	for _, name := range []model.LabelName{
		"reporter", "source_workload", "source_workload_namespace",
		"destination_workload", "destination_workload_namespace", "destination_canonical_service", "destination_canonical_revision",
		"destination_service", "destination_service_name", "destination_service_namespace",
		"request_protocol", "response_code", "response_flags",
	} {
		all = append(all, string(m[name]))
	}
	return strings.Join(all, " ")
}

func countedByTheFake(t *testing.T, namespace, objects string) map[string]float64 {
	all := map[string]float64{}
	synctest.Test(t, func(t *testing.T) {
		server := apiserver.New()
		require.NoError(t, server.Load([]byte(objects)))
		mesh := fake.NewMesh(server, fake.Config{})
		require.Empty(t, mesh.Problems())
		mesh.Crash(namespace, "reviews-v2", true)
		mesh.Handle("reviews:1", http.HandlerFunc(byPath))
		for _, a := range askers {
			from := fake.Source{Namespace: namespace, Workload: a.workload}
			if a.gateway != "" {
				from.Gateway = namespace + "/" + a.gateway
			}
			for _, path := range ways {
				request := httptest.NewRequest(http.MethodGet, path, nil)
				request.Host = a.host
				mesh.Entry(from).ServeHTTP(httptest.NewRecorder(), request)
				mesh.Wait()
			}
		}
		w := httptest.NewRecorder()
		mesh.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(w.Body)
		require.NoError(t, err)
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, families["istio_requests_total"])
		require.NoError(t, err)
		for _, s := range samples {
			all[compared(s.Metric)] += float64(s.Value)
		}
	})
	return all
}
