package workload_test

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	fakedynamic "k8s.io/client-go/dynamic/fake"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

// scaledObjects are the ScaledObjects of KEDA in one namespace.
type scaledObjects struct{ dynamic.ResourceInterface }

func (s scaledObjects) Get(ctx context.Context, name string, o metav1.GetOptions) (*unstructured.Unstructured, error) {
	return s.ResourceInterface.Get(ctx, name, o)
}

// KEDA writes the HorizontalPodAutoscaler itself, so the rollout raises what KEDA reads.
func ExampleField() {
	keda := fakedynamic.NewSimpleDynamicClient(runtime.NewScheme(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
		"metadata": map[string]any{"name": "reviews-v2", "namespace": "bookinfo", "resourceVersion": "1"},
		"spec":     map[string]any{"minReplicaCount": int64(2)},
	}})
	kind := schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}
	floor := workload.Field[*unstructured.Unstructured]{
		Objects: scaledObjects{keda.Resource(kind).Namespace("bookinfo")},
		Kind:    "ScaledObject", Group: kind.Group, Resource: kind.Resource, Namespace: "bookinfo", Name: "reviews-v2",
		Pointer: "/spec/minReplicaCount",
		Read: func(o *unstructured.Unstructured) (least *int32, most int32) {
			if n, found, err := unstructured.NestedInt64(o.Object, "spec", "minReplicaCount"); err == nil && found {
				n := int32(n)
				least = &n
			}
			if n, found, err := unstructured.NestedInt64(o.Object, "spec", "maxReplicaCount"); err == nil && found {
				return least, int32(n)
			}
			return least, 100 // KEDA's default
		},
	}
	ctx, q := context.Background(), canary.Question{Fence: canary.Fence{Rollout: "reviews", Serial: 1}}
	a, err := floor.Raise(ctx, q, 15)
	least, most, _ := floor.Bounds(ctx)
	fmt.Println(a.Reply == canary.Yes, err, least, most)
	err = floor.Release(ctx, q, false)
	least, most, _ = floor.Bounds(ctx)
	fmt.Println(err, least, most)
	// Output:
	// true <nil> 15 100
	// <nil> 2 100
}
