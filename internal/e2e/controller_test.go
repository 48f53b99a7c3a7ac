package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"istio.io/client-go/pkg/informers/externalversions"
	listers "istio.io/client-go/pkg/listers/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/examples/reconcile/controller"
	"github.com/serin-go/serin/routing"
)

// informed is a client that reads from an informer.
type informed struct {
	routing.Client[networking.VirtualService]
	lister listers.VirtualServiceNamespaceLister
}

func (i informed) Get(_ context.Context, name string, _ metav1.GetOptions) (*networking.VirtualService, error) {
	return i.lister.Get(name)
}

// S17. Two replicas of a controller drive the same services: each step happens
// once, and nothing is read from the API server but by the informers.
func TestReplicasOfAControllerDriveManyRolloutsWithoutReading(t *testing.T) {
	const services, replicas = 40, 2
	p := controlPlane(t)
	namespace := p.Namespace(t)
	plan := build(t, canary.NewPlan("weekly release").Settle(50*time.Millisecond).Interval(50*time.Millisecond).
		Weights(canary.Exponential(canary.Percent, 4, canary.Full), canary.Step{Hold: 200 * time.Millisecond}))
	var objects strings.Builder
	for i := range services {
		fmt.Fprintf(&objects, `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: service-%[1]d}
spec: {hosts: [service-%[1]d], http: [{route: [{destination: {host: service-%[1]d, subset: v1}}]}]}
`, i)
	}
	p.Apply(t, namespace, objects.String())
	changes := watchAll(t, namespace)

	config := p.Config()
	api := &counter{sent: map[string]int{}}
	config.Wrap(api.wrap)
	var group sync.WaitGroup
	for range replicas {
		client, err := istio.NewForConfig(config)
		require.NoError(t, err)
		group.Go(func() { replica(t, client, namespace, plan, services) })
	}
	group.Wait()

	last := map[string]canary.State{}
	for ended, writes := 0, 0; ended < services; writes++ {
		name, state := next(t, changes)
		require.Greater(t, state.Serial, last[name].Serial, "each change once")
		if last[name] = state; state.Phase.Final() {
			ended++
			bad := strings.HasSuffix(name, "0")
			require.Equal(t, map[bool]phase.Phase{true: phase.RolledBack, false: phase.Promoted}[bad], state.Phase)
		}
	}
	t.Logf("%d rollouts by %d replicas: %v", services, replicas, api.sent)
	good, bad := services-services/10, services/10
	require.Zero(t, api.sent["GET virtualservices"])
	require.GreaterOrEqual(t, api.sent["PATCH virtualservices"], good*(plan.Len()+2)+bad)
}

// watchAll tells all changes of VirtualServices from now on.
func watchAll(t *testing.T, namespace string) <-chan watch.Event {
	mesh, _ := clients(t)
	client := mesh.NetworkingV1().VirtualServices(namespace)
	list, err := client.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	w, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	return w.ResultChan()
}

// next is the State of the next change, and of what.
func next(t *testing.T, changes <-chan watch.Event) (string, canary.State) {
	select {
	case e := <-changes:
		vs, ok := e.Object.(*networking.VirtualService)
		require.True(t, ok, "%v", e)
		var state canary.State
		require.NoError(t, state.UnmarshalJSON([]byte(vs.Annotations[routing.StateAnnotation(vs.Name)])))
		return vs.Name, state
	case <-time.After(time.Minute):
		require.Fail(t, "no further change")
		return "", canary.State{}
	}
}

// replica is one process of the controller.
func replica(t *testing.T, client istio.Interface, namespace string, plan canary.Plan, services int) {
	ctx, cancel := context.WithCancel(t.Context())
	factory := externalversions.NewSharedInformerFactoryWithOptions(client, 0, externalversions.WithNamespace(namespace))
	virtualServices := factory.Networking().V1().VirtualServices()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	add := func(o any) { queue.Add(o.(*networking.VirtualService).Name) }
	_, err := virtualServices.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, UpdateFunc: func(_, o any) { add(o) },
	})
	if err != nil {
		t.Error(err)
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	factory.WaitForCacheSync(ctx.Done())

	ended := make(chan string)
	c := &controller.Reconciler{
		NewRunner: func(service string) (*canary.Runner, error) {
			rules, err := routing.NewHTTP(routing.Target{Namespace: namespace, Name: service, Arms: routing.Arms{
				Stable: routing.Destination{Host: service, Subset: "v1"}, Canary: routing.Destination{Host: service, Subset: "v2"},
			}})
			if err != nil {
				return nil, err
			}
			judge := new(canarytest.Judge)
			if strings.HasSuffix(service, "0") {
				judge.Script = []canarytest.Ruling{{Verdict: analysis.Pass}, {Verdict: analysis.Fail}}
			}
			object := rules.Object(informed{client.NetworkingV1().VirtualServices(namespace), virtualServices.Lister().VirtualServices(namespace)})
			return canary.NewRunner(canary.Config{Plan: plan.For(service), Router: routing.NewRouter(object), Analyzer: judge})
		},
		Done: func(service string, _ canary.State) {
			select {
			case ended <- service:
			case <-ctx.Done():
			}
		},
	}
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() { c.Work(ctx, queue) })
	}
	timeout := time.After(time.Minute)
	for over := map[string]bool{}; len(over) < services; {
		select {
		case name := <-ended:
			over[name] = true
		case <-timeout:
			t.Errorf("%d of %d rollouts have ended", len(over), services)
			services = 0
		}
	}
	cancel()
	queue.ShutDown()
	workers.Wait()
}
