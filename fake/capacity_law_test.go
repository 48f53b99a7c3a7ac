package fake_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

// Both versions have an autoscaler, the load grows and falls, a driver crashes and another one
// joins. Whenever the canary's share grows, its ready pods carry that share. Stable keeps what it
// had until no user is on the canary. In the end the owner has his bounds again.
func TestAShareNeverOutgrowsThePodsWhateverTheLoad(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue { // each is a whole rollout
		require.NoError(t, flag.Set("rapid.checks", "25"))
		defer func() { require.NoError(t, flag.Set("rapid.checks", checks.DefValue)) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		pods := rapid.IntRange(2, 9).Draw(rt, "pods")
		least := rapid.IntRange(1, pods).Draw(rt, "least")
		follows := rapid.Bool().Draw(rt, "follows")
		fails := rapid.IntRange(0, 40).Draw(rt, "fails at look")
		more := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 3).Draw(rt, "load grows at minute")
		crash := rapid.IntRange(10, 900).Draw(rt, "crash at second")
		joins := rapid.IntRange(0, 900).Draw(rt, "other driver at second")
		seed := rapid.Uint64().Draw(rt, "seed")
		var law *capacityLaw
		synctest.Test(t, func(t *testing.T) {
			server := bookinfo(t, autoscaled("v1", "reviews-v1", least, 20, ""), autoscaled("v2", "reviews-v2", 1, 20, ""))
			setWeights(t, server, 100, 0)
			setSpec(t, server, "reviews-v1", "replicas", pods)
			law = &capacityLaw{t: t, server: server, load: 10 * float64(pods), pods: pods}
			judge := &canarytest.Judge{}
			for range fails {
				judge.Script = append(judge.Script, canarytest.Ruling{Verdict: analysis.Pass})
			}
			if fails > 20 {
				judge.Script = append(judge.Script, canarytest.Ruling{Verdict: analysis.Fail})
			}
			drivers := [3]*canary.Runner{}
			for i := range drivers {
				drivers[i] = rolloutWith(t, server, judge, law.scaling(follows))
			}
			law.mesh = fake.NewMesh(server, fake.Config{Seed: seed, Delay: time.Second})
			law.mesh.Load(law.load, client)
			server.OnChange(law.see)
			for _, minute := range more {
				time.AfterFunc(time.Duration(minute)*time.Minute+time.Second, func() { law.grow(float64(5 * pods)) })
			}
			law.drive(drivers, time.Duration(crash)*time.Second, time.Duration(joins)*time.Second)
			law.ended(least)
		})
		require.Empty(rt, law.broken)
	})
}

// capacityLaw watches one rollout.
type capacityLaw struct {
	t      *testing.T
	server *apiserver.Server
	mesh   *fake.Mesh
	pods   int

	mu     sync.Mutex
	load   float64
	share  canary.Weight
	broken []string
}

func (l *capacityLaw) grow(by float64) {
	load := l.mesh.Load(by, client)
	change := func(by float64) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.load += by
	}
	change(by)
	time.AfterFunc(4*time.Minute, func() { load.Stop(); change(-by) })
}

// scaling has a driver scale by the autoscalers, and by the load if it follows it.
func (l *capacityLaw) scaling(follows bool) func(*workload.Config, workload.Watcher) {
	return func(c *workload.Config, _ workload.Watcher) {
		kube, err := kubernetes.NewForConfig(l.server.Config())
		require.NoError(l.t, err)
		scalers := kube.AutoscalingV2().HorizontalPodAutoscalers(ns)
		c.Scaling = workload.Scaling{Stable: workload.Autoscaler(scalers, ns, "v1", "reviews-v1"), Canary: workload.Autoscaler(scalers, ns, "v2", "reviews-v2")}
		if follows {
			c.Load = func(context.Context) (float64, error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				return l.load, nil
			}
		}
	}
}

// drive runs one driver until it crashes, another one that joins, and a third one after the crash.
func (l *capacityLaw) drive(drivers [3]*canary.Runner, crash, joins time.Duration) {
	var all sync.WaitGroup
	ctx, kill := context.WithTimeout(l.t.Context(), crash)
	defer kill()
	all.Go(func() {
		if _, err := drivers[0].Run(ctx); errors.Is(err, context.DeadlineExceeded) {
			_, _ = drivers[1].Run(l.t.Context())
		}
	})
	all.Go(func() {
		nap(l.t.Context(), joins)
		_, _ = drivers[2].Run(l.t.Context())
	})
	all.Wait()
}

// see holds the laws against each change of an object.
func (l *capacityLaw) see(c apiserver.Change) {
	if kind := c.Resource.Resource; kind != "virtualservices" && kind != "horizontalpodautoscalers" {
		return
	}
	share, state := l.written()
	floor := autoscalerOf(l.t, l.server, "v1").Spec.MinReplicas
	l.mu.Lock()
	defer l.mu.Unlock()
	grew := share > l.share
	l.share = share
	if share > 0 && int(*floor) < l.pods {
		l.broken = append(l.broken, fmt.Sprintf("stable keeps %d of %d in %v, and the canary has %v", *floor, l.pods, state.Phase, share))
	}
	if !grew {
		return
	}
	var reference, greatest int
	var load float64
	_, _ = fmt.Sscan(state.Pin.Capacity, &reference, &load, &greatest) // one number is enough
	reference = max(reference, greatest)
	need := (int(share)*reference + int(canary.Full) - 1) / int(canary.Full)
	if ready := deploymentStatus(l.t, l.server, "reviews-v2").ReadyReplicas; ready < need || reference < l.pods {
		l.broken = append(l.broken, fmt.Sprintf("the canary has %v with %d ready pods, by a reference of %d; stable had %d", share, ready, reference, l.pods))
	}
}

// written is the canary's share, and the State beside it.
func (l *capacityLaw) written() (share canary.Weight, s canary.State) {
	raw, _ := l.server.Get(virtualservices, ns, "reviews")
	var o map[string]any
	require.NoError(l.t, json.Unmarshal(raw, &o))
	annotations, _ := path(o, "metadata").(map[string]any)["annotations"].(map[string]any)
	if text, ok := annotations[routing.StateAnnotation("reviews")].(string); ok {
		require.NoError(l.t, json.Unmarshal([]byte(text), &s))
	}
	routes := path(o, "spec", "http", 0, "route").([]any)
	for _, to := range routes {
		if path(to, "destination", "subset") == "v2" {
			weight, ok := to.(map[string]any)["weight"].(float64)
			if !ok && len(routes) == 1 {
				weight = 100
			}
			share = canary.Weight(weight) * canary.Percent
		}
	}
	return share, s
}

// ended holds what must be at the end.
func (l *capacityLaw) ended(least int) {
	if _, state := l.written(); !state.Phase.Final() {
		l.broken = append(l.broken, fmt.Sprintf("it ended in %v", state.Phase))
	}
	for name, was := range map[string]int{"v1": least, "v2": 1} {
		h := autoscalerOf(l.t, l.server, name)
		if int(*h.Spec.MinReplicas) != was || strings.Contains(fmt.Sprint(h.Annotations), "scaling") {
			l.broken = append(l.broken, fmt.Sprintf("%s keeps %d in the end, not %d: %v", name, *h.Spec.MinReplicas, was, h.Annotations))
		}
	}
}
