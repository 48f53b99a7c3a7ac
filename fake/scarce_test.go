package fake_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

func quota(pods int) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: bookinfo}\nspec: {hard: {pods: '%d'}}\n", pods)
}

// failure returns the message of the condition ReplicaFailure.
func failure(t testing.TB, server *apiserver.Server, deployment string) string {
	t.Helper()
	raw, ok := server.Get(deployments, ns, deployment)
	require.True(t, ok)
	var o apps.Deployment
	require.NoError(t, json.Unmarshal(raw, &o))
	for _, c := range o.Status.Conditions {
		if c.Type == apps.DeploymentReplicaFailure {
			return c.Message
		}
	}
	return ""
}

func TestPodsWithoutRoomWaitUntilThereIsSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{Room: 7})
		setSpec(t, server, "reviews-v2", "replicas", 6)
		pass(time.Hour)
		s := deploymentStatus(t, server, "reviews-v2")
		require.Equal(t, []int{6, 4}, []int{s.Replicas, s.ReadyReplicas}, "3 of 7 places are those of version 1")
		require.Equal(t, "True NewReplicaSetAvailable", s.condition("Progressing"), "no deadline runs when pods are added")
		setSpec(t, server, "reviews-v1", "replicas", 2)
		pass(started)
		require.Equal(t, 5, deploymentStatus(t, server, "reviews-v2").ReadyReplicas, "who waited longest gets what is free")
		mesh.Room(0)
		pass(started)
		require.Equal(t, 6, deploymentStatus(t, server, "reviews-v2").ReadyReplicas)
		mesh.Room(1)
		pass(started)
		require.Equal(t, 6, deploymentStatus(t, server, "reviews-v2").ReadyReplicas, "what runs stays")
		require.NoError(t, server.Delete(deployments, ns, "reviews-v1"))
		setSpec(t, server, "reviews-v2", "replicas", 7)
		pass(started)
		require.Equal(t, 6, deploymentStatus(t, server, "reviews-v2").ReadyReplicas)
		setSpec(t, server, "reviews-v2", "replicas", 6)
		pass(started)
		s = deploymentStatus(t, server, "reviews-v2")
		require.Equal(t, []int{6, 6}, []int{s.Replicas, s.ReadyReplicas}, "the pod that waits goes first")
	})
}

func TestANewVersionWithoutRoomExceedsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		fake.NewMesh(server, fake.Config{Room: 5})
		setImage(t, server, "reviews-v1", "reviews:9")
		pass(11 * time.Minute)
		s := deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, "False ProgressDeadlineExceeded", s.condition("Progressing"))
		require.Equal(t, 3, s.ReadyReplicas)
	})
}

func TestAQuotaRefusesPodsAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, quota(6))
		mesh := fake.NewMesh(server, fake.Config{})
		setSpec(t, server, "reviews-v2", "replicas", 10)
		pass(time.Minute)
		s := deploymentStatus(t, server, "reviews-v2")
		require.Equal(t, []int{3, 3}, []int{s.Replicas, s.ReadyReplicas})
		require.Equal(t, "True FailedCreate", s.condition("ReplicaFailure"))
		require.Regexp(t, `^pods "reviews-v2-[0-9a-f]{8}-\d{5}" is forbidden: exceeded quota: q, requested: pods=1, used: pods=6, limited: pods=6$`,
			failure(t, server, "reviews-v2"))

		setSpec(t, server, "reviews-v1", "replicas", 1)
		pass(started)
		require.Equal(t, 5, deploymentStatus(t, server, "reviews-v2").ReadyReplicas, "what others give up is used")
		require.NoError(t, server.Load([]byte(quota(20))))
		pass(started)
		require.Equal(t, 10, deploymentStatus(t, server, "reviews-v2").ReadyReplicas)
		require.Empty(t, failure(t, server, "reviews-v2"))
		require.NoError(t, server.Load([]byte(quota(5))))
		setSpec(t, server, "reviews-v2", "replicas", 11)
		pass(time.Minute)
		require.Equal(t, 10, deploymentStatus(t, server, "reviews-v2").ReadyReplicas, "a smaller quota stops no pod")
		require.NoError(t, server.Delete("resourcequotas", ns, "q"))
		pass(started)
		require.Equal(t, 11, deploymentStatus(t, server, "reviews-v2").ReadyReplicas)
		require.Empty(t, mesh.Problems())
	})
}

func TestEvictedPodsAreMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService)
		mesh := fake.NewMesh(server, fake.Config{})
		mesh.Evict(ns, "reviews-v1", 2)
		s := deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, []int{3, 1}, []int{s.Replicas, s.ReadyReplicas})
		require.Zero(t, mesh.Send(10, stableOnly).Broken())
		pass(started)
		require.Equal(t, 3, deploymentStatus(t, server, "reviews-v1").ReadyReplicas)

		mesh.Room(1)
		mesh.Evict(ns, "reviews-v1", 100)
		require.Equal(t, "UH", mesh.Send(1, stableOnly)[0].Flags)
		pass(time.Hour)
		require.Zero(t, deploymentStatus(t, server, "reviews-v1").ReadyReplicas, "the nodes have no room for others")
		mesh.Evict(ns, "nobody", 1)
		mesh.Evict(ns, "reviews-v1", -1)
		require.Empty(t, mesh.Problems())
	})
}

func TestEvictedPodsOfAnOldVersionKeepIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"bad": {NeverReady: true}}})
		setImage(t, server, "reviews-v1", "bad")
		pass(started)
		mesh.Evict(ns, "reviews-v1", 2)
		pass(started)
		s := deploymentStatus(t, server, "reviews-v1")
		require.Equal(t, []int{4, 1, 3}, []int{s.Replicas, s.UpdatedReplicas, s.ReadyReplicas})
	})
}

func TestPodsThatGetTooMuchFailUntilThereAreMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, stableService)
		mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:1": {Capacity: 20}}})
		setRules(t, server, "[{retries: {attempts: 0}, route: [{"+toArm1+"}]}]")
		fine := mesh.Load(60, client)
		pass(time.Minute)
		require.Zero(t, fine.Stop().Failed())

		both := mesh.Load(120, client)
		pass(time.Minute)
		got := both.Stop()
		within(t, int(got.Sent()), 0.5, got.Failed())
		require.Equal(t, got.Failed(), got.Sum(func(o fake.Outcome) bool { return o.Code == 503 && o.Workload == "reviews-v1" }))

		require.NoError(t, server.Load([]byte(onCPU)))
		more := mesh.Load(120, client)
		pass(3 * time.Minute)
		more.Stop()
		after := mesh.Load(120, client)
		pass(time.Minute)
		require.Zero(t, after.Stop().Failed(), "the autoscaler has brought enough pods")
	})
}

// Law: never do more pods run than there is room for, or than a quota allows, unless they
// were there before.
func TestNoMorePodsRunThanThereIsRoomFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			room, most := rapid.IntRange(5, 12).Draw(rt, "room"), rapid.IntRange(5, 12).Draw(rt, "quota")
			server := bookinfo(t, quota(most))
			mesh := fake.NewMesh(server, fake.Config{Room: room, Seed: rapid.Uint64().Draw(rt, "seed")})
			for range rapid.IntRange(1, 10).Draw(rt, "changes") {
				name := rapid.SampledFrom([]string{"reviews-v1", "reviews-v2"}).Draw(rt, "name")
				switch rapid.IntRange(0, 3).Draw(rt, "kind") {
				case 0:
					setImage(t, server, name, rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "image"))
				case 1:
					mesh.Evict(ns, name, rapid.IntRange(1, 4).Draw(rt, "evicted"))
				default:
					setSpec(t, server, name, "replicas", rapid.IntRange(0, 12).Draw(rt, "replicas"))
				}
				pass(time.Duration(rapid.IntRange(1, 4000).Draw(rt, "pause")) * time.Millisecond)
				one, two := deploymentStatus(t, server, "reviews-v1"), deploymentStatus(t, server, "reviews-v2")
				require.LessOrEqual(rt, one.ReadyReplicas+two.ReadyReplicas, room)
				require.LessOrEqual(rt, one.Replicas+two.Replicas, most)
			}
			pass(time.Minute)
			setSpec(t, server, "reviews-v1", "replicas", 2)
			setSpec(t, server, "reviews-v2", "replicas", 1)
			pass(time.Minute)
			one, two := deploymentStatus(t, server, "reviews-v1"), deploymentStatus(t, server, "reviews-v2")
			require.Equal(rt, []int{2, 1}, []int{one.ReadyReplicas, two.ReadyReplicas})
			require.Equal(rt, []string{"", ""}, []string{failure(t, server, "reviews-v1"), failure(t, server, "reviews-v2")})
		})
	})
}
