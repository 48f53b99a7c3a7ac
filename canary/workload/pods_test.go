package workload_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

// listed is a workload.Pods of some pods.
type listed struct {
	pods  []corev1.Pod
	err   error
	null  bool // no list and no error
	hangs bool
	asked []metav1.ListOptions
}

func (l *listed) List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	l.asked = append(l.asked, opts)
	if l.hangs {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	if l.err != nil || l.null {
		return nil, l.err
	}
	selector, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	list := new(corev1.PodList)
	for _, p := range l.pods {
		if selector.Matches(labels.Set(p.Labels)) {
			list.Items = append(list.Items, p)
		}
	}
	return list, nil
}

var rolloutBegan = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// podOf is one of a Deployment, as its ReplicaSet makes it, whose container has been killed for
// want of memory.
func podOf(version string, restarts int32) corev1.Pod {
	killed := corev1.ContainerStatus{Name: "reviews", RestartCount: restarts}
	killed.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.NewTime(rolloutBegan.Add(time.Minute))}
	controller := true
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			CreationTimestamp: metav1.NewTime(rolloutBegan),
			Labels:            map[string]string{"app": "reviews", "version": version, appsv1.DefaultDeploymentUniqueLabelKey: "5d4f"},
			OwnerReferences:   []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "reviews-" + version + "-5d4f", Controller: &controller}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{killed}},
	}
}

// changed is a pod after a change.
func changedPod(p corev1.Pod, change func(*corev1.Pod)) corev1.Pod {
	change(&p)
	return p
}

// observed is a cluster in which pods are read, and its Deployments.
func observed(t *testing.T, pods *listed) (cluster, *workload.Deployments) {
	c := newCluster(t)
	config := both
	config.Pods, config.MaxRestarts = pods, 5
	return c, c.workload(config)
}

func forbidden() error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("no"))
}

const sixRestarts = "canary reviews-v2: container reviews (OOMKilled) restarted 6 times in 2 pods since the rollout began, stable reviews-v1 0 times in 1; at most 5 are allowed"

func TestAnInspectionTellsOfThePods(t *testing.T) {
	pods := &listed{pods: []corev1.Pod{podOf("v1", 0), podOf("v2", 4), podOf("v2", 2)}}
	c, w := observed(t, pods)
	q := canary.Question{Began: rolloutBegan, Fence: at(2)}
	inspected := func() canary.Inspection {
		t.Helper()
		seen, err := w.Inspect(t.Context(), q)
		require.NoError(t, err)
		return seen
	}
	require.Equal(t, canary.Inspection{Failed: sixRestarts}, inspected())
	require.Equal(t, []metav1.ListOptions{
		{LabelSelector: "app=reviews,version=v2", ResourceVersion: "0"}, {LabelSelector: "app=reviews,version=v1", ResourceVersion: "0"},
	}, pods.asked)

	pods.pods = []corev1.Pod{podOf("v1", 0), podOf("v2", 5)}
	require.Equal(t, canary.Inspection{Notice: "canary reviews-v2: container reviews (OOMKilled) restarted 5 times in 1 pod since the rollout began, stable reviews-v1 0 times in 1"}, inspected())

	for name, change := range map[string]func(*corev1.Pod){
		"no owner": func(p *corev1.Pod) { p.OwnerReferences = nil },
		"an owner of its own": func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "reviews-v2-5d4f", Controller: p.OwnerReferences[0].Controller}}
		},
		"another Deployment's": func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "reviews-v2-test-5d4f", Controller: p.OwnerReferences[0].Controller}}
		},
		"no template hash": func(p *corev1.Pod) { p.Labels = map[string]string{"app": "reviews", "version": "v2"} },
		"terminating":      func(p *corev1.Pod) { p.DeletionTimestamp = &p.CreationTimestamp },
		"evicted":          func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed },
	} {
		pods.pods = []corev1.Pod{podOf("v1", 0), podOf("v2", 0), changedPod(podOf("v2", 9), change)}
		require.Zero(t, inspected(), name)
	}

	pods.pods = []corev1.Pod{podOf("v1", 0), podOf("v2", 9)}
	q.Promoted = true
	require.Empty(t, inspected().Failed, "both run the same version")
	q.Promoted = false
	pin, _, err := w.Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.Equal(t, "9", pin.Restarts)
	q.Pin = pin
	c.setImage("reviews-v2", "reviews:v3")
	seen := inspected()
	require.NotEmpty(t, seen.CanaryChanged)
	require.Empty(t, seen.Failed, "nobody knows which version restarted")
}

func TestImagesOfBothArmsAreLookedAt(t *testing.T) {
	runs := func(version, digest string) corev1.Pod {
		return changedPod(podOf(version, 0), func(p *corev1.Pod) {
			p.Spec.Containers = []corev1.Container{{Name: "reviews", Image: "reviews:" + version}}
			p.Status.ContainerStatuses[0].ImageID = "reviews@sha256:" + strings.Repeat(digest, 64)
		})
	}
	_, w := observed(t, &listed{pods: []corev1.Pod{runs("v1", "1"), runs("v1", "2"), runs("v2", "3"), runs("v2", "4")}})
	seen, err := w.Inspect(t.Context(), canary.Question{})
	require.NoError(t, err)
	const mixed = "container reviews runs different images under the name reviews:"
	require.Equal(t, "canary reviews-v2: "+mixed+"v2: sha256:333333333333 in 1 pod, sha256:444444444444 in 1 pod; use a digest in place of the tag; "+
		"stable reviews-v1: "+mixed+"v1: sha256:111111111111 in 1 pod, sha256:222222222222 in 1 pod; use a digest in place of the tag", seen.Notice)
}

func TestPodsThatCannotBeListedAreNoErrorOfAnInspection(t *testing.T) {
	pods := &listed{err: forbidden()}
	c, w := observed(t, pods)
	notice := func() string {
		t.Helper()
		seen, err := w.Inspect(t.Context(), canary.Question{})
		require.NoError(t, err)
		require.Zero(t, canary.Inspection{Dead: seen.Dead, StableDead: seen.StableDead, Failed: seen.Failed})
		return seen.Notice
	}
	require.Equal(t, "restarts and images of the pods are not known: pods is forbidden: no", notice())
	require.Empty(t, notice(), "it is said once")
	pods.err = nil
	require.Empty(t, notice())
	pods.err = forbidden()
	require.NotEmpty(t, notice(), "the right was taken away again")
	pods.err = errors.New("timeout")
	for range 2 {
		require.Equal(t, "restarts and images of the pods are not known: timeout", notice())
	}
	pods.err, pods.null = nil, true
	require.Contains(t, notice(), "no list and no error")

	pin, a, err := w.Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	require.Empty(t, pin.Restarts)

	c.change("reviews-v2", func(d *appsv1.Deployment) { d.Spec.Selector = &metav1.LabelSelector{} })
	pods.asked = nil
	require.Contains(t, notice(), "reviews-v2 has no selector")
	require.Empty(t, pods.asked, "which would list the whole namespace")

	gone := both
	gone.Canary, gone.Pods = "reviews-v9", pods
	_, err = c.workload(gone).Inspect(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.Empty(t, pods.asked, "there is no canary")
}

// Users have to leave first; then it is time to look why.
func TestNobodyWaitsForPodsToLeaveADeadCanary(t *testing.T) {
	pods := &listed{pods: []corev1.Pod{podOf("v1", 0), podOf("v2", 4), podOf("v2", 2)}}
	c, w := observed(t, pods)
	c.change("reviews-v2", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })
	for _, traffic := range []canary.Traffic{{Canary: canary.Percent}, {Cohorts: "beta"}} {
		seen, err := w.Inspect(t.Context(), canary.Question{Traffic: traffic})
		require.NoError(t, err)
		require.NotEmpty(t, seen.Dead)
		require.Empty(t, pods.asked)
	}
	seen, err := w.Inspect(t.Context(), canary.Question{})
	require.NoError(t, err)
	require.NotEmpty(t, seen.Dead)
	require.Equal(t, sixRestarts, seen.Failed)
}

func TestPodsThatAreNotListedInTimeDoNotDelayADecision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := observed(t, &listed{hangs: true})
		began := time.Now()
		seen, err := w.Inspect(t.Context(), canary.Question{})
		require.NoError(t, err)
		require.Contains(t, seen.Notice, context.DeadlineExceeded.Error())
		require.LessOrEqual(t, time.Since(began), 6*time.Second)
	})
}

func TestAPreflightCheckWarnsOfPodsThatCannotBeListed(t *testing.T) {
	pods := &listed{err: forbidden()}
	_, w := observed(t, pods)
	found, err := w.Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Equal(t, []canary.Finding{{Problem: "the pods of stable reviews-v1 cannot be listed, so nobody looks at restarts and images: pods is forbidden: no"}}, found)
	pods.err = nil
	found, err = w.Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestOnlyWhoReadsPodsNeedsTheRight(t *testing.T) {
	list := authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods", Namespace: "bookinfo"}
	c, w := observed(t, &listed{})
	require.Contains(t, w.Rights(canary.Plan{}), list)
	require.NotContains(t, c.workload(both).Rights(canary.Plan{}), list)
}

func TestMistakesAboutRestartsAreTold(t *testing.T) {
	for n, pods := range map[int]workload.Pods{-1: &listed{}, 1: nil} {
		config := both
		config.Pods, config.MaxRestarts = pods, n
		_, err := workload.New(newCluster(t).client, config)
		require.ErrorContains(t, err, "workload: MaxRestarts is ")
	}
}
