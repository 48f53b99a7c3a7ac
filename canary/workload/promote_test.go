package workload_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake/apiserver"
)

type call func(context.Context, canary.Question) (canary.Answer, error)

// at is the fence of the rollout that most tests are about.
func at(serial int64) canary.Fence { return canary.Fence{Rollout: "first", Serial: serial} }

// says requires the answer of a call that must not fail.
func says(t *testing.T, want canary.Reply, do call, serial int64) string {
	t.Helper()
	return saysTo(t, want, do, at(serial))
}

// saysTo is says for another rollout.
func saysTo(t *testing.T, want canary.Reply, do call, f canary.Fence) string {
	t.Helper()
	a, err := do(t.Context(), canary.Question{Fence: f})
	require.NoError(t, err)
	require.Equal(t, want, a.Reply, a.Reason)
	return a.Reason
}

func TestPromoteCopiesTheImagesOfTheSameContainersAndWaits(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	before := c.get("reviews-v1")

	require.Equal(t, "stable reviews-v1: its pod template is updated; waiting for the new pods", says(t, canary.Wait, w.Promote, 7))
	require.Equal(t, map[string]string{"migrate": "migrate:v2", "reviews": "reviews:v2", "only-v1": "only:v1"}, c.images("reviews-v1"))
	require.Equal(t, 1, c.writes())

	require.Equal(t, "stable reviews-v1: its latest spec has not been observed yet", says(t, canary.Wait, w.Promote, 7))
	require.Zero(t, c.writes(), "nothing is left to write while it rolls out")

	c.finish("reviews-v1")
	require.Equal(t, "stable reviews-v1: 3 of 3 replicas available; not carried over from the canary: container only-v2, env of container reviews, container only-v1 (stable keeps it)",
		says(t, canary.Yes, w.Promote, 7), "P4")
	require.Zero(t, c.writes())

	after := c.get("reviews-v1")
	after.Spec.Template.Spec.InitContainers[0].Image = "migrate:v1"
	after.Spec.Template.Spec.Containers[0].Image = "reviews:v1"
	require.Equal(t, before.Spec, after.Spec, "nothing else is changed")
}

func TestRestorePutsBackWhatPromoteReplaced(t *testing.T) {
	for name, template := range map[string]bool{"images": false, "template": true} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			config := both
			config.Template = template
			w := c.workload(config)
			before := c.get("reviews-v1")
			says(t, canary.Wait, w.Promote, 7)
			require.NotEqual(t, before.Spec, c.get("reviews-v1").Spec)
			c.writes()

			says(t, canary.Wait, w.Restore, 9)
			require.Equal(t, before.Spec, c.get("reviews-v1").Spec)
			require.Equal(t, 1, c.writes())
			says(t, canary.Wait, w.Restore, 9)
			c.finish("reviews-v1")
			require.Equal(t, "stable reviews-v1: 3 of 3 replicas available", says(t, canary.Yes, w.Restore, 9))
			require.Zero(t, c.writes())
		})
	}
}

func TestPromoteByTemplateCopiesAllButTheLabels(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Template = true
	says(t, canary.Wait, c.workload(config).Promote, 7)
	want := c.get("reviews-v2").Spec.Template
	want.Labels = map[string]string{"app": "reviews", "version": "v1"}
	require.Equal(t, want, c.get("reviews-v1").Spec.Template)
}

func TestPromoteGivesTheNamedImagesOnly(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Images = map[string]string{"reviews": "reviews:v2"}
	says(t, canary.Wait, c.workload(config).Promote, 7)
	require.Equal(t, map[string]string{"migrate": "migrate:v1", "reviews": "reviews:v2", "only-v1": "only:v1"}, c.images("reviews-v1"))
}

func TestPromoteRefusesWhatWasNotJudged(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Images = map[string]string{"reviews": "reviews:v2"}
	c.setImage("reviews-v2", "reviews:v3")
	c.finish("reviews-v2")
	require.Equal(t, `canary reviews-v2: container reviews has image "reviews:v3"; this rollout is for "reviews:v2"`,
		says(t, canary.No, c.workload(config).Promote, 7))
	require.Zero(t, c.writes())
}

func TestPromoteWaitsForAWholeCanary(t *testing.T) {
	c := newCluster(t)
	c.setImage("reviews-v2", "reviews:v3")
	c.begins(at(2))
	c.writes()
	require.Equal(t, "canary reviews-v2: its latest spec has not been observed yet", says(t, canary.Wait, c.workload(both).Promote, 7))
	require.Zero(t, c.writes())
}

func TestACanaryChangedWhileStableIsPromotedFailsThePromotion(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	says(t, canary.Wait, w.Promote, 7)
	c.setImage("reviews-v2", "reviews:v3")
	c.finish("reviews-v2")
	require.Equal(t, "canary reviews-v2: its pod template was changed after it was promoted to reviews-v1", says(t, canary.No, w.Promote, 8))
	says(t, canary.Wait, w.Restore, 9)
	require.Equal(t, "reviews:v1", c.images("reviews-v1")["reviews"])
}

func TestWhatSomebodyElseChangesIsPutBackWhileTheRolloutLasts(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	for _, step := range []struct {
		do   call
		at   int64
		want string
	}{{w.Promote, 7, "reviews:v2"}, {w.Promote, 7, "reviews:v2"}, {w.Restore, 8, "reviews:v1"}, {w.Restore, 8, "reviews:v1"}} {
		says(t, canary.Wait, step.do, step.at)
		require.Equal(t, step.want, c.images("reviews-v1")["reviews"])
		c.setImage("reviews-v1", "reviews:by-hand")
	}
}

func TestAFailedRolloutOfStableIsANo(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	says(t, canary.Wait, w.Promote, 7)
	c.change("reviews-v1", func(d *appsv1.Deployment) {
		d.Status.ObservedGeneration = d.Generation
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse,
			Reason: "ProgressDeadlineExceeded"}}
	})
	require.Equal(t, "stable reviews-v1: exceeded its progress deadline", says(t, canary.No, w.Promote, 7))
}

func TestStableScaledToZeroIsNotFitForTraffic(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	says(t, canary.Wait, w.Promote, 7)
	c.change("reviews-v1", func(d *appsv1.Deployment) { *d.Spec.Replicas = 0; d.Status = finished(d.Generation+1, 0) })
	require.Equal(t, "stable reviews-v1: scaled to zero; it needs a replica to take traffic", says(t, canary.Wait, w.Promote, 7))
}

func TestRestoreWithoutPromoteFencesAndSaysYes(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	c.change("reviews-v1", func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 2 })
	before := c.get("reviews-v1").Spec
	require.Equal(t, "stable reviews-v1: this rollout has not promoted it", says(t, canary.Yes, w.Restore, 8))
	require.Equal(t, 1, c.writes())
	says(t, canary.Yes, w.Restore, 8)
	require.Zero(t, c.writes())

	_, err := w.Promote(t.Context(), canary.Question{Fence: at(7)})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.EqualError(t, err, "workload: Deployment bookinfo/reviews-v1: serial 8 was acted on already")
	require.Equal(t, before, c.get("reviews-v1").Spec)
}

func TestOldSerialsAreRefusedAfterANewerOne(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	says(t, canary.Wait, w.Promote, 7)
	says(t, canary.Wait, w.Restore, 9)
	for _, late := range []call{w.Promote, w.Restore} {
		_, err := late(t.Context(), canary.Question{Fence: at(8)})
		require.ErrorIs(t, err, canary.ErrConflict)
	}
	c.finish("reviews-v1")
	c.begins(canary.Fence{Rollout: "retry", Serial: 10})
	saysTo(t, canary.Wait, w.Promote, canary.Fence{Rollout: "retry", Serial: 20})
	_, err := w.Restore(t.Context(), canary.Question{Fence: at(9)})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.Equal(t, "reviews:v2", c.images("reviews-v1")["reviews"])
}

// next begins a rollout of another version after one that was promoted at 7.
func next(t *testing.T) (cluster, *workload.Deployments) {
	c, w := done(t)
	c.setImage("reviews-v2", "reviews:v3")
	c.finish("reviews-v2")
	return c, w
}

func second(serial int64) canary.Fence { return canary.Fence{Rollout: "second", Serial: serial} }

func TestTheRecordOfTheLastRolloutDoesNotTakeANewOneTwoVersionsBack(t *testing.T) {
	c, w := next(t)
	require.Equal(t, "stable reviews-v1: this rollout has not promoted it", saysTo(t, canary.Yes, w.Restore, second(20)))
	require.Equal(t, "reviews:v2", c.images("reviews-v1")["reviews"])

	c.begins(second(21))
	saysTo(t, canary.Wait, w.Promote, second(30))
	require.Equal(t, "reviews:v3", c.images("reviews-v1")["reviews"])
	saysTo(t, canary.Wait, w.Restore, second(31))
	require.Equal(t, "reviews:v2", c.images("reviews-v1")["reviews"])
}

// done is a rollout that was promoted at 7.
func done(t *testing.T) (cluster, *workload.Deployments) {
	c := newCluster(t)
	w := c.workload(both)
	says(t, canary.Wait, w.Promote, 7)
	c.finish("reviews-v1")
	says(t, canary.Yes, w.Promote, 7)
	return c, w
}

// What stable runs already may be rolled out again; an abort of that puts back
// nothing of what the rollout before it had replaced.
func TestARolloutOfWhatRunsAlreadyIsAbortedToWhatRunsAlready(t *testing.T) {
	c, w := done(t)
	saysTo(t, canary.Yes, w.Restore, second(20))
	require.Equal(t, "reviews:v2", c.images("reviews-v1")["reviews"])
}

func TestACanaryThatIsChangedAfterThePromotionDoesNotKeepItFromBeingRestored(t *testing.T) {
	c, w := done(t)
	c.setImage("reviews-v2", "reviews:v3")
	says(t, canary.Wait, w.Restore, 8)
	require.Equal(t, "reviews:v1", c.images("reviews-v1")["reviews"])
}

func TestADriverThatSleptThroughTheEndDoesNotPromoteTheNextCanary(t *testing.T) {
	c, w := next(t)
	saysTo(t, canary.Yes, w.Restore, second(20))
	_, err := w.Promote(t.Context(), canary.Question{Fence: at(7)})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.Equal(t, "reviews:v2", c.images("reviews-v1")["reviews"])
}

func TestTwoRolloutsOfOneSerialDoNotBothAct(t *testing.T) {
	c, w := next(t)
	for _, do := range []call{w.Promote, w.Restore} {
		_, err := do(t.Context(), canary.Question{Fence: second(7)})
		require.ErrorIs(t, err, canary.FencedError{Serial: 7})
	}
	require.Equal(t, "reviews:v2", c.images("reviews-v1")["reviews"])
}

func TestAnotherWriterIsNotOverwritten(t *testing.T) {
	c := newCluster(t)
	faster := 0
	c.server.Hook(func(call apiserver.Call) apiserver.Fault {
		if call.Verb != "patch" || faster == 0 {
			return nil
		}
		faster--
		// The patch does not fit any more: a server says 422 rather than 409.
		c.change("reviews-v1", func(d *appsv1.Deployment) { d.Spec.Paused = !d.Spec.Paused })
		return nil
	})
	faster = 2
	says(t, canary.Wait, c.workload(both).Promote, 7)
	require.Equal(t, map[string]string{"migrate": "migrate:v2", "reviews": "reviews:v2", "only-v1": "only:v1"}, c.images("reviews-v1"))

	faster = 1000
	_, err := c.workload(both).Restore(t.Context(), canary.Question{Fence: at(8)})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.True(t, apierrors.IsConflict(err))
	require.Equal(t, 996, faster)
}

func TestTheRecordIsCompactJSON(t *testing.T) {
	c := newCluster(t)
	says(t, canary.Wait, c.workload(both).Promote, 7)
	var r map[string]any
	text := c.get("reviews-v1").Annotations[workload.Annotation]
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	require.Equal(t, map[string]any{"reviews": "reviews:v1", "migrate": "migrate:v1"}, r["images"])
	require.Less(t, len(text), 256)
}

// A rollout whose State was lost may have promoted stable half.
func TestAStableBetweenTwoVersionsOfAnotherRolloutIsNotWhole(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	says(t, canary.Wait, w.Promote, 7)
	c.change("reviews-v1", func(d *appsv1.Deployment) {
		d.Status.ObservedGeneration, d.Status.UpdatedReplicas = d.Generation+1, 1
	})
	require.Contains(t, saysTo(t, canary.Wait, w.Restore, second(20)), "another rollout left it between two versions: 1 of 3 replicas updated")
}

// E23: a State that somebody wrote promotes nothing: the rollout must have begun on stable.
func TestARolloutThatDidNotBeginHereIsNotPromoted(t *testing.T) {
	forged := canary.Fence{Rollout: "forged", Serial: 900}
	c := newCluster(t)
	w := c.workload(both)
	require.Contains(t, saysTo(t, canary.No, w.Promote, forged), "annotation serin-go.github.io/restore does not tell that this rollout began here")
	saysTo(t, canary.Yes, w.Restore, forged)
	forged.Serial++
	saysTo(t, canary.No, w.Promote, forged)
	require.Equal(t, "reviews:v1", c.images("reviews-v1")["reviews"])

	// And one that says that another version was pinned changes nothing of what was.
	c = newCluster(t)
	w = c.workload(both)
	c.setImage("reviews-v2", "reviews:evil")
	c.finish("reviews-v2")
	pin, _, err := c.workload(both).Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	a, err := w.Promote(t.Context(), canary.Question{Fence: at(7), Pin: pin})
	require.NoError(t, err)
	require.Equal(t, canary.No, a.Reply)
	require.Contains(t, a.Reason, "its pod template has changed since the rollout began")
}

// E8: the right to write Deployments is gone, and nothing has been promoted. There is a way
// back all the same.
func TestAStableThatWasNotTouchedIsRestoredWithoutARight(t *testing.T) {
	c := newCluster(t)
	fault("patch", apiserver.Refuse(apierrors.NewForbidden(appsv1.Resource("deployments"), "reviews-v1", errors.New("no right"))))(c)
	w := c.workload(both)
	_, err := w.Promote(t.Context(), canary.Question{Fence: at(7)})
	require.ErrorIs(t, err, canary.ErrForbidden)
	says(t, canary.Yes, w.Restore, 8)

	c, w = done(t)
	fault("patch", apiserver.Refuse(apierrors.NewForbidden(appsv1.Resource("deployments"), "reviews-v1", errors.New("no right"))))(c)
	_, err = w.Restore(t.Context(), canary.Question{Fence: at(8)})
	require.ErrorIs(t, err, canary.ErrForbidden, "what was promoted is not put back")
}

// Somebody removes the record of a promotion. Nobody says then that stable is what it was.
func TestAPromotionWhoseRecordIsGoneIsNotRestored(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	pin, _, err := w.Pin(t.Context(), canary.Question{Fence: at(2), Promotes: true})
	require.NoError(t, err)
	q := canary.Question{Fence: at(7), Pin: pin}
	_, err = w.Promote(t.Context(), q)
	require.NoError(t, err)
	c.change("reviews-v1", func(d *appsv1.Deployment) { delete(d.Annotations, workload.Annotation) })
	for name, ask := range map[string]call{"promote": w.Promote, "restore": w.Restore} {
		a, err := ask(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, canary.No, a.Reply, name)
	}
	c.setImage("reviews-v1", "reviews:v1")
	c.change("reviews-v1", func(d *appsv1.Deployment) { d.Spec.Template.Spec.InitContainers[0].Image = "migrate:v1" })
	a, err := w.Restore(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply, "somebody has restored it by hand")

	seen, err := w.Inspect(t.Context(), canary.Question{Fence: at(9), Pin: pin, Promotes: true})
	require.NoError(t, err)
	require.Empty(t, seen.StableChanged, "the record is of this rollout again")
	c.change("reviews-v1", func(d *appsv1.Deployment) { delete(d.Annotations, workload.Annotation) })
	seen, err = w.Inspect(t.Context(), canary.Question{Fence: at(9), Pin: pin, Promotes: true})
	require.NoError(t, err)
	require.Contains(t, seen.StableChanged, "somebody has removed or replaced annotation serin-go.github.io/restore")
}

// "kubectl rollout undo" brings back the annotations of the old revision as well.
func TestAnUndoInTheBakeTimeIsSeen(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	pin, _, err := w.Pin(t.Context(), canary.Question{Fence: at(2), Promotes: true})
	require.NoError(t, err)
	before := c.get("reviews-v1")
	c.finish("reviews-v1")
	_, err = w.Promote(t.Context(), canary.Question{Fence: at(7), Pin: pin})
	require.NoError(t, err)
	baking := canary.Question{Fence: at(9), Pin: pin, Promoted: true}
	seen, err := w.Inspect(t.Context(), baking)
	require.NoError(t, err)
	require.Empty(t, seen.StableChanged)
	c.change("reviews-v1", func(d *appsv1.Deployment) {
		metav1.SetMetaDataAnnotation(&d.Spec.Template.ObjectMeta, "kubectl.kubernetes.io/restartedAt", "2026-05-04T12:00:00Z")
	})
	seen, err = w.Inspect(t.Context(), baking)
	require.NoError(t, err)
	require.Empty(t, seen.StableChanged, "a restart is no change")
	c.change("reviews-v1", func(d *appsv1.Deployment) {
		d.Spec.Template, d.Annotations = before.Spec.Template, before.Annotations
	})
	c.setImage("reviews-v2", "reviews:v3")
	seen, err = w.Inspect(t.Context(), baking)
	require.NoError(t, err)
	require.Contains(t, seen.StableChanged, "somebody has changed its pod template since it was promoted")
}
