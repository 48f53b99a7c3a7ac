package apiserver_test

import (
	"context"
	"fmt"

	versioned "istio.io/client-go/pkg/clientset/versioned"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/fake/apiserver"
)

func Example() {
	server := apiserver.New()
	err := server.Load([]byte(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}, weight: 100}, {destination: {host: reviews-v2}}]}]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := versioned.NewForConfig(server.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	services := client.NetworkingV1().VirtualServices("bookinfo")
	stale := []byte(`[{"op":"replace","path":"/metadata/resourceVersion","value":"1"}]`)
	_, err = services.Patch(context.Background(), "reviews", types.JSONPatchType, stale, metav1.PatchOptions{})
	fmt.Println(apierrors.IsConflict(err))
	fmt.Println(server.Requests())
	// Output:
	// true
	// map[{patch virtualservices.networking.istio.io}:1]
}

// The server fills in what a real one does.
func Example_autoscaler() {
	client, err := kubernetes.NewForConfig(apiserver.New().Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := client.AutoscalingV2().HorizontalPodAutoscalers("default").Create(context.Background(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
			MaxReplicas:    10,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	cpu := h.Spec.Metrics[0].Resource
	fmt.Println(*h.Spec.MinReplicas, cpu.Name, *cpu.Target.AverageUtilization)
	// Output:
	// 1 cpu 80
}

// This hook lets every second patch have its effect, but loses the answer.
func ExampleServer_Hook() {
	server := apiserver.New()
	patches := 0
	remove := server.Hook(func(call apiserver.Call) apiserver.Fault {
		if call.Verb != "patch" || call.Resource != "virtualservices.networking.istio.io" {
			return nil
		}
		if patches++; patches%2 == 0 {
			return apiserver.LoseAnswer()
		}
		return nil
	})
	defer remove()
}

// This simulator reports each new Deployment as ready.
func ExampleServer_OnChange() {
	server := apiserver.New()
	server.OnChange(func(c apiserver.Change) {
		fmt.Println(c.Type, c.Namespace+"/"+c.Name)
		if c.Resource.Resource != "deployments" || c.Type != "ADDED" {
			return
		}
		err := server.Update("deployments.apps", c.Namespace, c.Name, func(d map[string]any) {
			d["status"] = map[string]any{"readyReplicas": 1}
		})
		if err != nil {
			fmt.Println(err)
		}
	})
	if err := server.Load([]byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
`)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ADDED default/web
	// MODIFIED default/web
}
