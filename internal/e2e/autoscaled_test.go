package e2e_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	releases "github.com/serin-go/serin/canary/release"
	"github.com/serin-go/serin/canary/rights"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// autoscaler is that of one version: a pod for each tenth of a CPU.
const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: VERSION, annotations: {team: reviews}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: VERSION}
  minReplicas: 1
  maxReplicas: 12
  metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 100m}}}]
---`

// The load of both versions together, for which autoscalers want so many pods.
const (
	allMilli = 600
	allPods  = 6
)

// autoscaled is bookinfo where the autoscaler of the real controller manager scales the
// versions. What pods use follows the traffic.
type autoscaled struct {
	*bookinfo
	kube   kubernetes.Interface // of everybody else
	usage  *plane.Usage
	ready  readyPods
	load   *traffic.Load
	seen   *seen
	said   said
	wrote  wrote
	turns  atomic.Int64
	config *rest.Config                               // of the driver, once there is one
	rights []authorizationv1.ResourceAttributes       // its
	pods   func(kubernetes.Interface) workload.Config // how it scales
}

// newAutoscaled waits until the autoscalers have left stable all pods and the canary one.
func newAutoscaled(t *testing.T) *autoscaled {
	a := &autoscaled{
		bookinfo: newBookinfoIn(t, controlPlane(t).Namespace(t), "  replicas: 3\n", "  replicas: 6\n  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 2}}\n"),
		seen:     watchTraffic(),
	}
	a.pods = a.bothScaled
	_, a.kube = clients(t)
	a.wrote.a, a.wrote.patches = a, map[string]int{}
	a.usage = a.plane.Usage(t, a.namespace)
	a.divide(t.Context(), canary.Event{})
	a.ready.watch(t, a.kube, a.namespace)
	a.plane.Apply(t, a.namespace, strings.ReplaceAll(autoscaler, "VERSION", "reviews-v1")+strings.ReplaceAll(autoscaler, "VERSION", "reviews-v2"))
	a.await(t, func() bool { return a.ready.now() == bothPods{allPods, 1} })
	a.ready.begin()
	a.load = traffic.Start(a.gateway, 100)
	return a
}

// bothScaled has a Scaling of both versions by their autoscalers.
func (a *autoscaled) bothScaled(kube kubernetes.Interface) workload.Config {
	hpas := kube.AutoscalingV2().HorizontalPodAutoscalers(a.namespace)
	return workload.Config{Scaling: workload.Scaling{
		Stable: workload.Autoscaler(hpas, a.namespace, "reviews-v1", "reviews-v1"),
		Canary: workload.Autoscaler(hpas, a.namespace, "reviews-v2", "reviews-v2"),
	}}
}

// divide is an Observer: it counts turns, and the pods of a version use as much as that has of
// the traffic.
func (a *autoscaled) divide(_ context.Context, e canary.Event) {
	a.turns.Add(1)
	ofCanary := allMilli * int64(e.Traffic.Canary) / int64(canary.Full)
	a.usage.Set("reviews-v1", allMilli-ofCanary)
	a.usage.Set("reviews-v2", ofCanary)
}

func (a *autoscaled) parts(t *testing.T, config *rest.Config) releases.Parts {
	mesh, kube := clientsOf(t, config)
	parts, err := releases.Service{
		Namespace: a.namespace, Name: "reviews", Exclusive: true,
		Stable:   releases.Version{Deployment: "reviews-v1", Subset: "v1"},
		Canary:   releases.Version{Deployment: "reviews-v2", Subset: "v2"},
		Workload: a.pods(kube),
	}.Parts(mesh.NetworkingV1().VirtualServices(a.namespace), kube.AppsV1().Deployments(a.namespace))
	require.NoError(t, err)
	return parts
}

// prepare makes the user who drives: all drivers are.
func (a *autoscaled) prepare(t *testing.T, plan canary.Plan) {
	if a.config == nil {
		parts := a.parts(t, &rest.Config{})
		a.rights = rights.Of(plan, parts.Router, parts.Workload)
		a.config = driver(t, a.rights)
		a.config.Wrap(a.wrote.wrap)
	}
}

// start runs a driver until the test ends or kill is called.
func (a *autoscaled) start(t *testing.T, plan canary.Plan) (ended <-chan ending, kill func()) {
	a.prepare(t, plan)
	c := a.parts(t, a.config).Config(plan)
	c.Analyzer, c.Observers = &canarytest.Judge{}, []canary.Observer{a.said.observe, a.divide, a.seen.observe}
	runner, err := canary.NewRunner(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	end := make(chan ending, 1)
	go func() {
		state, err := runner.Run(ctx)
		end <- ending{state, err}
	}()
	return end, cancel
}

// end stops the load, of which nothing may have failed, and says how it went.
func (a *autoscaled) end(t *testing.T) {
	tally := a.load.Stop()
	t.Logf("%v; fewest ready pods %v\n%v", tally, a.ready.least(), &a.said)
	require.Zero(t, int64(tally.Lost)+a.gateway.Failed(), tally)
}

func (a *autoscaled) await(t *testing.T, done func() bool) {
	t.Helper()
	require.Eventually(t, done, time.Minute, 20*time.Millisecond, "%v\n%v", a.ready.now(), &a.said)
}

func (a *autoscaled) autoscaler(t *testing.T, name string) *autoscalingv2.HorizontalPodAutoscaler {
	h, err := a.kube.AutoscalingV2().HorizontalPodAutoscalers(a.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return h
}

// least is the minReplicas of a version.
func (a *autoscaled) least(t *testing.T, name string) int32 {
	return *a.autoscaler(t, name).Spec.MinReplicas
}

// owned is what the owner of an autoscaler has there.
func (a *autoscaled) owned(t *testing.T) (all [2]autoscalingv2.HorizontalPodAutoscaler) {
	for i, name := range []string{"reviews-v1", "reviews-v2"} {
		h := a.autoscaler(t, name)
		all[i] = autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: owned(h.ObjectMeta), Spec: h.Spec}
	}
	return all
}

// owned leaves out what the API server counts.
func owned(m metav1.ObjectMeta) metav1.ObjectMeta {
	m.ResourceVersion, m.Generation, m.ManagedFields = "", 0, nil
	return m
}

// scaleTo sets the replicas of a Deployment.
func (a *autoscaled) scaleTo(t *testing.T, name, replicas string) {
	_, err := a.kube.AppsV1().Deployments(a.namespace).Patch(t.Context(), name, types.MergePatchType, []byte(`{"spec":{"replicas":`+replicas+`}}`), metav1.PatchOptions{})
	require.NoError(t, err)
}
