package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/envoy"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/routing"
)

var (
	crashSeed     = flag.Uint64("crash.seed", 0, "seed of the first rollout that meets with troubles")
	crashRuns     = flag.Uint64("crash.runs", 10, "how many rollouts meet with troubles")
	crashTogether = flag.Uint64("crash.together", 5, "how many of them at the same time")
)

// trial is a release whose rollout meets with troubles.
type trial struct {
	*release
	troubles
	seed    uint64
	client  *traffic.HTTP
	bad     atomic.Bool // the canary
	before  string      // spec
	history iter.Seq2[[]byte, error]
	forget  func() // ends it

	deaf   bool           // istiod was
	states []canary.State // in the order in which they were stored
	kills  atomic.Int64
	tally  traffic.Tally
	mu     sync.Mutex
	story  []string
}

func newTrial(t *testing.T, seed uint64) *trial {
	plan, err := newPlan()
	require.NoError(t, err)
	r := &trial{troubles: draw(seed, plan.Len()), seed: seed}
	v1, v2, bad := &traffic.Server{Version: "v1"}, &traffic.Server{Version: "v2"}, &traffic.Server{Version: "v2", FailEvery: 1}
	canary := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.bad.Load() {
			bad.ServeHTTP(w, q)
			return
		}
		v2.ServeHTTP(w, q)
	})
	scraped := strings.ReplaceAll(reviews+"---"+callers, "    metadata: {labels:", `    metadata: {annotations: {prometheus.io/scrape: "true"}, labels:`)
	p := controlPlane(t)
	r.release = newReleaseOf(t, nil, scraped, map[string]plane.Program{
		"reviews:1": envoy.App(p, v1, traffic.Port), "reviews:2": envoy.App(p, canary, traffic.Port), "client:1": envoy.Proxy{Plane: p}.Run,
	})
	r.client = traffic.NewHTTP(p, r.namespace, "client", "reviews:9080", "/reviews/1")
	t.Cleanup(r.client.Close)
	return r
}

func (r *trial) tell(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story = append(r.story, fmt.Sprintf(format, args...))
}

// begin waits until the release serves.
func (r *trial) begin(t *testing.T) {
	version, err := traffic.Wait(t.Context(), r.client)
	require.NoError(t, err)
	require.Equal(t, "v1", version)
	r.before = r.spec(t)
	ctx, cancel := context.WithCancel(t.Context())
	r.forget = cancel
	t.Cleanup(cancel)
	resource := schema.GroupResource{Group: "networking.istio.io", Resource: "virtualservices"}
	r.history, err = controlPlane(t).History(ctx, resource, r.namespace, "reviews")
	require.NoError(t, err)
}

// run lets two drivers roll out among the troubles.
func (r *trial) run(ctx context.Context, t *testing.T) {
	p, begin := controlPlane(t), time.Now()
	config := p.Config()
	if r.slow {
		road, err := p.BadRoad(r.seed)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { r.tell("%s", road.Close()) }()
		config = road.Config()
	}
	load := traffic.Start(r.client, 60)
	over, cancel := context.WithCancel(ctx)
	var others, drivers sync.WaitGroup
	others.Go(func() { r.follow(t) })
	for _, c := range r.crashes {
		others.Go(func() { r.crash(over, t, c) })
	}
	for number := range uint64(2) {
		drivers.Go(func() { r.drive(ctx, t, number+1, config) })
	}
	drivers.Wait()
	r.tell("%.1f s, %d drivers killed", time.Since(begin).Seconds(), r.kills.Load())
	cancel()
	const late = 10 * time.Second // for what is stored already
	defer time.AfterFunc(late, r.forget).Stop()
	others.Wait()
	r.tally = load.Stop()
}

// follow reads what is stored until the rollout is over, and turns the canary
// bad when its time has come.
func (r *trial) follow(t *testing.T) {
	for version, err := range r.history {
		var vs networking.VirtualService
		var state canary.State
		if err == nil {
			err = json.Unmarshal(version, &vs)
		}
		if err == nil {
			err = state.UnmarshalJSON([]byte(vs.Annotations[routing.StateAnnotation("reviews")]))
		}
		if err != nil {
			t.Errorf("seed %d: %v", r.seed, err)
			return
		}
		r.states = append(r.states, state)
		if state.Phase == phase.Progressing && state.Step == r.badAt {
			r.bad.Store(true)
		}
		if state.Phase.Final() {
			return
		}
	}
}

// check looks at what came of the rollout.
func (r *trial) check(t *testing.T) {
	outcome, image, revision := phase.Promoted, "reviews:2", "2"
	steps := course()
	count := writes(t)
	if r.badAt != never {
		outcome, image, revision = phase.RolledBack, "reviews:1", "1"
		left := len(steps) - 4 - (r.badAt + 1)
		steps = append(steps[:r.badAt+3], steps[len(steps)-2:]...)
		count -= left + 1 // there is no promotion
	}
	var seen []canary.Traffic
	var last canary.State
	moves, changes := 0, 0
	for _, state := range r.states {
		moves++
		if moves == 1 || state.Phase != last.Phase || state.Step != last.Step || state.Traffic != last.Traffic { // or it notes that readings are missing, or back
			changes++
		}
		require.Less(t, last.Serial, state.Serial, "in order")
		if len(seen) == 0 || state.Traffic != last.Traffic {
			seen = append(seen, state.Traffic)
		}
		last = state
	}
	t.Logf("seed %d: %v; %s; %v", r.seed, last.Phase, strings.Join(r.story, "; "), r.tally)
	require.Equal(t, outcome, last.Phase, last.Reason)
	require.Equal(t, steps, seen)
	require.Equal(t, count, changes, "each change once")
	require.JSONEq(t, r.before, r.spec(t))
	stable := r.stable(t)
	require.Equal(t, image, stable.Spec.Template.Spec.Containers[0].Image)
	require.Equal(t, revision, stable.Annotations["deployment.kubernetes.io/revision"], "promoted once")
	now, err := r.router(t).Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, last, now.State, "nothing was written later")
	require.EqualValues(t, moves-1, last.Serial-r.states[0].Serial, "no write was missed")
	for text := range r.tally.Errors {
		require.True(t, r.deaf || strings.Contains(text, "deadline exceeded"), "%s", text) // on a busy machine, a call may take long
	}
}

// deaf reports whether istiod did not hear of all that happened. It learns of it
// in any order afterwards, such as of traffic before the pods that it goes to,
// so calls may be lost.
func deaf(trials []*trial) bool {
	return slices.ContainsFunc(trials, func(r *trial) bool {
		return slices.ContainsFunc(r.crashes, func(c crash) bool {
			return c.part == plane.Etcd || c.part == plane.APIServer || c.part == plane.Istiod
		})
	})
}

// calm starts anew who watches the API server: they wait ever longer for one
// that is away now and then, up to a minute.
func calm(t *testing.T) {
	for _, part := range []plane.Part{plane.ControllerManager, plane.Istiod, plane.Prometheus} {
		require.NoError(t, controlPlane(t).Crash(t.Context(), part, 0))
	}
}

// The troubles of a rollout follow from its seed, which is in the name of its
// test; -crash.seed=17 -crash.runs=1 repeats them. Rollouts at the same time
// share the control plane, and so its crashes.
func TestWhateverCrashesARolloutEndsAsItsPlanSays(t *testing.T) {
	for first := *crashSeed; first < *crashSeed+*crashRuns; first += *crashTogether {
		t.Run(fmt.Sprintf("from %d", first), func(t *testing.T) {
			var trials []*trial
			for seed := first; seed < min(first+*crashTogether, *crashSeed+*crashRuns); seed++ {
				trials = append(trials, newTrial(t, seed))
			}
			for _, r := range trials {
				r.begin(t)
			}
			const limit = 4 * time.Minute
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			var all sync.WaitGroup
			for _, r := range trials {
				all.Go(func() { r.run(ctx, t) })
			}
			all.Wait()
			unheard := deaf(trials)
			for _, r := range trials {
				r.deaf = unheard
				t.Run(fmt.Sprintf("seed %d", r.seed), r.check)
			}
			calm(t)
		})
	}
}
