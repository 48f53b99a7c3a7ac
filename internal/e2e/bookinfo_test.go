package e2e_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	istio "istio.io/client-go/pkg/clientset/versioned"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/rights"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/internal/e2e/envoy"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
	"github.com/serin-go/serin/routing"
)

// callers are the pods that requests enter the mesh by: a gateway, and a client
// with its sidecar.
const callers = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway}
spec:
  selector: {matchLabels: {app: gateway}}
  template:
    metadata: {labels: {app: gateway, istio: ingressgateway}}
    spec: {containers: [{name: proxy, image: "gateway:1"}]}
---
apiVersion: v1
kind: Service
metadata: {name: gateway}
spec:
  selector: {app: gateway}
  ports: [{name: http, port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec: {containers: [{name: proxy, image: "client:1"}]}
`

// bookinfo is the application of the quickstart, or one like it, with real HTTP
// servers behind the routes of istiod, whose requests Prometheus counts.
type bookinfo struct {
	plane     *plane.Plane
	namespace string
	v1, v2    *traffic.Server
	target    routing.Target
	gateway   *traffic.HTTP     // from outside
	client    *traffic.HTTP     // from inside
	analyzer  analysis.Analyzer // nil is Threshold
	processes processes         // of both versions
}

// retried is what the quickstart's rule says. Here it would hide what is lost.
const retried = "retries: {attempts: 2, retryOn: 5xx}"

func newBookinfo(t *testing.T) *bookinfo { return newBookinfoIn(t, controlPlane(t).Namespace(t)) }

// newBookinfoIn has the quickstart's objects with some changes, pairs of old and new text.
func newBookinfoIn(t *testing.T, namespace string, changes ...string) *bookinfo {
	objects, err := os.ReadFile("../../examples/quickstart/bookinfo.yaml")
	require.NoError(t, err)
	require.Contains(t, string(objects), retried)
	b := newMesh(t, namespace, strings.NewReplacer(append(changes, retried, "retries: {attempts: 0}")...).Replace(string(objects)))
	b.gateway = b.through(t, "gateway", "reviews.example.com", "/reviews/1")
	b.client = b.through(t, "client", "reviews:9080", "/reviews/1")
	return b
}

// newMesh has the objects in a namespace, the versions of reviews,
// a gateway and a client.
func newMesh(t *testing.T, namespace, objects string) *bookinfo {
	p := controlPlane(t)
	b := &bookinfo{plane: p, namespace: namespace, v1: &traffic.Server{Version: "v1"}, v2: &traffic.Server{Version: "v2"}}
	p.Serve(b.namespace, "reviews:1", b.processes.program(p, b.v1))
	p.Serve(b.namespace, "reviews:2", b.processes.program(p, b.v2))
	p.Serve(b.namespace, "gateway:1", envoy.Proxy{Plane: p, Gateway: true}.Run)
	p.Serve(b.namespace, "client:1", envoy.Proxy{Plane: p}.Run)
	b.target = routing.Target{Namespace: b.namespace, Name: "reviews", Arms: arms, Exclusive: true}
	p.Apply(t, b.namespace, strings.NewReplacer(
		"namespace: bookinfo", "namespace: "+b.namespace,
		// Each test has its gateway.
		"istio: ingressgateway", "istio: "+b.namespace,
		// Istio's injector does this.
		"    metadata: {labels:", `    metadata: {annotations: {prometheus.io/scrape: "true"}, labels:`,
	).Replace(objects+"---"+callers))
	return b
}

// through asks for a URL through the proxy of a workload. It waits until that is
// answered.
func (b *bookinfo) through(t *testing.T, workload, host, path string) *traffic.HTTP {
	c := traffic.NewHTTP(b.plane, b.namespace, workload, host, path)
	t.Cleanup(c.Close)
	_, err := traffic.Wait(t.Context(), c)
	require.NoError(t, err)
	return c
}

func (b *bookinfo) arm(workload string) metrics.Arm {
	return metrics.Arm{Namespace: b.namespace, Workload: workload}
}

// counts is what Prometheus knows.
func (b *bookinfo) counts(t *testing.T) *prometheus.Provider {
	provider, err := newCounts(b.plane.Prometheus())
	require.NoError(t, err)
	return provider
}

// judge passes a canary that fails at most one request in a hundred, unless there is
// another one.
func (b *bookinfo) judge(t *testing.T) analysis.Analyzer {
	if b.analyzer != nil {
		return b.analyzer
	}
	return analysis.Threshold{Provider: b.counts(t), Canary: b.arm("reviews-v2"), Max: 0.01, MinRequests: 50}
}

// router steers the rules of the quickstart's VirtualService.
func (b *bookinfo) router(t *testing.T) *routing.Router {
	router, _ := b.parts(t, b.plane.Config())
	return router
}

// parts is what talks to the API server.
func (b *bookinfo) parts(t *testing.T, config *rest.Config) (*routing.Router, *workload.Deployments) {
	mesh, err := istio.NewForConfig(config)
	require.NoError(t, err)
	rules, err := routing.NewHTTP(b.target)
	require.NoError(t, err)
	pods, err := newPods(config, b.namespace)
	require.NoError(t, err)
	return routing.NewRouter(rules.Object(mesh.NetworkingV1().VirtualServices(b.namespace))), pods
}

// runner is that of a driver who may do what the plan needs, and nothing else.
func (b *bookinfo) runner(t *testing.T, plan canary.Plan, observers ...canary.Observer) *canary.Runner {
	router, pods := b.parts(t, &rest.Config{})
	router, pods = b.parts(t, driver(t, rights.Of(plan, router, pods)))
	runner, err := canary.NewRunner(canary.Config{
		Plan: plan, Router: router, Workload: pods, Analyzer: b.judge(t), Observers: observers,
	})
	require.NoError(t, err)
	return runner
}

// image is what stable runs.
func (b *bookinfo) image(t *testing.T) string {
	_, kube := clients(t)
	d, err := kube.AppsV1().Deployments(b.namespace).Get(t.Context(), "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	return d.Spec.Template.Spec.Containers[0].Image
}

// spec is the VirtualService's spec as the API server has it, in JSON.
func (b *bookinfo) spec(t *testing.T) string {
	mesh, _ := clients(t)
	vs, err := mesh.NetworkingV1().VirtualServices(b.namespace).Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	text, err := vs.Spec.MarshalJSON()
	require.NoError(t, err)
	return string(text)
}
