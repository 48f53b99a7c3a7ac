package fake_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	istio "istio.io/client-go/pkg/clientset/versioned"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

// The mesh of a bad day. Each number is used by the simulation and by the allowances.
const (
	badRate     = 100.0 // requests a second from the sidecars
	badEdgeRate = 20.0  // and through the gateway, if the rollout steers it too
	badDelay    = time.Second
	badSpread   = 2 * time.Second
	badScrape   = 15 * time.Second
	badStart    = 15 * time.Second // of a pod
	badSweep    = time.Minute      // the period of Sweep
	badHelp     = 15 * time.Minute
	badPods     = 3 // of stable
	// badRetention is longer than any rollout: the library's judge counts all of it again.
	badRetention = 200 * time.Hour
)

// edge is a second VirtualService, for the gateway: a follower of the first.
const edge = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews-edge, namespace: bookinfo}
spec:
  hosts: [reviews.example.com]
  gateways: [bookinfo]
  http: [{route: [{destination: {host: reviews, subset: v1}}]}]
`

// badWorld is one rollout on a bad day: the mesh, the API server, the store, the drivers
// and what happens to them.
type badWorld struct {
	t      *testing.T
	server *apiserver.Server
	mesh   *fake.Mesh
	store  *badStore
	ledger *badLedger
	crew   *badCrew
	scaled badScaled
	badScenario

	objects *badClient[networking.VirtualService]
	deploys *badClient[appsv1.Deployment]
	scalers workload.Objects[*autoscalingv2.HorizontalPodAutoscaler]
	watcher workload.Watcher

	greatest float64     // requests a second
	full     atomic.Bool // new pods do not come, or late
	writes   int         // of a rollout that did not move for half an hour

	mu             sync.Mutex
	canary, stable fake.Behaviour    // of the versions, as troubles have changed them
	hurts          bool              // the canary overloads what both versions share
	contended      float64           // share of the requests that fail because of that
	old            []json.RawMessage // the VirtualService, write by write
}

func newBadWorld(t *testing.T, s badScenario) *badWorld {
	t.Helper()
	w := &badWorld{t: t, badScenario: s, server: bookinfo(t), canary: s.usual, stable: s.usual}
	setSpec(t, w.server, "reviews-v2", "replicas", s.pods())
	setWeights(t, w.server, 100, 0)
	w.update("reviews", func(o map[string]any) {
		spec := o["spec"].(map[string]any)
		spec["hosts"], spec["gateways"] = []any{"reviews"}, []any{"mesh"}
	})
	require.NoError(t, w.server.Load([]byte(edge)))
	w.scaled.autoscaled = s.autoscaled
	if s.autoscaled {
		w.autoscale()
	}
	w.scaled.begin(w.server)
	config := fake.Config{Seed: s.seed, Delay: badDelay, Spread: badSpread, Scrape: badScrape, Start: badStart}
	if s.judged {
		config.Retention = badRetention
	}
	w.mesh = fake.NewMesh(w.server, config)
	w.server.OnChange(w.remember)
	w.server.OnChange(w.scaled.see)
	w.store = &badStore{Mesh: w.mesh}
	w.ledger = newBadLedger()
	w.ledger.add(w.mesh.Load(w.sidecars(), client))
	if w.edge {
		w.ledger.add(w.mesh.Load(badEdgeRate, visitor))
	}
	w.greatest = w.rate()
	w.supply()
	w.crew = newBadCrew(w, s.run)
	w.connect()
	return w
}

// pods is how many the canary has in the beginning. What is to take copies has to have the pods
// for them, and what nobody scales as many as stable.
func (s badScenario) pods() int {
	if !s.scaling {
		return badPods
	}
	for _, step := range s.plan.Steps() {
		if step.Traffic.Mirror > 0 {
			return badPods - 1
		}
	}
	return 1
}

// autoscale gives both Deployments an autoscaler. That of stable may leave it one pod.
func (w *badWorld) autoscale() {
	for name, least := range map[string]int{"reviews-v1": 1, "reviews-v2": w.pods()} {
		document := strings.Replace(autoscaled(name, name, least, 10, ""), `"10"`, fmt.Sprintf("%q", fmt.Sprint(badTarget)), 1)
		require.NoError(w.t, w.server.Load([]byte(document)))
	}
}

// supply tells the ledger of load and pods.
func (w *badWorld) supply() {
	s := &w.ledger.supply
	s.since, s.scarce, s.load, s.alone = time.Now(), w.scarce, w.rate(), badPods
	s.stable, s.canary = w.podsOf("reviews-v1"), w.podsOf("reviews-v2")
	w.behave(func() {
		if w.scarce {
			w.canary.Capacity, w.stable.Capacity = badCapacity, badCapacity
		}
	})
	if w.scarce {
		w.server.OnChange(w.ledger.look)
	}
}

// connect makes the clients.
func (w *badWorld) connect() {
	mesh, err := istio.NewForConfig(w.server.Config())
	require.NoError(w.t, err)
	kube, err := kubernetes.NewForConfig(w.server.Config())
	require.NoError(w.t, err)
	w.objects = newBadClient(mesh.NetworkingV1().VirtualServices(ns), mesh.NetworkingV1().RESTClient(), "virtualservices")
	w.deploys = newBadClient(kube.AppsV1().Deployments(ns), kube.AppsV1().RESTClient(), "deployments")
	w.scalers = kube.AutoscalingV2().HorizontalPodAutoscalers(ns)
	w.watcher = kube.AppsV1().Deployments(ns)
}

// update changes a VirtualService as a person does.
func (w *badWorld) update(name string, change func(map[string]any)) {
	require.NoError(w.t, w.server.Update(virtualservices, ns, name, change))
}

// router returns the Router of a process.
func (w *badWorld) router() *routing.Router {
	of := func(name string) routing.Object[networking.VirtualService] {
		render, err := routing.NewHTTP(routing.Target{Namespace: ns, Name: name, Exclusive: true, Arms: routing.Arms{
			Stable: routing.Destination{Host: "reviews", Subset: "v1"}, Canary: routing.Destination{Host: "reviews", Subset: "v2"},
		}})
		require.NoError(w.t, err)
		return render.Object(w.objects)
	}
	if w.edge {
		return routing.NewRouter(of("reviews"), of("reviews-edge"))
	}
	return routing.NewRouter(of("reviews"))
}

// runner returns a driver whose clock is behind by skew.
func (w *badWorld) runner(skew time.Duration, observe canary.Observer) *canary.Runner {
	config := workload.Config{Namespace: ns, Stable: "reviews-v1", Canary: "reviews-v2"}
	config.Scaling, config.Load = w.scalesBy()
	if w.watch {
		config.Watcher = w.watcher
	}
	load, err := workload.New(w.deploys, config)
	require.NoError(w.t, err)
	c := canary.Config{
		Plan: w.plan, Router: w.router(), Workload: load, Analyzer: w.judge(), Observers: []canary.Observer{observe},
	}
	seen := verify.Metrics{Provider: w.store, Stable: reviewsV1, Canary: reviewsV2}
	c.Verifier = seen
	if skew != 0 {
		c.Router, c.Analyzer, c.Verifier = badClock{c.Router, skew}, lateJudge{w.judge(), skew}, lateVerifier{seen, skew}
	}
	r, err := canary.NewRunner(c)
	require.NoError(w.t, err)
	return r
}

// state is what the VirtualService says of the rollout, whoever can read it.
func (w *badWorld) state() (s canary.State) {
	raw, ok := w.server.Get(virtualservices, ns, "reviews")
	if !ok {
		return s
	}
	var o struct {
		Metadata struct{ Annotations map[string]string }
	}
	require.NoError(w.t, json.Unmarshal(raw, &o))
	if text := o.Metadata.Annotations[routing.StateAnnotation("reviews")]; text != "" {
		require.NoError(w.t, json.Unmarshal([]byte(text), &s))
	}
	return s
}

// remember keeps each form of the VirtualService.
func (w *badWorld) remember(c apiserver.Change) {
	if c.Name == "reviews" && c.Resource.Resource == "virtualservices" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.old = append(w.old, c.Object)
		if w.hurts {
			time.AfterFunc(badDelay+badSpread, w.contend)
		}
	}
}

// written is how often the VirtualService was written.
func (w *badWorld) written() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.old)
}

// older returns an older form of the VirtualService.
func (w *badWorld) older(arg uint64) json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.old[arg%uint64(len(w.old))]
}

// image is what stable is to run.
func (w *badWorld) image() string {
	raw, _ := w.server.Get(deployments, ns, "reviews-v1")
	var o any
	require.NoError(w.t, json.Unmarshal(raw, &o))
	return path(o, "spec", "template", "spec", "containers", 0, "image").(string)
}
