package workload_test

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake/apiserver"
)

const example = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1, namespace: bookinfo}
spec: {replicas: 3, selector: {matchLabels: {v: v1}}, template: {metadata: {labels: {v: v1}}, spec: {containers: [{name: reviews, image: "reviews:1.0"}]}}}
status: {observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v2, namespace: bookinfo}
spec: {replicas: 3, selector: {matchLabels: {v: v2}}, template: {metadata: {labels: {v: v2}}, spec: {containers: [{name: reviews, image: "reviews:2.0"}]}}}
status: {observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3}
`

// The engine makes these calls; the serials come from its State.
func ExampleNew() {
	ctx := context.Background()
	server := apiserver.New() // in place of a cluster
	if err := server.Load([]byte(example)); err != nil {
		fmt.Println(err)
		return
	}
	client := kubernetes.NewForConfigOrDie(server.Config())
	w, err := workload.New(client.AppsV1().Deployments("bookinfo"), workload.Config{
		Namespace: "bookinfo", Stable: "reviews-v1", Canary: "reviews-v2",
		Images: map[string]string{"reviews": "reviews:2.0"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	say := func(a canary.Answer, err error) { fmt.Println(a.Reply == canary.Yes, a.Reason, err) }
	begun := canary.Question{Fence: canary.Fence{Rollout: "42", Serial: 1}, Promotes: true}
	if _, _, err := w.Pin(ctx, begun); err != nil {
		fmt.Println(err)
	}
	say(w.Ready(ctx, canary.Question{Traffic: canary.Traffic{Canary: 20 * canary.Percent}}))
	say(w.Promote(ctx, canary.Question{Fence: canary.Fence{Rollout: "42", Serial: 7}}))
	say(w.Promote(ctx, canary.Question{Fence: canary.Fence{Rollout: "42", Serial: 7}})) // this server has no Deployment controller
	say(w.Restore(ctx, canary.Question{Fence: canary.Fence{Rollout: "42", Serial: 9}}))
	say(w.Promote(ctx, canary.Question{Fence: canary.Fence{Rollout: "42", Serial: 8}}))
	// Output:
	// true canary reviews-v2: 3 of 3 replicas available <nil>
	// false stable reviews-v1: its pod template is updated; waiting for the new pods <nil>
	// false stable reviews-v1: its latest spec has not been observed yet <nil>
	// false stable reviews-v1: its pod template is updated; waiting for the new pods <nil>
	// false  workload: Deployment bookinfo/reviews-v1: serial 9 was acted on already
}

func ExampleStatus() {
	replicas := int32(3)
	d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &replicas}}
	d.Status = appsv1.DeploymentStatus{Replicas: 4, UpdatedReplicas: 3, AvailableReplicas: 1}
	fmt.Println(workload.Status(d).Reason)
	d.Status.Replicas = 3
	fmt.Println(workload.Status(d).Reason)
	d.Status.AvailableReplicas = 3
	fmt.Println(workload.Status(d).Reply == canary.Yes)
	// Output:
	// 1 old replicas pending termination
	// 1 of 3 replicas available
	// true
}

// threePods stands for CoreV1().Pods(namespace) of client-go.
type threePods struct{}

func (threePods) List(_ context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	version, controller := opts.LabelSelector[len("v="):], true
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Labels:          map[string]string{"v": version, "pod-template-hash": "5d4f"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "reviews-" + version + "-5d4f", Controller: &controller}},
	}}
	if version == "v2" {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: "reviews", RestartCount: 4,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}},
		}}
	}
	return &corev1.PodList{Items: []corev1.Pod{pod, pod, pod}}, nil
}

// The engine calls Inspect in each turn. MaxRestarts lets restarts fail the canary; without it
// they are told.
func ExampleConfig_restarts() {
	server := apiserver.New() // in place of a cluster
	if err := server.Load([]byte(example)); err != nil {
		fmt.Println(err)
		return
	}
	client := kubernetes.NewForConfigOrDie(server.Config())
	for _, most := range []int{0, 10} {
		w, err := workload.New(client.AppsV1().Deployments("bookinfo"), workload.Config{
			Namespace: "bookinfo", Stable: "reviews-v1", Canary: "reviews-v2", Pods: threePods{}, MaxRestarts: most,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		seen, err := w.Inspect(context.Background(), canary.Question{})
		fmt.Printf("notice: %q\nfailed: %q\n%v\n", seen.Notice, seen.Failed, err)
	}
	// Output:
	// notice: "canary reviews-v2: container reviews (OOMKilled) restarted 12 times in 3 pods since the rollout began, stable reviews-v1 0 times in 3"
	// failed: ""
	// <nil>
	// notice: ""
	// failed: "canary reviews-v2: container reviews (OOMKilled) restarted 12 times in 3 pods since the rollout began, stable reviews-v1 0 times in 3; at most 10 are allowed"
	// <nil>
}
