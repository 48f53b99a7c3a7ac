package fake_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

const (
	autoscalers = "horizontalpodautoscalers.autoscaling"
	// firstSync is by when a new autoscaler has looked, and oneSync by when another has.
	firstSync, oneSync = 17 * time.Second, 16 * time.Second
	// started is longer than new pods take.
	started = 5 * time.Second
)

// autoscaled is an autoscaler that wants 10 requests per second for each pod.
func autoscaled(name, deployment string, least, most int, more string) string {
	return fmt.Sprintf(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: %s, namespace: bookinfo}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %s}
  minReplicas: %d
  maxReplicas: %d
  metrics: [{type: Pods, pods: {metric: {name: http_requests_per_second}, target: {type: AverageValue, averageValue: "10"}}}]
  %s
`, name, deployment, least, most, more)
}

const onCPU = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: v1, namespace: bookinfo}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: reviews-v1}
  maxReplicas: 10
`

func pass(d time.Duration) { <-time.After(d) }

func replicasOf(t testing.TB, server *apiserver.Server, deployment string) int {
	t.Helper()
	raw, ok := server.Get(deployments, ns, deployment)
	require.True(t, ok)
	var o struct{ Spec struct{ Replicas int } }
	require.NoError(t, json.Unmarshal(raw, &o))
	return o.Spec.Replicas
}

func autoscalerOf(t testing.TB, server *apiserver.Server, name string) autoscaling.HorizontalPodAutoscaler {
	t.Helper()
	raw, ok := server.Get(autoscalers, ns, name)
	require.True(t, ok)
	var o autoscaling.HorizontalPodAutoscaler
	require.NoError(t, json.Unmarshal(raw, &o))
	return o
}

// why returns "status reason" of a condition of an autoscaler.
func why(t testing.TB, server *apiserver.Server, name string, kind autoscaling.HorizontalPodAutoscalerConditionType) string {
	t.Helper()
	for _, c := range autoscalerOf(t, server, name).Status.Conditions {
		if c.Type == kind {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}

// setBounds sets a field of the spec of an autoscaler.
func setBounds(t testing.TB, server *apiserver.Server, name, field string, pods int) {
	t.Helper()
	require.NoError(t, server.Update(autoscalers, ns, name, func(o map[string]any) { o["spec"].(map[string]any)[field] = pods }))
}

func TestAnAutoscalerFollowsTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 1, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		one := mesh.Load(30, stableOnly)
		pass(5 * time.Minute)
		require.Equal(t, 3, replicasOf(t, server, "reviews-v1"), "30 requests per second are what 3 pods should get")

		two := mesh.Load(30, stableOnly)
		pass(2 * time.Minute)
		require.Equal(t, 6, replicasOf(t, server, "reviews-v1"))
		require.Equal(t, 6, deploymentStatus(t, server, "reviews-v1").ReadyReplicas)
		status := autoscalerOf(t, server, "v1").Status
		require.EqualValues(t, 6, status.CurrentReplicas)
		require.EqualValues(t, 6, status.DesiredReplicas)
		require.Less(t, time.Since(status.LastScaleTime.Time), 2*time.Minute)
		require.InDelta(t, 10, status.CurrentMetrics[0].Pods.Current.AverageValue.AsApproximateFloat64(), 0.1)

		two.Stop()
		pass(5 * time.Minute)
		require.Equal(t, 6, replicasOf(t, server, "reviews-v1"), "the highest recommendation of five minutes counts")
		require.Equal(t, "True ScaleDownStabilized", why(t, server, "v1", autoscaling.AbleToScale))
		pass(2 * time.Minute)
		require.Equal(t, 3, replicasOf(t, server, "reviews-v1"))
		require.Zero(t, one.Stop().Broken())
		require.Empty(t, mesh.Problems())
	})
}

func TestALittleMoreLoadScalesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 1, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		load := mesh.Load(32.7, stableOnly)
		pass(10 * time.Minute)
		require.Equal(t, 3, replicasOf(t, server, "reviews-v1"), "9 % are tolerated")
		load.Stop()
		mesh.Load(33.6, stableOnly)
		pass(2 * time.Minute)
		require.Equal(t, 4, replicasOf(t, server, "reviews-v1"))
	})
}

func TestAnAutoscalerLooksAtTheCPUThatACapacityExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, onCPU)
		mesh := fake.NewMesh(server, fake.Config{})
		mesh.Load(60, stableOnly)
		pass(time.Minute)
		require.Equal(t, 3, replicasOf(t, server, "reviews-v1"))
		require.Equal(t, "False FailedGetResourceMetric", why(t, server, "v1", autoscaling.ScalingActive))
		mesh.Behave("reviews:1", fake.Behaviour{Capacity: 25}) // 80 % of it are 20
		pass(time.Minute)
		require.Equal(t, 3, replicasOf(t, server, "reviews-v1"))
		require.EqualValues(t, 80, *autoscalerOf(t, server, "v1").Status.CurrentMetrics[0].Resource.Current.AverageUtilization)
		mesh.Load(60, stableOnly)
		pass(2 * time.Minute)
		require.Equal(t, 6, replicasOf(t, server, "reviews-v1"))
	})
}

// E36: an autoscaler leaves a Deployment alone that somebody has scaled to 0.
func TestAnAutoscalerIsIdleAtZeroReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 2, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		setSpec(t, server, "reviews-v1", "replicas", 0)
		load := mesh.Load(100, stableOnly)
		pass(10 * time.Minute)
		load.Stop()
		require.Zero(t, replicasOf(t, server, "reviews-v1"))
		require.Equal(t, "False ScalingDisabled", why(t, server, "v1", autoscaling.ScalingActive))
		setSpec(t, server, "reviews-v1", "replicas", 1)
		pass(oneSync)
		require.Equal(t, 2, replicasOf(t, server, "reviews-v1"))
	})
}

func TestBoundsCountAtTheNextSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 1, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		pass(firstSync)
		setBounds(t, server, "v1", "minReplicas", 5)
		pass(oneSync)
		require.Equal(t, 5, replicasOf(t, server, "reviews-v1"))
		setBounds(t, server, "v1", "minReplicas", 1)
		setBounds(t, server, "v1", "maxReplicas", 4)
		pass(oneSync)
		require.Equal(t, 4, replicasOf(t, server, "reviews-v1"), "no window holds what is too many")
		mesh.Load(1000, stableOnly)
		pass(5 * time.Minute)
		require.Equal(t, 4, replicasOf(t, server, "reviews-v1"))
		require.Equal(t, "True TooManyReplicas", why(t, server, "v1", autoscaling.ScalingLimited))
	})
}

func TestScalingUpTakesSeveralSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 1, 100, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		mesh.Load(1000, stableOnly)
		pass(firstSync)
		require.Equal(t, 6, replicasOf(t, server, "reviews-v1"), "at most twice as many at once")
		require.Equal(t, "True ScaleUpLimit", why(t, server, "v1", autoscaling.ScalingLimited))
		pass(5 * time.Minute)
		require.Equal(t, 100, replicasOf(t, server, "reviews-v1"))
	})
}

func TestABehaviorDecidesHowFastItScales(t *testing.T) {
	const behavior = `behavior: {scaleUp: {stabilizationWindowSeconds: 60, policies: [{type: Pods, value: 1, periodSeconds: 60}]}, scaleDown: %s}`
	for name, c := range map[string]struct {
		down string
		want int // replicas ten minutes after the load ended
	}{
		"no way down":     {`{selectPolicy: Disabled}`, 6},
		"slowly down":     {`{policies: [{type: Pods, value: 1, periodSeconds: 180}]}`, 4},
		"down at once":    {`{stabilizationWindowSeconds: 0}`, 1},
		"half at a time":  {`{policies: [{type: Percent, value: 50, periodSeconds: 420}]}`, 3},
		"the least of it": {`{selectPolicy: Min, policies: [{type: Percent, value: 90, periodSeconds: 420}, {type: Pods, value: 1, periodSeconds: 420}]}`, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 1, 6, fmt.Sprintf(behavior, c.down)))
				mesh := fake.NewMesh(server, fake.Config{})
				pass(firstSync)
				load := mesh.Load(1000, stableOnly)
				pass(50 * time.Second)
				require.LessOrEqual(t, replicasOf(t, server, "reviews-v1"), 3, "a minute's lowest recommendation counts")
				pass(70 * time.Second)
				require.LessOrEqual(t, replicasOf(t, server, "reviews-v1"), 5)
				pass(5 * time.Minute)
				require.Equal(t, 6, replicasOf(t, server, "reviews-v1"))
				load.Stop()
				pass(10 * time.Minute)
				require.Equal(t, c.want, replicasOf(t, server, "reviews-v1"))
			})
		})
	}
}

// Without a behavior an autoscaler undoes what a person or a rollout takes away.
func TestReplicasThatWereTakenAwayComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 1, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		mesh.Load(30, stableOnly)
		pass(time.Minute)
		setSpec(t, server, "reviews-v1", "replicas", 1)
		pass(oneSync)
		require.Equal(t, 3, replicasOf(t, server, "reviews-v1"))
	})
}

func TestTwoAutoscalersFollowTheirOwnDeployments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, autoscaled("v1", "reviews-v1", 1, 10, ""), autoscaled("v2", "reviews-v2", 1, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		mesh.Load(95, client) // 76 to version 1 and 19 to version 2
		pass(5 * time.Minute)
		require.Equal(t, 8, replicasOf(t, server, "reviews-v1"))
		require.Equal(t, 2, replicasOf(t, server, "reviews-v2"))
		setWeights(t, server, 20, 80)
		pass(8 * time.Minute)
		require.Equal(t, 2, replicasOf(t, server, "reviews-v1"))
		require.InDelta(t, 7.5, replicasOf(t, server, "reviews-v2"), 0.5, "7 pods are 9 % above their target")
	})
}

func TestTwoAutoscalersOfOneDeploymentMeasureNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("a", "reviews-v1", 1, 10, ""), autoscaled("b", "reviews-v1", 4, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		mesh.Load(1000, stableOnly)
		pass(5 * time.Minute)
		require.Equal(t, 4, replicasOf(t, server, "reviews-v1"), "bounds still count")
		require.Equal(t, "False AmbiguousSelector", why(t, server, "a", autoscaling.ScalingActive))
		require.NoError(t, server.Delete(autoscalers, ns, "a"))
		pass(time.Minute)
		require.Equal(t, 10, replicasOf(t, server, "reviews-v1"))
	})
}

func TestADeletedAutoscalerLeavesThePodsAsTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 5, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		pass(firstSync)
		require.NoError(t, server.Delete(autoscalers, ns, "v1"))
		mesh.Load(1000, stableOnly)
		pass(10 * time.Minute)
		require.Equal(t, 5, replicasOf(t, server, "reviews-v1"))
	})
}

func TestAnAutoscalerWaitsForItsDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, autoscaled("v3", "reviews-v3", 2, 10, ""))
		mesh := fake.NewMesh(server, fake.Config{})
		pass(time.Minute)
		require.Equal(t, "False FailedGetScale", why(t, server, "v3", autoscaling.AbleToScale))
		require.NoError(t, server.Load([]byte(deploymentV3)))
		pass(firstSync + oneSync)
		require.Equal(t, 2, replicasOf(t, server, "reviews-v3"))
		require.NoError(t, server.Delete(deployments, ns, "reviews-v3"))
		pass(time.Minute)
		require.Equal(t, "False FailedGetScale", why(t, server, "v3", autoscaling.AbleToScale))
		require.Empty(t, mesh.Problems())
	})
}

// doubling is a behavior: without one, the first recommendation of 7 would count for long.
const doubling = "behavior: {scaleUp: {policies: [{type: Percent, value: 100, periodSeconds: 15}]}}"

func TestPodsThatAreNotReadyAreNotScaledUpTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 1, 20, doubling))
		mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:1": {Start: 5 * time.Minute}}})
		mesh.Load(63, stableOnly) // 5 % more than 6 pods should get
		pass(4 * time.Minute)
		require.Equal(t, 6, replicasOf(t, server, "reviews-v1"), "twice as many at once; then three that start count too")
		require.Equal(t, 3, deploymentStatus(t, server, "reviews-v1").ReadyReplicas)
	})
}

// Law: one sync after the last change the replicas are within the bounds, or 0 if somebody
// set them to 0, and the same seed gives the same run.
func TestReplicasAreWithinTheirBoundsOneSyncAfterAnyChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		changes := rapid.SliceOfN(rapid.IntRange(0, 1<<20), 1, 8).Draw(rt, "changes")
		seed := rapid.Uint64().Draw(rt, "seed")
		var runs [2]string
		for i := range runs {
			synctest.Test(t, func(t *testing.T) { runs[i] = scaledRun(t, rt, seed, changes) })
		}
		require.Equal(rt, runs[0], runs[1])
	})
}

// scaledRun makes some changes, and returns what became of them.
func scaledRun(t *testing.T, rt *rapid.T, seed uint64, changes []int) (log string) {
	server := bookinfo(t, stableService, autoscaled("v1", "reviews-v1", 2, 5, ""))
	mesh := fake.NewMesh(server, fake.Config{Seed: seed, Room: 8})
	least, most, zero := 2, 5, false
	for _, c := range changes {
		kind, n := c%4, c/4%12
		switch {
		case kind == 0 && n > 0 && n <= most:
			least = n
			setBounds(t, server, "v1", "minReplicas", n)
		case kind == 1 && n >= least:
			most = n
			setBounds(t, server, "v1", "maxReplicas", n)
		case kind == 2:
			zero = n == 0
			setSpec(t, server, "reviews-v1", "replicas", n)
		default:
			mesh.Load(float64(n), stableOnly)
		}
		pass(firstSync + time.Duration(c%7)*time.Second)
		is := replicasOf(t, server, "reviews-v1")
		if zero {
			require.Zero(rt, is)
		} else {
			require.GreaterOrEqual(rt, is, least)
			require.LessOrEqual(rt, is, most)
		}
		raw, _ := server.Get(autoscalers, ns, "v1")
		log += fmt.Sprintln(is, string(raw))
	}
	require.Empty(rt, mesh.Problems())
	return log
}

func TestAQuotaSaysHowMuchOfItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, quota(6))
		fake.NewMesh(server, fake.Config{})
		raw, _ := server.Get("resourcequotas", ns, "q")
		var o core.ResourceQuota
		require.NoError(t, json.Unmarshal(raw, &o))
		require.EqualValues(t, 6, o.Status.Hard.Pods().Value())
		require.EqualValues(t, 5, o.Status.Used.Pods().Value())
	})
}
