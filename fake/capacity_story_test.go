package fake_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/canary/release"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

// days is a rollout of two days whose Deployments have an autoscaler each, which gives a pod 1000
// requests per second. A pod can answer 1300. There are 10 000 requests per second, and 20 000 from
// noon to evening, within half an hour.
type days struct {
	*testing.T
	server *apiserver.Server
	mesh   *fake.Mesh
	base   *fake.Load
	more   []*fake.Load
	rate   int
	router canary.Router
	runner *canary.Runner
	state  canary.State
}

// twoDays makes one, with the scaling or without.
func twoDays(t *testing.T, scales bool) *days {
	thousand := strings.NewReplacer(`"10"`, `"1k"`).Replace
	server := bookinfo(t, thousand(autoscaled("v1", "reviews-v1", 2, 40, "")), thousand(autoscaled("v2", "reviews-v2", 1, 40, "")))
	setWeights(t, server, 100, 0)
	setSpec(t, server, "reviews-v1", "replicas", 10)
	pods := fake.Behaviour{Capacity: 1300}
	d := &days{T: t, server: server, rate: 10_000}
	d.mesh = fake.NewMesh(server, fake.Config{Seed: 4, Delay: time.Second, Versions: map[string]fake.Behaviour{"reviews:1": pods, "reviews:2": pods}})
	d.base = d.mesh.Load(10_000, client)
	clients, err := kubernetes.NewForConfig(server.Config())
	require.NoError(t, err)
	hpas := clients.AutoscalingV2().HorizontalPodAutoscalers(ns)
	service := release.Service{Namespace: ns, Name: "reviews", Stable: release.Version{Deployment: "reviews-v1"}, Canary: release.Version{Deployment: "reviews-v2"}}
	plan, err := canary.NewPlan("reviews").Settle(5*time.Second).ScrapeLag(30*time.Second).Interval(30*time.Second).Bake(4*time.Hour).
		Weights(canary.List(10*canary.Percent, 25*canary.Percent, 60*canary.Percent, canary.Full), canary.Step{Hold: 9 * time.Hour, Requires: canary.Pass}).
		End(canary.End{Kind: canary.PromoteStable}).Build()
	require.NoError(t, err)
	d.runner = rolloutWith(t, server, new(canarytest.Judge), func(c *workload.Config, _ workload.Watcher) {
		if scales {
			c.Scaling = workload.Scaling{
				Stable: workload.Autoscaler(hpas, ns, "v1", "reviews-v1"),
				Canary: workload.Autoscaler(hpas, ns, "v2", "reviews-v2"),
			}
			c.Load = service.Load(d.mesh, 5*time.Minute)
		} else {
			c.Capacity = workload.AtLeastOne
		}
	}, func(c *canary.Config) {
		c.Plan, d.router = plan, c.Router
	})
	setSpec(t, server, "reviews-v2", "replicas", 1)
	<-time.After(6 * time.Minute) // so that the load is known
	return d
}

// noon lets the load double within half an hour, and evening fall again.
func (d *days) noon() {
	for range 10 {
		d.more = append(d.more, d.mesh.Load(1000, client))
		d.rate += 1000
		d.drive(3 * time.Minute)
	}
}

func (d *days) evening() {
	for _, l := range d.more {
		l.Stop()
		d.rate -= 1000
		d.drive(3 * time.Minute)
	}
	d.more = nil
}

// run lets the rollout go on for a time.
func (d *days) run(how time.Duration) {
	ctx, stop := context.WithTimeout(d.Context(), how)
	defer stop()
	state, err := d.runner.Run(ctx)
	if err != nil {
		require.ErrorIs(d, err, context.DeadlineExceeded)
	}
	d.state = state
}

// drive lets the rollout go on for a time, and holds that at each moment stable has the pods for
// everything while the canary has users and may still lose them.
func (d *days) drive(how time.Duration) {
	for end := time.Now().Add(how); time.Now().Before(end) && !d.state.Phase.Final(); {
		d.run(time.Minute)
		if s := d.state; s.Traffic.Canary > 0 {
			require.GreaterOrEqual(d, 1300*deploymentStatus(d.T, d.server, "reviews-v1").ReadyReplicas, d.rate, "%v %v", s.Phase, s.Traffic)
		}
	}
}

// failed counts the requests that failed so far.
func (d *days) failed() (n uint64) {
	for _, l := range append(d.more, d.base) {
		r := l.Result()
		n += r.Failed() + r.Broken()
	}
	return n
}

// A rollout of two days, with a load that doubles at noon: nobody waits, nothing fails, stable could
// take everything back at each moment, and the owner's bounds are as before.
func TestTwoDaysWithALoadThatDoublesAtNoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := twoDays(t, true)
		for range 2 {
			d.drive(12 * time.Hour)
			d.noon()
			d.drive(6 * time.Hour)
			d.evening()
			d.drive(5 * time.Hour)
		}
		require.Equal(t, phase.Promoted, d.state.Phase, d.state.Reason)
		require.Zero(t, d.failed())
		for name, least := range map[string]int32{"v1": 2, "v2": 1} {
			a := autoscalerOf(t, d.server, name)
			require.Equal(t, least, *a.Spec.MinReplicas)
			require.Empty(t, a.Annotations)
		}
		require.Empty(t, d.mesh.Problems())
	})
}

// What the scaling is for: without it, and with one pod being enough, stable shrinks while it is
// idle, and could not take everything back.
func TestWithoutScalingStableShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := twoDays(t, false)
		least := 10
		for range 36 {
			d.run(time.Hour)
			least = min(least, deploymentStatus(t, d.server, "reviews-v1").ReadyReplicas)
		}
		require.LessOrEqual(t, least, 2)
		require.NotZero(t, d.failed())
	})
}
