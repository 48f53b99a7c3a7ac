package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/canary/workload"
)

// halfThenAll gives half for a while and then everything for a while.
func halfThenAll(half, all time.Duration) canary.Builder {
	step := func(w canary.Weight, hold time.Duration) canary.Step {
		return canary.Step{Traffic: share(w), Hold: hold, Deadline: 2 * time.Hour, Requires: canary.NoFailure}
	}
	return begin("reviews").Step(step(50, half), step(100, all))
}

// Without Scaling the autoscaler shrinks the stable that everybody would go back to. It removes pods
// that still have half of the traffic, so on a busy machine, where the mesh hears of that late, a
// request may fail.
func TestAnAutoscalerShrinksAnIdleStable(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	a.pods = func(kubernetes.Interface) workload.Config {
		return workload.Config{Capacity: workload.AtLeastOne}
	}
	_, kill := a.start(t, build(t, halfThenAll(time.Second, time.Hour).End(canary.End{Kind: canary.Discard})))
	a.seen.wait(t, share(100))
	a.await(t, func() bool { return a.ready.now() == bothPods{1, allPods} })
	kill()
	t.Logf("%v; fewest ready pods %v", a.load.Stop(), a.ready.least())
}

func TestCapacityFollowsTrafficWithBothVersionsAutoscaled(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	before := a.owned(t)
	ended, _ := a.start(t, build(t, halfThenAll(4*time.Second, 4*time.Second).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).Bake(6*time.Second)))
	end := <-ended
	require.Equal(t, allPods, a.ready.least().v1)
	require.NoError(t, end.err)
	require.Equal(t, phase.Promoted, end.state.Phase)
	require.Equal(t, "reviews:2", a.image(t))
	require.Equal(t, before, a.owned(t))
	a.await(t, func() bool { return a.ready.now() == bothPods{allPods, 1} })
	a.end(t)
	require.Equal(t, canary.Full, a.wrote.requireCapacity(t))
}

func TestReplicasOfACanaryWithoutAnAutoscalerAreGivenBack(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	hpas := a.kube.AutoscalingV2().HorizontalPodAutoscalers(a.namespace)
	require.NoError(t, hpas.Delete(t.Context(), "reviews-v2", metav1.DeleteOptions{}))
	stable, was := a.autoscaler(t, "reviews-v1"), a.deployment(t, "reviews-v2")
	require.EqualValues(t, 1, *was.Spec.Replicas)
	a.pods = func(kube kubernetes.Interface) workload.Config {
		c := a.bothScaled(kube)
		c.Scaling.Canary = workload.Replicas(kube.AppsV1().Deployments(a.namespace), a.namespace, "reviews-v2")
		return c
	}
	ended, _ := a.start(t, build(t, halfThenAll(time.Second, time.Hour).End(canary.End{Kind: canary.Discard})))
	a.seen.wait(t, share(100))
	require.EqualValues(t, allPods, *a.deployment(t, "reviews-v2").Spec.Replicas)
	a.abort(t)
	end := <-ended
	require.ErrorIs(t, end.err, canary.ErrRolledBack)
	require.Equal(t, allPods, a.ready.least().v1)
	is := a.deployment(t, "reviews-v2")
	require.Equal(t, was.Spec, is.Spec)
	require.Equal(t, owned(was.ObjectMeta), owned(is.ObjectMeta))
	require.Equal(t, owned(stable.ObjectMeta), owned(a.autoscaler(t, "reviews-v1").ObjectMeta))
	require.Equal(t, stable.Spec, a.autoscaler(t, "reviews-v1").Spec)
	a.end(t)
	require.Equal(t, canary.Full, a.wrote.requireCapacity(t))
}

func TestADriverThatDiesWhileItScalesLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	before, left := a.owned(t), a.room(0)
	plan := build(t, halfThenAll(time.Second, time.Hour).End(canary.End{Kind: canary.Discard}))
	ended, kill := a.start(t, plan)
	a.await(t, func() bool { return a.pending(t) == 2 })
	a.awaitSaid(t, "it is being scaled up", 1)
	kill()
	<-ended
	require.EqualValues(t, 3, a.least(t, "reviews-v2"))
	left.Store(2) // for half of the traffic
	ended, _ = a.start(t, plan)
	a.await(t, func() bool { return a.least(t, "reviews-v2") == allPods && a.pending(t) == 3 })
	require.Equal(t, share(50), a.traffic(t))
	a.abort(t)
	end := <-ended
	require.ErrorIs(t, end.err, canary.ErrRolledBack)
	require.Equal(t, before, a.owned(t))
	require.Equal(t, allPods, a.ready.least().v1)
	a.await(t, func() bool { return a.ready.now() == bothPods{allPods, 1} && a.pending(t) == 0 })
	a.end(t)
	require.Equal(t, 50*canary.Percent, a.wrote.requireCapacity(t))
}

// A tool that holds the owner's value wins, and the reason says so.
func TestAFieldThatSomebodySetsBackIsNotFoughtOver(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	before := a.owned(t)
	a.room(0)
	ended, _ := a.start(t, build(t, halfThenAll(time.Hour, time.Hour).End(canary.End{Kind: canary.Discard})))
	const canarys = "horizontalpodautoscalers reviews-v2"
	hpas := a.kube.AutoscalingV2().HorizontalPodAutoscalers(a.namespace)
	for range 4 {
		a.await(t, func() bool { return a.least(t, "reviews-v2") == 3 })
		_, err := hpas.Patch(t.Context(), "reviews-v2", types.MergePatchType, []byte(`{"spec":{"minReplicas":1}}`), metav1.PatchOptions{FieldManager: "gitops"})
		require.NoError(t, err)
	}
	a.awaitSaid(t, "canary reviews-v2: 1 of 1 replicas available", 1)
	a.awaitSaid(t, "HorizontalPodAutoscaler reviews-v2 keeps at least 1 replicas, and 3 are needed: somebody has set it back from 3 to 1 4 times", 1)
	written := a.wrote.patchesOf(canarys)
	require.Equal(t, 5, written, "it is remembered, raised, and raised again three times")
	turns := a.turns.Load()
	a.await(t, func() bool { return a.turns.Load() > turns+10 })
	require.Equal(t, written, a.wrote.patchesOf(canarys))
	a.abort(t)
	require.ErrorIs(t, (<-ended).err, canary.ErrRolledBack)
	require.Equal(t, before, a.owned(t))
	a.end(t)
	require.Zero(t, a.wrote.requireCapacity(t))
}

// If stable shrinks all the same, because a tool does not let it keep its pods, users return to it
// as its autoscaler adds them.
func TestUsersReturnToAStableThatShrankAsItGrows(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	before := a.owned(t)
	ended, _ := a.start(t, build(t, halfThenAll(time.Second, time.Hour).End(canary.End{Kind: canary.Discard})))
	a.seen.wait(t, share(100))
	a.setBack(t, "reviews-v1")
	a.awaitSaid(t, "HorizontalPodAutoscaler reviews-v1 keeps at least 1 replicas, and 6 are needed: somebody has set it back from 6 to 1 4 times", 1)
	a.await(t, func() bool { // the status is what a driver sees, and follows the pods
		stable, err := a.kube.AppsV1().Deployments(a.namespace).Get(t.Context(), "reviews-v1", metav1.GetOptions{})
		require.NoError(t, err)
		return a.ready.now().v1 == 1 && stable.Status.ReadyReplicas == 1
	})
	written := a.wrote.patchesOf("horizontalpodautoscalers reviews-v1")
	require.Equal(t, 5, written, "it is remembered, raised, and raised again three times")
	a.abort(t)
	require.ErrorIs(t, (<-ended).err, canary.ErrRolledBack)
	require.Equal(t, before, a.owned(t))
	require.Equal(t, written+1, a.wrote.patchesOf("horizontalpodautoscalers reviews-v1"))
	a.end(t)
	require.Equal(t, canary.Full, a.wrote.requireCapacity(t))
	require.Greater(t, len(a.wrote.back()), 2, "in parts: %v", a.wrote.back())
}

// Somebody may delete the canary with all that belongs to it before the rollout is over.
func TestAnAutoscalerThatIsGoneIsGivenNothingBack(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	before := a.owned(t)
	ended, _ := a.start(t, build(t, halfThenAll(time.Second, time.Hour).End(canary.End{Kind: canary.Discard})))
	a.seen.wait(t, share(50))
	require.NoError(t, a.kube.AutoscalingV2().HorizontalPodAutoscalers(a.namespace).Delete(t.Context(), "reviews-v2", metav1.DeleteOptions{}))
	a.awaitSaid(t, `horizontalpodautoscalers.autoscaling "reviews-v2" not found`, 1)
	a.abort(t)
	require.ErrorIs(t, (<-ended).err, canary.ErrRolledBack)
	stable := a.autoscaler(t, "reviews-v1")
	require.Equal(t, before[0].Spec, stable.Spec)
	require.Equal(t, before[0].ObjectMeta, owned(stable.ObjectMeta))
	a.end(t)
	require.Equal(t, 50*canary.Percent, a.wrote.requireCapacity(t))
}

func TestWithoutTheRightToScaleNothingIsGiven(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	before := a.owned(t)
	plan := build(t, halfThenAll(time.Second, time.Hour).End(canary.End{Kind: canary.Discard}))
	a.prepare(t, plan)
	var scales authorizationv1.ResourceAttributes
	for _, right := range a.rights {
		if right.Verb == "patch" && right.Resource == "horizontalpodautoscalers" && right.Name == "reviews-v2" {
			scales = right
		}
	}
	missing := fmt.Sprintf(`horizontalpodautoscalers.autoscaling "reviews-v2" is forbidden: User %q cannot patch resource`, a.config.Impersonate.UserName)
	leave(t, a.config, a.rights, scales)
	ended, _ := a.start(t, plan)
	a.awaitSaid(t, missing, 1)
	require.Equal(t, before[1], a.owned(t)[1])
	require.Zero(t, a.traffic(t))

	leave(t, a.config, a.rights)
	a.seen.wait(t, share(50))
	leave(t, a.config, a.rights, scales)
	a.awaitSaid(t, missing, 2)
	require.Equal(t, share(50), a.traffic(t))
	require.EqualValues(t, 3, a.least(t, "reviews-v2"))

	leave(t, a.config, a.rights)
	a.seen.wait(t, share(100))
	leave(t, a.config, a.rights, scales)
	a.abort(t)
	a.awaitSaid(t, "CleaningUp: cleaning up: no answer: workload: HorizontalPodAutoscaler "+a.namespace+"/reviews-v2", 1)
	require.Equal(t, before[0], a.owned(t)[0], "it does not wait for the other")
	leave(t, a.config, a.rights)
	require.ErrorIs(t, (<-ended).err, canary.ErrRolledBack)
	require.Equal(t, before, a.owned(t))
	a.end(t)
	require.Equal(t, canary.Full, a.wrote.requireCapacity(t))
}

// The quota is counted by the real controller.
func TestAQuotaWithoutRoomRefusesTheRollout(t *testing.T) {
	t.Parallel()
	a := newAutoscaled(t)
	before := a.owned(t)
	quotas := a.kube.CoreV1().ResourceQuotas(a.namespace)
	_, err := quotas.Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "all"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("12")}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	a.await(t, func() bool {
		all, err := quotas.Get(t.Context(), "all", metav1.GetOptions{})
		used := all.Status.Used[corev1.ResourcePods]
		return err == nil && used.Value() == allPods+3
	})
	a.pods = func(kube kubernetes.Interface) workload.Config {
		c := a.bothScaled(kube)
		c.Quotas = kube.CoreV1().ResourceQuotas(a.namespace)
		return c
	}
	ended, _ := a.start(t, build(t, halfThenAll(time.Second, time.Hour).End(canary.End{Kind: canary.Discard})))
	end := <-ended
	require.ErrorIs(t, end.err, canary.ErrRefused)
	require.ErrorContains(t, end.err, "ResourceQuota all has no room for 5 more: 3 of pods are left, and 5 are needed")
	require.Equal(t, before, a.owned(t))
	require.Zero(t, a.traffic(t))
	a.end(t)
}
