package e2e_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// like is a step that waits for metrics.
var like = canary.Step{Hold: time.Second, Deadline: time.Minute}

// begin begins a plan for a Prometheus that reads five times a second.
func begin(name string) canary.Builder {
	return canary.NewPlan(name).Settle(200 * time.Millisecond).ScrapeLag(400 * time.Millisecond).Interval(200 * time.Millisecond)
}

func build(t *testing.T, b canary.Builder) canary.Plan {
	plan, err := b.Build()
	require.NoError(t, err)
	return plan
}

// seen collects the traffic of a rollout in its order.
type seen struct {
	mu      sync.Mutex
	traffic []canary.Traffic
	reached chan canary.Traffic
}

func watchTraffic() *seen { return &seen{reached: make(chan canary.Traffic, 100)} }

func (s *seen) observe(_ context.Context, e canary.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.traffic) == 0 || s.traffic[len(s.traffic)-1] != e.Traffic {
		s.traffic = append(s.traffic, e.Traffic)
		s.reached <- e.Traffic
	}
}

// wait waits until the rollout shows some traffic.
func (s *seen) wait(t *testing.T, want canary.Traffic) {
	for {
		select {
		case is := <-s.reached:
			if is == want {
				return
			}
		case <-time.After(time.Minute):
			require.Fail(t, "no such traffic", "%v", want)
		}
	}
}

var mirrored = canary.Traffic{Mirror: canary.Full}

// S2.
func TestMirrorFirstThenWeightsThenStableIsPromoted(t *testing.T) {
	t.Parallel()
	b := newBookinfo(t)
	before := b.spec(t)
	s := watchTraffic()
	var asked analysis.Request // last
	b.analyzer = analysis.AnalyzerFunc(func(ctx context.Context, r analysis.Request) (analysis.Result, error) {
		asked = r
		return b.briskly(t).Analyze(ctx, r)
	})
	load := traffic.Start(b.gateway, 300)

	state, err := b.runner(t, build(t, begin("reviews").
		Step(mirror.Steps(like, canary.Full)...).
		Weights(canary.List(20*canary.Percent, 60*canary.Percent, canary.Full), like).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute})), s.observe).Run(t.Context())

	tally := load.Stop()
	t.Log(tally)
	require.NoError(t, err)
	require.Equal(t, phase.Promoted, state.Phase)
	require.Equal(t, []canary.Traffic{{}, mirrored, share(20), share(60), share(100), {}}, s.traffic)
	require.Zero(t, tally.Lost, tally)
	require.JSONEq(t, before, b.spec(t))
	require.Equal(t, "reviews:2", b.image(t))
	version, err := traffic.Once(b.gateway)
	require.NoError(t, err)
	require.Equal(t, "v2", version, "the pods of stable run v2")
	requireBlocks(t, state, asked)
}

// requireBlocks holds the times that a State remembers for the judge against the
// plan, and against what the judge was asked last. Behind those of the steps is the time in which
// stable was promoted, which may be short.
func requireBlocks(t *testing.T, s canary.State, asked analysis.Request) {
	var flowed []canary.Traffic
	var end time.Time
	steps := []canary.Traffic{mirrored, share(20), share(60), share(100)}
	for i, b := range s.Blocks {
		require.False(t, b.From.Before(end), s.Blocks)
		if i < len(steps) {
			require.Greater(t, b.To.Sub(b.From), like.Hold/2, s.Blocks)
		}
		flowed, end = append(flowed, b.Traffic), b.To
	}
	require.Equal(t, append(steps, share(100)), flowed)
	require.GreaterOrEqual(t, len(asked.Earlier), 3)
	for i, b := range asked.Earlier {
		require.Equal(t, metrics.Window{From: s.Blocks[i].From, To: s.Blocks[i].To}, b.Window)
		require.Equal(t, i == 0, b.Mirrored)
		require.False(t, asked.Window.From.Before(b.Window.To), asked)
	}
}

// S1.
func TestADarkLaunchIsSeenByNobody(t *testing.T) {
	for _, c := range []struct {
		name      string
		failEvery int64
		phase     phase.Phase
	}{
		{"and ends as planned", 0, phase.Discarded},
		{"and ends when it is bad", 10, phase.RolledBack},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBookinfo(t)
			b.v2.FailEvery = c.failEvery
			before := b.spec(t)
			reads, writes := traffic.Start(b.gateway, 200), traffic.Start(b.gateway.Using(http.MethodPost), 50)

			state, _ := b.runner(t, build(t, begin("dark launch").
				Step(mirror.Steps(like, 50*canary.Percent)...).
				End(canary.End{Kind: canary.Discard}))).Run(t.Context())

			read, written := reads.Stop(), writes.Stop()
			t.Logf("read: %v; written: %v", read, written)
			require.Equal(t, c.phase, state.Phase, state.Reason)
			require.Equal(t, map[string]int{"v1": read.Sent}, read.By)
			require.Equal(t, map[string]int{"v1": written.Sent}, written.By)
			copies, _ := b.v2.Served()
			require.NotZero(t, copies)
			require.Less(t, copies, int64(read.Sent))
			require.Zero(t, b.v2.Unsafe(), "a copy of a write would write twice")
			require.JSONEq(t, before, b.spec(t))
		})
	}
}

// S7.
func TestASubsetBehindAGatewayGetsItsShareAndAllElseStays(t *testing.T) {
	t.Parallel()
	b := newBookinfo(t)
	mesh, _ := clients(t)
	rules := mesh.NetworkingV1().DestinationRules(b.namespace)
	before, err := rules.Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	s := watchTraffic()
	outside, inside := traffic.Start(b.gateway, 200), traffic.Start(b.client, 200)

	state, err := b.runner(t, build(t, begin("reviews").
		Weights(canary.List(30*canary.Percent, canary.Full), like)), s.observe).Run(t.Context())

	for _, tally := range []traffic.Tally{outside.Stop(), inside.Stop()} {
		t.Log(tally)
		require.Zero(t, tally.Lost, tally)
	}
	require.NoError(t, err)
	require.Equal(t, phase.Promoted, state.Phase)
	require.Equal(t, []canary.Traffic{{}, share(30), share(100)}, s.traffic)
	after, err := rules.Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, before, after, "nobody touched the DestinationRule")
	for _, c := range []traffic.Caller{b.gateway, b.client} {
		version, err := traffic.Once(c)
		require.NoError(t, err)
		require.Equal(t, "v2", version)
	}
}

// S5.
func TestSeveralRulesOfOneHostGoEachInItsOwnDirection(t *testing.T) {
	for _, c := range []struct {
		name      string
		failEvery int64
		phase     phase.Phase
		served    [3]string // in the end, by /, /v2 and /old
	}{
		{"and stay", 0, phase.Promoted, [3]string{"v2", "v1", "v1"}},
		{"and are all restored", 3, phase.RolledBack, [3]string{"v1", "v2", "v1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newMesh(t, controlPlane(t).Namespace(t), twoServices)
			b.v2.FailEvery = c.failEvery
			b.target.Arms = routing.Arms{Stable: routing.Destination{Host: "reviews"}, Canary: routing.Destination{Host: "reviews-v2"}}
			b.target.Rules = []routing.Rule{{Name: "main"}, {Name: "next", Arms: routing.Arms{Stable: b.target.Arms.Canary, Canary: b.target.Arms.Stable}}}
			before := b.spec(t)
			var loads [3]*traffic.Load
			var callers [3]*traffic.HTTP
			for i, path := range []string{"/", "/v2", "/old"} {
				callers[i] = b.through(t, "client", "reviews:9080", path)
				loads[i] = traffic.Start(callers[i], 150)
			}

			state, _ := b.runner(t, build(t, begin("reviews").Weights(canary.List(30*canary.Percent, canary.Full), like))).Run(t.Context())

			require.Equal(t, c.phase, state.Phase, state.Reason)
			for i, load := range loads {
				tally := load.Stop()
				t.Log(tally)
				require.Zero(t, tally.Lost, tally)
				version, err := traffic.Once(callers[i])
				require.NoError(t, err)
				require.Equal(t, c.served[i], version)
			}
			if c.phase == phase.RolledBack {
				require.JSONEq(t, before, b.spec(t))
			}
		})
	}
}

// twoServices are two hosts in place of two subsets.
const twoServices = `
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews, version: v1}
  ports: [{name: http, port: 9080}]
---
apiVersion: v1
kind: Service
metadata: {name: reviews-v2}
spec:
  selector: {app: reviews, version: v2}
  ports: [{name: http, port: 9080}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - {name: next, match: [{uri: {prefix: /v2}}], route: [{destination: {host: reviews-v2}}], retries: {attempts: 0}}
  - {name: old, match: [{uri: {prefix: /old}}], route: [{destination: {host: reviews}}], retries: {attempts: 0}}
  - {name: main, route: [{destination: {host: reviews}}], retries: {attempts: 0}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1}
spec:
  replicas: 2
  selector: {matchLabels: {app: reviews, version: v1}}
  template:
    metadata: {labels: {app: reviews, version: v1}}
    spec: {containers: [{name: reviews, image: "reviews:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v2}
spec:
  replicas: 2
  selector: {matchLabels: {app: reviews, version: v2}}
  template:
    metadata: {labels: {app: reviews, version: v2}}
    spec: {containers: [{name: reviews, image: "reviews:2"}]}
`

func TestABadVersionIsRolledBackByWhatPrometheusCounted(t *testing.T) {
	t.Parallel()
	b := newBookinfo(t)
	b.v2.FailEvery = 20
	b.analyzer = b.briskly(t)
	before := b.spec(t)
	load := traffic.Start(b.gateway, 300)

	state, err := b.runner(t, build(t, begin("reviews").
		Weights(canary.List(20*canary.Percent, canary.Full), like))).Run(t.Context())

	tally := load.Stop()
	t.Log(tally, state.Reason)
	require.ErrorIs(t, err, canary.ErrRolledBack)
	require.Equal(t, phase.RolledBack, state.Phase)
	require.Contains(t, state.Reason, "server errors")
	require.Zero(t, tally.Lost, "an answer of v2 is bad, but not lost: %v", tally)
	require.JSONEq(t, before, b.spec(t))
}

// halfway is what the test says that a rollout is in the midst of its way.
const halfway = "half of the traffic goes to v2"

func TestAnAbortTurnsEverythingBackAtOnce(t *testing.T) {
	t.Parallel()
	b := newBookinfo(t)
	before := b.spec(t)
	s := watchTraffic()
	load := traffic.Start(b.gateway, 300)
	ended := make(chan canary.State)
	go func() {
		hour := canary.Step{Hold: time.Hour}
		state, _ := b.runner(t, build(t, begin("reviews").Weights(canary.List(50*canary.Percent, canary.Full), hour)), s.observe).Run(context.WithoutCancel(t.Context()))
		ended <- state
	}()
	s.wait(t, share(50))
	t.Log(halfway)

	// Whoever can write the object can command.
	require.NoError(t, canary.Send(t.Context(), b.router(t), canary.Command{Order: order.Abort, By: "somebody", Why: "customers call"}))
	sent := time.Now()
	state := <-ended
	took := time.Since(sent)

	tally := load.Stop()
	t.Logf("over %v after the command; %v", took.Round(time.Millisecond), tally)
	require.Equal(t, phase.RolledBack, state.Phase)
	require.Contains(t, state.Reason, "customers call")
	require.Zero(t, tally.Lost, tally)
	require.JSONEq(t, before, b.spec(t))
}
