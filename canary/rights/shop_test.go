package rights_test

import (
	_ "embed"
	"time"

	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/rights"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/routing"
)

//go:embed testdata/shop.yaml
var manifests []byte

// shop is a rollout with everything that talks to the API server: a VirtualService
// for the mesh, one in another namespace for the gateway, subsets and Deployments.
type shop struct {
	router      *routing.Router
	subsets     *routing.Subsets
	deployments *workload.Deployments
}

func newShop(cluster *rest.Config) shop {
	mesh, kube := istio.NewForConfigOrDie(cluster).NetworkingV1(), kubernetes.NewForConfigOrDie(cluster)
	const service = "shop.shop.svc.cluster.local"
	object := func(namespace string) routing.Resource {
		rules, err := routing.NewHTTP(routing.Target{Namespace: namespace, Name: "shop", Arms: routing.Arms{
			Stable: routing.Destination{Host: service, Subset: "v1"},
			Canary: routing.Destination{Host: service, Subset: "v2"},
		}, Exclusive: true})
		must(err)
		return rules.Object(mesh.VirtualServices(namespace))
	}
	subsets, err := routing.NewSubsets(routing.SubsetsConfig{
		Client: mesh.DestinationRules("shop"), Namespace: "shop", Name: "shop",
		Subsets: []routing.Subset{{Name: "v2", Labels: map[string]string{"version": "v2"}}},
	})
	must(err)
	deployments, err := workload.New(kube.AppsV1().Deployments("shop"), workload.Config{
		Namespace: "shop", Stable: "shop-v1", Canary: "shop-v2",
	})
	must(err)
	return shop{routing.NewRouter(object("shop"), object("front")), subsets, deployments}
}

func (s shop) parts() []rights.Part { return []rights.Part{s.router, s.subsets, s.deployments} }

func (s shop) runner(plan canary.Plan) (*canary.Runner, error) {
	return canary.NewRunner(canary.Config{
		Plan: plan, Router: s.router, Prerequisites: []canary.Prerequisite{s.subsets}, Workload: s.deployments, Analyzer: &canarytest.Judge{},
	})
}

func newPlan(end canary.EndKind) canary.Plan {
	plan, err := canary.NewPlan("shop").
		Step(canary.Step{Traffic: canary.Traffic{Mirror: canary.Full}, Hold: time.Minute, Requires: canary.NoFailure}).
		Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Minute}).
		End(canary.End{Kind: end}).Build()
	must(err)
	return plan
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
