package plane

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// podMetrics stands in for a metrics server, which serves such objects and stores none.
const podMetrics = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: pods.metrics.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, a stand-in for tests"}
spec:
  group: metrics.k8s.io
  scope: Namespaced
  names: {plural: pods, kind: PodMetrics}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

var metrics = schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods"}

// Usage is what the pods of a namespace use, as the resource metrics API tells autoscalers. It
// is safe for concurrent use.
type Usage struct {
	pods      func() ([]*corev1.Pod, error)
	client    dynamic.ResourceInterface
	namespace string
	told      map[string]bool // names of the pods that have an object

	mu    sync.Mutex
	milli map[string]int64 // by Deployment
}

// Usage tells what the pods of a namespace use, several times a second, until the test ends.
func (p *Plane) Usage(t testing.TB, namespace string) *Usage {
	t.Helper()
	client, err := dynamic.NewForConfig(p.config)
	if err == nil {
		err = p.serveMetrics(t.Context(), client)
	}
	if err != nil {
		t.Fatal(err)
	}
	lister := p.kubelet.factory.Core().V1().Pods().Lister().Pods(namespace)
	u := &Usage{
		pods:      func() ([]*corev1.Pod, error) { return lister.List(labels.Everything()) },
		client:    client.Resource(metrics).Namespace(namespace),
		namespace: namespace, told: map[string]bool{}, milli: map[string]int64{},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var telling sync.WaitGroup
	telling.Go(func() { u.tellUntil(ctx, t) })
	t.Cleanup(telling.Wait)
	t.Cleanup(cancel)
	return u
}

// Set makes the ready pods of a Deployment use so many thousandths of a CPU together from now on.
func (u *Usage) Set(deployment string, milli int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.milli[deployment] = milli
}

// serveMetrics creates what stands in for a metrics server, unless it is there.
func (p *Plane) serveMetrics(ctx context.Context, client dynamic.Interface) error {
	objects, err := readObjects(strings.NewReader(podMetrics))
	if err != nil {
		return err
	}
	for _, o := range objects {
		if _, err := client.Resource(crds).Create(ctx, o, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return until(ctx, func(ctx context.Context) error {
		_, err := client.Resource(metrics).List(ctx, metav1.ListOptions{})
		return err
	})
}

func (u *Usage) tellUntil(ctx context.Context, t testing.TB) {
	const every = 300 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := u.tell(ctx); err != nil && ctx.Err() == nil && !passing(err) {
			t.Errorf("usage of pods in %s: %v", u.namespace, err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tell writes an object for each ready pod, and deletes those of other pods.
func (u *Usage) tell(ctx context.Context) error {
	pods, err := u.pods()
	if err != nil {
		return err
	}
	ready := map[string][]*corev1.Pod{}
	for _, pod := range pods {
		if Ready(pod) {
			workload := describe(pod).Workload
			ready[workload] = append(ready[workload], pod)
		}
	}
	stays := map[string]bool{}
	for workload, pods := range ready {
		milli, ok := u.of(workload)
		if !ok {
			continue
		}
		for i, pod := range pods {
			share := (milli + int64(i)) / int64(len(pods)) // they add up to the whole
			if _, err := u.client.Apply(ctx, pod.Name, used(pod, share), metav1.ApplyOptions{FieldManager: "kubelet", Force: true}); err != nil {
				return err
			}
			u.told[pod.Name], stays[pod.Name] = true, true
		}
	}
	for name := range u.told {
		if stays[name] {
			continue
		}
		if err := u.client.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		delete(u.told, name)
	}
	return nil
}

func (u *Usage) of(deployment string) (milli int64, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	milli, ok = u.milli[deployment]
	return milli, ok
}

// used is what the metrics of a pod say if its first container uses so much.
func used(pod *corev1.Pod, milli int64) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": metrics.GroupVersion().String(), "kind": "PodMetrics",
		"timestamp": time.Now().UTC().Format(time.RFC3339), "window": "1s",
		"containers": []any{map[string]any{
			"name": pod.Spec.Containers[0].Name, "usage": map[string]any{"cpu": fmt.Sprintf("%dm", milli)},
		}},
	}}
	o.SetName(pod.Name)
	o.SetLabels(pod.Labels)
	return o
}

// Ready reports whether a pod is ready and stays.
func Ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}
