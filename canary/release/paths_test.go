package release_test

import (
	"context"
	"fmt"

	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake/apiserver"
)

// A subset that nobody made would answer 503 to each request that it gets.
func ExampleService_Paths() {
	server := apiserver.New()
	err := server.Load([]byte(`
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: shop}
spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}]}
`))
	if err != nil {
		fmt.Println(err)
	}
	mesh, kube := istio.NewForConfigOrDie(server.Config()), kubernetes.NewForConfigOrDie(server.Config())
	paths, err := shop.Paths(kube.CoreV1().Services("shop"), mesh.NetworkingV1().DestinationRules("shop"), kube.AppsV1().Deployments("shop"))
	if err != nil {
		fmt.Println(err)
	}
	found, err := paths.Check(context.Background(), canary.Plan{}) // as a rollout does, with canary.Config.Checks
	for _, f := range found {
		fmt.Println(f.Refuses, f.Problem)
	}
	fmt.Println(err)
	// Output:
	// true canary, shop, subset v2: no DestinationRule of shop.shop.svc.cluster.local in namespace shop has subset "v2"; shop has v1
	// <nil>
}
