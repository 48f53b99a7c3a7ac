package fake_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

func TestWhatIsThereAtFirstRuns(t *testing.T) {
	server := bookinfo(t)
	fake.NewMesh(server, fake.Config{})
	s := deploymentStatus(t, server, "reviews-v1")
	require.Equal(t, 1, s.ObservedGeneration)
	require.Equal(t, 3, s.AvailableReplicas)
	require.Equal(t, "True NewReplicaSetAvailable", s.condition("Progressing"))
	require.Equal(t, "True MinimumReplicasAvailable", s.condition("Available"))
}

func TestPromotingAnImageTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService)
		mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:2": {ErrorRate: 1}}})
		setImage(t, server, "reviews-v1", "reviews:2")
		s := deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, 1, s.ObservedGeneration, "the controller has not looked yet")
		require.Equal(t, 3, s.UpdatedReplicas, "and its status still speaks of the old version")

		time.Sleep(time.Second)
		s = deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, 2, s.ObservedGeneration)
		require.Equal(t, 4, s.Replicas)
		require.Equal(t, 1, s.UpdatedReplicas)
		require.Equal(t, 1, s.UnavailableReplicas)
		require.Equal(t, "True ReplicaSetUpdated", s.condition("Progressing"))
		require.Zero(t, mesh.Send(1000, stableOnly).Failed())

		time.Sleep(2 * time.Second)
		result := mesh.Send(1000, stableOnly)
		within(t, 1000, 1./3, result.Failed()) // both versions serve, each by its own image
		require.Zero(t, result.Broken())

		time.Sleep(10 * time.Second)
		s = deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, 3, s.UpdatedReplicas)
		require.Equal(t, 3, s.Replicas)
		require.Equal(t, "True NewReplicaSetAvailable", s.condition("Progressing"))
		require.EqualValues(t, 1000, mesh.Send(1000, stableOnly).Failed())
	})
}

// stableOnly asks a Service of stable's own.
var stableOnly = fake.Request{Host: "reviews-v1", From: client.From}

const stableService = `
apiVersion: v1
kind: Service
metadata: {name: reviews-v1, namespace: bookinfo}
spec: {selector: {app: reviews, version: v1}, ports: [{port: 9080}]}
`

func TestAnImageThatNeverBecomesReadyExceedsTheDeadlineAndKeepsTheOldPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService)
		mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:bad": {NeverReady: true}}})
		setSpec(t, server, "reviews-v1", "progressDeadlineSeconds", 60)
		setImage(t, server, "reviews-v1", "reviews:bad")
		time.Sleep(59 * time.Second)
		require.Equal(t, "True ReplicaSetUpdated", deploymentStatus(t, server, "reviews-v1").condition("Progressing"))
		time.Sleep(2 * time.Second)
		s := deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, "False ProgressDeadlineExceeded", s.condition("Progressing"))
		require.Equal(t, "True MinimumReplicasAvailable", s.condition("Available"))
		require.Equal(t, 1, s.UpdatedReplicas)
		require.Equal(t, 3, s.ReadyReplicas)
		require.Zero(t, mesh.Send(1000, stableOnly).Broken())

		setImage(t, server, "reviews-v1", "reviews:1")
		time.Sleep(time.Minute)
		s = deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, "True NewReplicaSetAvailable", s.condition("Progressing"), "the way back is open")
		require.Equal(t, 3, s.Replicas)
	})
}

func TestAPausedDeploymentWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		fake.NewMesh(server, fake.Config{})
		setSpec(t, server, "reviews-v1", "paused", true)
		setImage(t, server, "reviews-v1", "reviews:2")
		time.Sleep(time.Hour)
		s := deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, "Unknown DeploymentPaused", s.condition("Progressing"))
		require.Zero(t, s.UpdatedReplicas)
		setSpec(t, server, "reviews-v1", "paused", false)
		time.Sleep(time.Minute)
		require.Equal(t, 3, deploymentStatus(t, server, "reviews-v1").UpdatedReplicas)
	})
}

func TestRecreateLeavesAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService)
		mesh := fake.NewMesh(server, fake.Config{})
		setSpec(t, server, "reviews-v1", "strategy", map[string]any{"type": "Recreate"})
		setImage(t, server, "reviews-v1", "reviews:2")
		time.Sleep(time.Second)
		require.Equal(t, "UH", mesh.Send(1, stableOnly)[0].Flags)
		require.Equal(t, "False MinimumReplicasUnavailable", deploymentStatus(t, server, "reviews-v1").condition("Available"))
		time.Sleep(2 * time.Second)
		require.Zero(t, mesh.Send(1000, stableOnly).Broken())
	})
}

func TestReadyIsNotYetAvailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:2": {Start: 5 * time.Second}}})
		time.Sleep(time.Minute)
		setSpec(t, server, "reviews-v2", "minReadySeconds", 30)
		setSpec(t, server, "reviews-v2", "replicas", 5)
		time.Sleep(10 * time.Second)
		s := deploymentStatus(t, server, "reviews-v2")
		require.Equal(t, 5, s.ReadyReplicas)
		require.Equal(t, 2, s.AvailableReplicas)
		time.Sleep(30 * time.Second)
		require.Equal(t, 5, deploymentStatus(t, server, "reviews-v2").AvailableReplicas)
	})
}

func TestDeploymentsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{})
		setRules(t, server, "[{route: [{destination: {host: reviews, subset: v3}}]}]")
		require.NoError(t, server.Load([]byte(deploymentV3)))
		require.Equal(t, "UH", mesh.Send(1, client)[0].Flags)
		time.Sleep(5 * time.Second)
		require.EqualValues(t, 10, mesh.Send(10, client).To("reviews-v3"))
		setSpec(t, server, "reviews-v3", "replicas", 0)
		time.Sleep(time.Second)
		require.Equal(t, "UH", mesh.Send(1, client)[0].Flags)
		setSpec(t, server, "reviews-v3", "replicas", 1)
		time.Sleep(5 * time.Second)
		require.Zero(t, mesh.Send(10, client).Broken())
		require.NoError(t, server.Delete(deployments, ns, "reviews-v3"))
		require.Equal(t, "UH", mesh.Send(1, client)[0].Flags)
		require.Empty(t, mesh.Problems())
	})
}

func TestSurgeIsRoundedUpAndUnavailableDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		fake.NewMesh(server, fake.Config{})
		setSpec(t, server, "reviews-v1", "strategy", map[string]any{
			"rollingUpdate": map[string]any{"maxSurge": "34%", "maxUnavailable": "34%"}, // of 3
		})
		setImage(t, server, "reviews-v1", "reviews:2")
		time.Sleep(time.Second)
		s := deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, []int{5, 3, 2}, []int{s.Replicas, s.UpdatedReplicas, s.AvailableReplicas})
	})
}

func TestWhatCannotBeReadIsLeftAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{})
		for _, c := range []struct{ resource, name, field string }{
			{"destinationrules.networking.istio.io", "reviews", "subsets"},
			{"gateways.networking.istio.io", "bookinfo", "servers"},
		} {
			require.NoError(t, server.Update(c.resource, ns, c.name, func(o map[string]any) { o["spec"].(map[string]any)[c.field] = 7 }))
		}
		require.NoError(t, server.Load([]byte("{apiVersion: v1, kind: Service, metadata: {name: none, namespace: bookinfo}}")))
		time.Sleep(time.Minute)
		require.Len(t, mesh.Problems(), 3)
		require.Zero(t, mesh.Send(100, client).Broken())
		require.Zero(t, mesh.Send(100, visitor).Broken())
	})
}

// A rolling update never has more pods than replicas + maxSurge, and keeps
// replicas - maxUnavailable of them available, whatever is changed on the way.
func TestRollingUpdatesKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			replicas := rapid.IntRange(1, 8).Draw(rt, "replicas")
			surge := rapid.IntRange(0, 4).Draw(rt, "surge")
			unavailable := rapid.IntRange(0, replicas).Draw(rt, "unavailable")
			server := bookinfo(t)
			setSpec(t, server, "reviews-v1", "replicas", replicas)
			setSpec(t, server, "reviews-v1", "strategy", map[string]any{
				"rollingUpdate": map[string]any{"maxSurge": surge, "maxUnavailable": unavailable},
			})
			fake.NewMesh(server, fake.Config{Seed: rapid.Uint64().Draw(rt, "seed"), Versions: map[string]fake.Behaviour{"bad": {NeverReady: true}}})
			if surge == 0 && unavailable == 0 {
				unavailable = 1
			}
			server.OnChange(func(c apiserver.Change) {
				var o struct {
					Metadata struct{ Name string }
					Status   status
				}
				require.NoError(rt, json.Unmarshal(c.Object, &o))
				if o.Metadata.Name == "reviews-v1" {
					require.LessOrEqual(rt, o.Status.Replicas, replicas+surge)
					require.GreaterOrEqual(rt, o.Status.AvailableReplicas, replicas-unavailable)
				}
			})
			for range rapid.IntRange(1, 4).Draw(rt, "changes") {
				setImage(t, server, "reviews-v1", rapid.SampledFrom([]string{"a", "b", "bad"}).Draw(rt, "image"))
				time.Sleep(time.Duration(rapid.IntRange(0, 5000).Draw(rt, "pause")) * time.Millisecond)
			}
			setImage(t, server, "reviews-v1", "end")
			time.Sleep(time.Minute)
			s := deploymentStatus(t, server, "reviews-v1")
			require.Equal(rt, []int{replicas, replicas, replicas}, []int{s.Replicas, s.UpdatedReplicas, s.AvailableReplicas})
			require.Equal(rt, "True NewReplicaSetAvailable", s.condition("Progressing"))
		})
	})
}
