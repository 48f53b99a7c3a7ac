package firstrollout

import (
	"context"
	"fmt"
	"log"
	"time"

	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/release"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/mirror"
)

const shop = `
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop, namespace: shop}
spec: {host: shop, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec: {hosts: [shop], http: [{route: [{destination: {host: shop, subset: v1}}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop-v1, namespace: shop}
spec:
  selector: {matchLabels: {app: shop, version: v1}}
  template: {metadata: {labels: {app: shop, version: v1}}, spec: {containers: [{name: shop, image: "shop:1"}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop-v2, namespace: shop}
spec:
  selector: {matchLabels: {app: shop, version: v2}}
  template: {metadata: {labels: {app: shop, version: v2}}, spec: {containers: [{name: shop, image: "shop:2"}]}}
`

func Example() {
	mesh, parts := newShop()
	load := mesh.Load(5000, fake.Request{Host: "shop.shop"})

	plan, err := canary.NewPlan("shop").
		Settle(10*time.Millisecond).ScrapeLag(20*time.Millisecond).Interval(20*time.Millisecond).
		Step(mirror.Steps(canary.Step{Name: "dark launch", Hold: 100 * time.Millisecond}, canary.Full)...).
		Weights(canary.Linear(20*canary.Percent, 20*canary.Percent, canary.Full), canary.Step{Hold: 100 * time.Millisecond, Deadline: time.Minute}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).
		Build()
	check(err)

	config := parts.Config(plan.For("v2"))    // each release is a rollout of its own
	judge := parts.Judge(mesh)                // on a cluster metrics/prometheus counts
	judge.Tuning.Look = 20 * time.Millisecond // the test is fast
	config.Analyzer = judge
	config.Verifier = parts.Verifier(mesh, plan.ScrapeLag()) // sees what the proxies do
	config.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
		if e.Reason.Cause == cause.MovedOn {
			fmt.Println(e.After.Phase, e.After.Traffic)
		}
	}}
	runner, err := canary.NewRunner(config)
	check(err)
	state, err := runner.Run(context.Background())
	check(err)
	fmt.Println(state.Phase, "with", load.Stop().Broken(), "requests lost")
	// Output:
	// Preparing stable only
	// Progressing canary 0%, mirror 100%
	// Progressing canary 20%
	// Progressing canary 40%
	// Progressing canary 60%
	// Progressing canary 80%
	// Progressing canary 100%
	// PromotingStable canary 100%
	// Returning stable only
	// Promoted with 0 requests lost
}

// newShop is what stands in place of a cluster with Istio and Prometheus, and the parts of
// a rollout there.
func newShop() (*fake.Mesh, release.Parts) {
	server := apiserver.New()
	check(server.Load([]byte(shop)))
	mesh, parts, _ := newShopOn(server, nil)
	return mesh, parts
}

// newShopOn is newShop with a Workload that change has changed.
func newShopOn(server *apiserver.Server, change func(*workload.Config, kubernetes.Interface)) (*fake.Mesh, release.Parts, kubernetes.Interface) {
	mesh := fake.NewMesh(server, fake.Config{Seed: 1, Scrape: 10 * time.Millisecond, Start: 50 * time.Millisecond})
	istioClient, err := istio.NewForConfig(server.Config())
	check(err)
	kube, err := kubernetes.NewForConfig(server.Config())
	check(err)
	service := release.Service{
		Namespace: "shop", Name: "shop",
		Stable: release.Version{Deployment: "shop-v1", Subset: "v1"},
		Canary: release.Version{Deployment: "shop-v2", Subset: "v2"},
	}
	if change != nil {
		change(&service.Workload, kube)
	}
	parts, err := service.Parts(istioClient.NetworkingV1().VirtualServices("shop"), kube.AppsV1().Deployments("shop"))
	check(err)
	paths, err := service.Paths(kube.CoreV1().Services("shop"), istioClient.NetworkingV1().DestinationRules("shop"), kube.AppsV1().Deployments("shop"))
	check(err)
	found, err := paths.Check(context.Background(), canary.Plan{})
	check(err)
	if len(found) > 0 {
		log.Fatal(found)
	}
	return mesh, parts, kube
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
