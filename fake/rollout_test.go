package fake_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/routing"
)

// rollout is the whole library on the simulated mesh, through real clients.
func rollout(t *testing.T, server *apiserver.Server, judge analysis.Analyzer) *canary.Runner {
	t.Helper()
	return rolloutWith(t, server, judge, polled)
}

func polled(*workload.Config, workload.Watcher) {}

// stepByStep is copies, and then 20 to 100 % of the traffic in five steps of two minutes.
func stepByStep() canary.Builder {
	return canary.NewPlan("reviews-2").
		Settle(5*time.Second).ScrapeLag(30*time.Second).Interval(10*time.Second).
		Step(canary.Step{Traffic: canary.Traffic{Mirror: canary.Full}, Hold: 2 * time.Minute, Requires: canary.NoFailure}).
		Weights(canary.Linear(20*canary.Percent, 20*canary.Percent, canary.Full), canary.Step{Hold: 2 * time.Minute, Requires: canary.Pass}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: 10 * time.Minute})
}

func rolloutWith(t *testing.T, server *apiserver.Server, judge analysis.Analyzer, change func(*workload.Config, workload.Watcher), more ...func(*canary.Config)) *canary.Runner {
	t.Helper()
	setSpec(t, server, "reviews-v2", "replicas", 3) // as many as stable
	plan, err := stepByStep().Build()
	require.NoError(t, err)
	istioClient, err := istio.NewForConfig(server.Config())
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(server.Config())
	require.NoError(t, err)
	render, err := routing.NewHTTP(routing.Target{Namespace: ns, Name: "reviews", Arms: routing.Arms{
		Stable: routing.Destination{Host: "reviews", Subset: "v1"},
		Canary: routing.Destination{Host: "reviews", Subset: "v2"},
	}, Exclusive: true})
	require.NoError(t, err)
	config := workload.Config{Namespace: ns, Stable: "reviews-v1", Canary: "reviews-v2"}
	change(&config, client.AppsV1().Deployments(ns))
	pods, err := workload.New(client.AppsV1().Deployments(ns), config)
	require.NoError(t, err)
	c := canary.Config{
		Plan:     plan,
		Router:   routing.NewRouter(render.Object(istioClient.NetworkingV1().VirtualServices(ns))),
		Analyzer: judge,
		Workload: pods,
	}
	for _, f := range more {
		f(&c)
	}
	runner, err := canary.NewRunner(c)
	require.NoError(t, err)
	return runner
}

var (
	reviewsV1 = metrics.Arm{Workload: "reviews-v1", Namespace: ns}
	reviewsV2 = metrics.Arm{Workload: "reviews-v2", Namespace: ns}
)

func TestAWholeRolloutOnTheMesh(t *testing.T) {
	for name, c := range map[string]struct {
		canary fake.Behaviour
		want   phase.Phase
		err    error
		image  string
	}{
		"a good version is promoted":   {fake.Behaviour{ErrorRate: 0.001}, phase.Promoted, nil, "reviews:2"},
		"a bad version is rolled back": {fake.Behaviour{ErrorRate: 0.05}, phase.RolledBack, canary.ErrRolledBack, "reviews:1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bookinfo(t)
				setWeights(t, server, 100, 0)
				mesh := fake.NewMesh(server, fake.Config{
					Seed: 6, Delay: time.Second, Spread: 2 * time.Second, Versions: map[string]fake.Behaviour{"reviews:2": c.canary},
				})
				load := mesh.Load(20, client)
				state, err := rollout(t, server, analysis.Threshold{Provider: mesh, Canary: reviewsV2, Max: 0.02}).Run(t.Context())
				require.ErrorIs(t, err, c.err)
				require.Equal(t, c.want, state.Phase, state.Reason)
				time.Sleep(time.Minute)
				result := load.Stop()
				require.Zero(t, result.Broken())
				if c.want == phase.RolledBack {
					require.Zero(t, result.Failed(), "the copies told it before a user could")
				}
				end := mesh.Send(1000, client)
				require.EqualValues(t, 1000, end.To("reviews-v1"))
				require.Equal(t, c.image, end[0].Image)
				require.Zero(t, end.Mirrored("reviews-v2"))
			})
		})
	}
}

// E9, E37: a canary that is scaled to 0 in a step loses its traffic as soon as the Runner
// looks, and with a watch that is at once. It gets it back when its pods are there again.
func TestACanaryScaledToZeroLosesItsTrafficAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		watch bool
		most  uint64 // requests that may be lost, of 100 a second
	}{
		"polled each 10 seconds": {false, 40 * 13}, // 40 % for an interval and the push
		"watched":                {true, 40 * 4},   // and for the push alone
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bookinfo(t)
				setWeights(t, server, 100, 0)
				mesh := fake.NewMesh(server, fake.Config{Seed: 6, Delay: time.Second, Spread: 2 * time.Second})
				load := mesh.Load(100, client)
				time.AfterFunc(7*time.Minute+3*time.Second, func() { setSpec(t, server, "reviews-v2", "replicas", 0) })
				time.AfterFunc(11*time.Minute, func() { setSpec(t, server, "reviews-v2", "replicas", 3) })
				state, err := rolloutWith(t, server, analysis.Threshold{Provider: mesh, Canary: reviewsV2, Max: 0.02}, func(config *workload.Config, w workload.Watcher) {
					if c.watch {
						config.Watcher = w
					}
				}).Run(t.Context())
				require.NoError(t, err)
				require.Equal(t, phase.Promoted, state.Phase, state.Reason)
				lost := load.Stop().Broken()
				t.Logf("%s: %d lost", name, lost)
				require.LessOrEqual(t, lost, c.most)
			})
		})
	}
}
