package e2e_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/rights"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// newReadPods is newPods with the pods read.
func newReadPods(t *testing.T, config *rest.Config, namespace string) *workload.Deployments {
	kube, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	w, err := workload.New(kube.AppsV1().Deployments(namespace), workload.Config{
		Namespace: namespace, Stable: "reviews-v1", Canary: "reviews-v2",
		Pods: kube.CoreV1().Pods(namespace), MaxRestarts: 5,
	})
	require.NoError(t, err)
	return w
}

// killed lets the kubelet report that the container of each pod of v2 was killed n times for
// want of memory.
func killed(ctx context.Context, kube kubernetes.Interface, namespace string, n int32) error {
	pods := kube.CoreV1().Pods(namespace)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "version=v2"})
	if err != nil {
		return err
	}
	for i := range list.Items {
		pod := &list.Items[i]
		for j := range pod.Status.ContainerStatuses {
			s := &pod.Status.ContainerStatuses[j]
			s.RestartCount = n
			s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137, FinishedAt: metav1.NewTime(time.Now().Add(time.Second))}
		}
		if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// The judge is content: no call is lost. The driver has the right to list pods, and no more than
// its Role says.
func TestACanaryWhosePodsAreKilledIsRolledBack(t *testing.T) {
	p := controlPlane(t)
	namespace := p.Namespace(t)
	p.Serve(namespace, "reviews:1", traffic.Version("v1"))
	p.Serve(namespace, "reviews:2", traffic.Version("v2"))
	p.Apply(t, namespace, reviews)
	_, kube := clients(t)
	plan, err := newPlan()
	require.NoError(t, err)
	nowhere, err := newRouter(&rest.Config{}, namespace)
	require.NoError(t, err)
	config := driver(t, rights.Of(plan, nowhere, newReadPods(t, &rest.Config{}, namespace)))
	router, err := newRouter(config, namespace)
	require.NoError(t, err)

	var once sync.Once
	var failed error
	kills := func(ctx context.Context, e canary.Event) {
		if e.Traffic.Canary > 0 {
			once.Do(func() { failed = killed(ctx, kube, namespace, 2) })
		}
	}
	runner, err := canary.NewRunner(canary.Config{
		Plan: plan, Router: router, Workload: newReadPods(t, config, namespace), Analyzer: &canarytest.Judge{}, Observers: []canary.Observer{kills},
	})
	require.NoError(t, err)
	_, err = runner.Run(t.Context())
	require.NoError(t, failed)
	require.ErrorIs(t, err, canary.ErrRolledBack)
	require.ErrorContains(t, err, "canary reviews-v2: container reviews (OOMKilled) restarted 6 times in 3 pods since the rollout began, stable reviews-v1 0 times in 3; at most 5 are allowed")
	read, err := router.Read(t.Context())
	require.NoError(t, err)
	require.Zero(t, read.Traffic)
}
