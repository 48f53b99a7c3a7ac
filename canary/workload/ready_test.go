package workload_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake/apiserver"
)

var live = canary.Traffic{Canary: 5 * canary.Percent}

func TestReadyWantsTheWholeCanary(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*appsv1.Deployment)
		want   canary.Answer
	}{
		"whole":             {func(*appsv1.Deployment) {}, canary.Answer{Reply: canary.Yes, Reason: "canary reviews-v2: 3 of 3 replicas available"}},
		"not all available": {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }, canary.Wait.Because("canary reviews-v2: 1 of 3 replicas available")},
		"scaled to zero": {
			func(d *appsv1.Deployment) {
				*d.Spec.Replicas, d.Status.Replicas = 0, 0
				d.Status = finished(d.Generation+1, 0)
			},
			canary.Wait.Because("canary reviews-v2: scaled to zero; it needs a replica to take traffic"),
		},
		"failed": {
			func(d *appsv1.Deployment) {
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing,
					Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}}
			},
			canary.No.Because("canary reviews-v2: exceeded its progress deadline"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c0 := newCluster(t)
			c0.change("reviews-v2", c.change)
			for _, traffic := range []canary.Traffic{live, {Mirror: canary.Full}, {Cohorts: "staff"}} {
				a, err := c0.workload(both).Ready(t.Context(), canary.Question{Traffic: traffic})
				require.NoError(t, err)
				require.Equal(t, c.want, a)
			}
			require.Zero(t, c0.writes())
		})
	}
}

func TestReadyAsksNothingWhenTheCanaryGetsNothing(t *testing.T) {
	c := newCluster(t)
	c.server.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	a, err := c.workload(both).Ready(t.Context(), canary.Question{Traffic: canary.Traffic{}})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
}

func TestReadyWaitsForACanaryThatIsNotThereYet(t *testing.T) {
	c := newCluster(t)
	require.NoError(t, c.server.Delete(deployments, "bookinfo", "reviews-v2"))
	a, err := c.workload(both).Ready(t.Context(), canary.Question{Traffic: live})
	require.NoError(t, err)
	require.Equal(t, canary.Wait.Because("canary reviews-v2: there is no such Deployment in namespace bookinfo"), a)
}

func TestReadyWaitsForTheVersionOfThisRollout(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Images = map[string]string{"reviews": "reviews:v3"}
	w := c.workload(config)
	config.Images["reviews"] = "changed after New"
	a, err := w.Ready(t.Context(), canary.Question{Traffic: live})
	require.NoError(t, err)
	require.Equal(t, canary.Wait.Because(`canary reviews-v2: container reviews has image "reviews:v2"; this rollout is for "reviews:v3"`), a)

	c.setImage("reviews-v2", "reviews:v3")
	c.finish("reviews-v2")
	a, err = w.Ready(t.Context(), canary.Question{Traffic: live})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
}

func TestReadyTellsWhichObjectCouldNotBeRead(t *testing.T) {
	c := newCluster(t)
	c.server.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	_, err := c.workload(both).Ready(t.Context(), canary.Question{Traffic: live})
	require.ErrorContains(t, err, "workload: Deployment bookinfo/reviews-v1: ")
	require.False(t, errors.Is(err, canary.ErrRefused), "a server's error passes")
}

func TestAStableDeploymentThatIsNotThereIsToldBeforeTheCanaryHasTraffic(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Stable = "reviews-1"
	_, err := c.workload(config).Ready(t.Context(), canary.Question{Traffic: live})
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, "workload: Deployment bookinfo/reviews-1: ")
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := workload.New(nil, workload.Config{Images: map[string]string{"": "x", "app": ""}})
	for _, mistake := range []string{
		"the client", "the namespace", "the stable Deployment", "the canary Deployment",
		`the container for image "x"`, `the image for container "app"`,
	} {
		require.ErrorContains(t, err, mistake)
	}
	_, err = workload.New(newCluster(t).client, workload.Config{Namespace: "a", Stable: "b", Canary: "b"})
	require.EqualError(t, err, `workload: stable and canary are both "b"`)
}

// What was not judged is neither given traffic nor promoted (E11).
func TestAnotherVersionOfTheCanaryIsAnotherRollout(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	pin, a, err := w.Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	require.Equal(t, "3", pin.Capacity)
	q := canary.Question{Traffic: canary.Traffic{Canary: canary.Full}, Fence: at(7), Pin: pin}

	c.change("reviews-v2", func(d *appsv1.Deployment) {
		metav1.SetMetaDataAnnotation(&d.Spec.Template.ObjectMeta, "kubectl.kubernetes.io/restartedAt", "2026-05-04T12:00:00Z")
	})
	a, err = w.Ready(t.Context(), q)
	require.NoError(t, err)
	require.NotEqual(t, canary.No, a.Reply, "a restart is the same version")

	c.change("reviews-v2", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "reviews:v3" })
	const why = "canary reviews-v2: its pod template has changed since the rollout began"
	for name, ask := range map[string]call{"ready": w.Ready, "promote": w.Promote} {
		a, err := ask(t.Context(), q)
		require.NoError(t, err, name)
		require.Equal(t, canary.No, a.Reply, name)
		require.Contains(t, a.Reason, why, name)
	}
	a, err = w.Restore(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply, "there is always a way back")
	_, err = w.Promote(t.Context(), canary.Question{Fence: at(8)})
	require.NoError(t, err, "traffic that was adopted has no pin")
}

func TestACanaryThatIsNotThereYetIsNotPinned(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Images = map[string]string{"reviews": "reviews:v9"}
	_, a, err := c.workload(config).Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.Equal(t, canary.Wait, a.Reply)
	require.Contains(t, a.Reason, `this rollout is for "reviews:v9"`)
}

// What is missing is told before the rollout begins; a canary may still come.
func TestDeploymentsAreCheckedBeforeTheRolloutBegins(t *testing.T) {
	c := newCluster(t)
	found, err := c.workload(both).Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Empty(t, found)
	other := both
	other.Stable, other.Canary = "reviews-v0", "reviews-v9"
	found, err = c.workload(other).Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Contains(t, found[0].Problem, "stable reviews-v0: there is no such Deployment")
	require.Contains(t, found[1].Problem, "canary reviews-v9: there is no such Deployment")
	require.Equal(t, []bool{true, false}, []bool{found[0].Refuses, found[1].Refuses})
	c.server.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	_, err = c.workload(both).Check(t.Context(), canary.Plan{})
	require.Error(t, err)
}

// P4: what a promotion will not carry over is told before the rollout begins, and one that is
// not possible is refused there.
func TestAPromotionIsCheckedBeforeTheRolloutBegins(t *testing.T) {
	plan, err := canary.Recommended("reviews").Build()
	require.NoError(t, err)
	c := newCluster(t)
	found, err := c.workload(both).Check(t.Context(), plan)
	require.NoError(t, err)
	require.Equal(t, []canary.Finding{{Problem: "a promotion of reviews-v1 will not carry over from reviews-v2: container only-v2, env of container reviews, container only-v1 (stable keeps it); set Config.Template to copy the whole pod template"}}, found)

	whole := both
	whole.Template = true
	found, err = c.workload(whole).Check(t.Context(), plan)
	require.NoError(t, err)
	require.Empty(t, found)

	c.change("reviews-v2", func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.ServiceAccountName = "reviews"
		d.Spec.Template.Spec.InitContainers = nil
		d.Spec.Template.Spec.Containers[0].Name = "other"
	})
	found, err = c.workload(both).Check(t.Context(), plan)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.True(t, found[0].Refuses)
	require.Contains(t, found[0].Problem, "stable reviews-v1 cannot be promoted to what reviews-v2 runs: ")
	c.change("reviews-v2", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Name = "reviews" })
	found, err = c.workload(both).Check(t.Context(), plan)
	require.NoError(t, err)
	require.Contains(t, found[0].Problem, "initContainer migrate (stable keeps it), serviceAccountName; set Config.Template")
}

// E32: what somebody has changed in stable since the rollout began is not overwritten by a
// promotion; a restart is no change, and the rollout's own promotion is none either.
func TestAStableThatSomebodyChangedHoldsThePromotion(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	pin, _, err := w.Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	q := canary.Question{Traffic: canary.Traffic{Canary: canary.Full}, Fence: at(7), Pin: pin, Promotes: true}
	c.change("reviews-v1", func(d *appsv1.Deployment) {
		metav1.SetMetaDataAnnotation(&d.Spec.Template.ObjectMeta, "kubectl.kubernetes.io/restartedAt", "2026-05-04T12:00:00Z")
	})
	a, err := w.Ready(t.Context(), q)
	require.NoError(t, err)
	require.NotContains(t, a.Reason, "stable")

	c.setImage("reviews-v1", "reviews:v1-fixed")
	before := c.get("reviews-v1").Spec
	for name, ask := range map[string]call{"ready": w.Ready, "promote": w.Promote} {
		a, err := ask(t.Context(), q)
		require.NoError(t, err, name)
		require.Equal(t, canary.Wait, a.Reply, name)
		require.Contains(t, a.Reason, "stable reviews-v1: somebody has changed its pod template since the rollout began", name)
	}
	require.Equal(t, before, c.get("reviews-v1").Spec)
	q.Promotes = false
	a, err = w.Ready(t.Context(), q)
	require.NoError(t, err)
	require.NotContains(t, a.Reason, "stable", "a trial overwrites nothing")

	c.setImage("reviews-v1", "reviews:v1")
	q.Promotes = true
	a, err = w.Promote(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, "stable reviews-v1: its pod template is updated; waiting for the new pods", a.Reason)
	a, err = w.Promote(t.Context(), q)
	require.NoError(t, err)
	require.NotContains(t, a.Reason, "somebody", "the change is the rollout's own")
}

// E9: dead is a canary without a ready pod, if stable has one.
func TestACanaryIsAliveWithAReadyPod(t *testing.T) {
	ready := func(n int32) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Status.ReadyReplicas = n }
	}
	for name, c := range map[string]struct {
		canary, stable int32
		seen           canary.Inspection
	}{
		"both":    {1, 3, canary.Inspection{}},
		"neither": {0, 0, canary.Inspection{StableDead: "neither stable reviews-v1 nor canary reviews-v2 has a ready pod"}},
		"dead":    {0, 3, canary.Inspection{Dead: "canary reviews-v2: no pod is ready, and stable reviews-v1 has 3"}},
		"alone":   {1, 0, canary.Inspection{StableDead: "stable reviews-v1: no pod is ready, and canary reviews-v2 has 1: mend stable, or order promote to give the canary all traffic"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCluster(t)
			k.change("reviews-v2", ready(c.canary))
			k.change("reviews-v1", ready(c.stable))
			seen, err := k.workload(both).Inspect(t.Context(), canary.Question{})
			require.NoError(t, err)
			require.Equal(t, c.seen, seen)
		})
	}
	k := newCluster(t)
	k.change("reviews-v1", ready(3))
	gone := both
	gone.Canary = "reviews-v9"
	seen, err := k.workload(gone).Inspect(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.NotEmpty(t, seen.Dead, "a Deployment that is gone has no pods")
	k.server.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	_, err = k.workload(both).Inspect(t.Context(), canary.Question{})
	require.Error(t, err)
}

// Whoever watches the canary looks when it changes, and also after a watch that ended.
func TestTheCanaryIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		config := both
		config.Watcher = c.client.(workload.Watcher)
		ctx, end := context.WithCancel(t.Context())
		woken := c.workload(config).Wake(ctx)
		<-woken // it is there
		for range 3 {
			c.setImage("reviews-v2", "reviews:v3")
			<-woken
			c.setImage("reviews-v1", "reviews:v3")
			c.setImage("reviews-v2", "reviews:v4")
			<-woken
		}
		end()
		for range woken {
		}
		_, open := <-c.workload(both).Wake(t.Context())
		require.False(t, open, "there is nobody to watch")
	})
}

// E11, E32, E33: whose version changed is seen in every turn.
func TestAnInspectionTellsWhoseVersionChanged(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	pin, _, err := w.Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	q := canary.Question{Traffic: canary.Traffic{Canary: canary.Full}, Fence: at(7), Pin: pin, Promotes: true}
	inspected := func() canary.Inspection {
		t.Helper()
		seen, err := w.Inspect(t.Context(), q)
		require.NoError(t, err)
		seen.Dead = ""
		return seen
	}
	require.Zero(t, inspected())
	c.setImage("reviews-v2", "reviews:v3")
	require.Equal(t, canary.Inspection{CanaryChanged: "canary reviews-v2: its pod template has changed since the rollout began; begin a new rollout for another version"}, inspected())
	c.setImage("reviews-v2", "reviews:v2")
	require.Zero(t, inspected(), "it is back")
	c.setImage("reviews-v1", "reviews:v1-fixed")
	require.Contains(t, inspected().StableChanged, "stable reviews-v1: somebody has changed its pod template since the rollout began")
	q.Promotes = false
	require.Zero(t, inspected(), "a trial overwrites nothing")
	c.setImage("reviews-v1", "reviews:v1")

	q.Promotes = true
	c.finish("reviews-v2")
	_, err = w.Promote(t.Context(), q)
	require.NoError(t, err)
	q.Promotes, q.Promoted = false, true
	require.Equal(t, "reviews:v2", c.get("reviews-v1").Spec.Template.Spec.Containers[0].Image)
	require.Zero(t, inspected(), "that is the rollout's own")
	c.setImage("reviews-v1", "reviews:v1")
	require.Equal(t, canary.Inspection{StableChanged: "stable reviews-v1: somebody has changed its pod template since it was promoted"}, inspected())
}

// E36: what stable's ready pods lack is told by what they were when the rollout began.
func TestAnInspectionTellsWhatStableLacks(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	pin, _, err := w.Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.Equal(t, "3", pin.Capacity)
	for ready, lacking := range map[int32]canary.Weight{0: canary.Full, 1: 583_333, 2: 166_666, 3: 0, 9: 0} {
		c.change("reviews-v1", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = ready })
		seen, err := w.Inspect(t.Context(), canary.Question{Pin: pin})
		require.NoError(t, err)
		require.Equal(t, lacking, seen.Shortfall, "%d ready", ready)
	}
	for _, capacity := range []string{"many", "-1", "99999999999"} {
		_, err = w.Inspect(t.Context(), canary.Question{Pin: canary.Pin{Capacity: capacity}})
		require.ErrorIs(t, err, canary.ErrBadState)
		require.ErrorContains(t, err, capacity)
	}
	c.change("reviews-v1", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })
	seen, err := w.Inspect(t.Context(), canary.Question{Pin: canary.Pin{Capacity: "0"}})
	require.NoError(t, err)
	require.Zero(t, seen.Shortfall, "it had none")
}
