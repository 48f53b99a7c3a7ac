package e2e_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
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
	kube   kubernetes.Interface // of everybody but the drivers
	usage  *plane.Usage
	ready  readyPods
	load   *traffic.Load
	seen   *seen
	said   said
	wrote  wrote
	turns  atomic.Int64
	config *rest.Config                               // of the drivers, once there is one
	rights []authorizationv1.ResourceAttributes       // that they have at first
	pods   func(kubernetes.Interface) workload.Config // what they do with pods
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
		Keep:   time.Second, // the autoscaler looks each second
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

// prepare makes the user that all drivers of the test are, with the rights that the first plan needs.
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
	return runs(t, runner)
}

// end stops the load, of which nothing may have failed, and says how it went.
func (a *autoscaled) end(t *testing.T) {
	tally := a.load.Stop()
	t.Logf("%v; fewest ready pods %v\n%v", tally, a.ready.least(), &a.said)
	require.Zero(t, int64(tally.Lost)+a.gateway.Failed(), tally)
}

// await waits for something, for a minute at most.
func (a *autoscaled) await(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); {
		require.False(t, time.Now().After(end), "%v\n%v", a.ready.now(), &a.said)
		select {
		case <-t.Context().Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitSaid waits until Observers were told of something so many times.
func (a *autoscaled) awaitSaid(t *testing.T, text string, times int) {
	t.Helper()
	a.await(t, func() bool { return strings.Count(a.said.String(), text) >= times })
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

// abort sends the order as a person does.
func (a *autoscaled) abort(t *testing.T) {
	require.NoError(t, canary.Send(t.Context(), a.router(t), canary.Command{Order: order.Abort, By: "ann", Why: "enough"}))
}

// room lets so many more pods of the canary start. The others are pending.
func (a *autoscaled) room(pods int64) *atomic.Int64 {
	left := new(atomic.Int64)
	left.Store(pods)
	run := a.processes.program(a.plane, a.v2)
	a.plane.Serve(a.namespace, "reviews:2", func(pod plane.Pod) (func(), error) {
		if left.Add(-1) < 0 {
			left.Add(1)
			return nil, apierrors.NewServiceUnavailable("no node has room")
		}
		return run(pod)
	})
	return left
}

// pending is how many pods of the canary are.
func (a *autoscaled) pending(t *testing.T) int {
	pods, err := a.kube.CoreV1().Pods(a.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "version=v2"})
	require.NoError(t, err)
	return len(slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.Status.Phase != corev1.PodPending }))
}

// setBack has a tool set the minReplicas of a version to one every second, until the test ends.
func (a *autoscaled) setBack(t *testing.T, name string) {
	hpas := a.kube.AutoscalingV2().HorizontalPodAutoscalers(a.namespace)
	ctx, cancel := context.WithCancel(t.Context())
	var tool sync.WaitGroup
	tool.Go(func() {
		for ticker := time.Tick(time.Second); ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-ticker:
				_, err := hpas.Patch(ctx, name, types.MergePatchType, []byte(`{"spec":{"minReplicas":1}}`), metav1.PatchOptions{FieldManager: "gitops"})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}
	})
	t.Cleanup(tool.Wait)
	t.Cleanup(cancel)
}
