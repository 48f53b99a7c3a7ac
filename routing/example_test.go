package routing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	istio "istio.io/client-go/pkg/clientset/versioned/typed/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

const manifests = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v1}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: bookinfo}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
`

// reviews steers the only rule of the VirtualService bookinfo/reviews.
var reviews = routing.Target{
	Namespace: "bookinfo", Name: "reviews",
	Arms: routing.Arms{
		Stable: routing.Destination{Host: "reviews", Subset: "v1"},
		Canary: routing.Destination{Host: "reviews", Subset: "v2"},
	},
}

// cluster returns a client of an in-memory cluster that contains the manifests.
func cluster() (*istio.NetworkingV1Client, error) {
	s := apiserver.New()
	if err := s.Load([]byte(manifests)); err != nil {
		return nil, err
	}
	return istio.NewForConfig(s.Config())
}

// The renderer is pure: it takes an object and traffic, and returns a JSON patch.
func ExampleHTTP_Render() {
	h, err := routing.NewHTTP(reviews)
	if err != nil {
		fmt.Println(err)
		return
	}
	vs := &networking.VirtualService{}
	vs.Spec.Http = []*api.HTTPRoute{{
		Route: []*api.HTTPRouteDestination{
			{Destination: &api.Destination{Host: "reviews", Subset: "v1"}, Weight: 100},
			{Destination: &api.Destination{Host: "reviews", Subset: "v2"}},
		},
		Mirror: &api.Destination{Host: "reviews", Subset: "v2"},
	}}
	before, err := h.Read(vs, canary.Traffic{})
	if err != nil {
		fmt.Println(err)
		return
	}
	patch, err := h.Render(vs, canary.Traffic{Canary: 20 * canary.Percent})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(before)
	fmt.Println(strings.ReplaceAll(patch.String(), "},{", "},\n {"))
	// Output:
	// canary 0%, mirror 100%
	// [{"op":"remove","path":"/spec/http/0/mirror"},
	//  {"op":"add","path":"/spec/http/0/route/0/weight","value":80},
	//  {"op":"add","path":"/spec/http/0/route/1/weight","value":20},
	//  {"op":"add","path":"/metadata/annotations","value":{}},
	//  {"op":"add","path":"/metadata/annotations/serin-go.github.io~1reviews.original","value":"[{\"rule\":\"\",\"stable\":\"reviews.bookinfo.svc.cluster.local/v1\",\"arms\":[100,0,-1],\"sum\":100}]"}]
}

// A Router reads and writes one object in a cluster.
func ExampleRouter() {
	client, err := cluster()
	if err != nil {
		fmt.Println(err)
		return
	}
	h, err := routing.NewHTTP(reviews)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := routing.NewRouter(h.Object(client.VirtualServices("bookinfo")))
	ctx := context.Background()
	old, err := r.Read(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("before:", old.Traffic)
	if err := r.Write(ctx, old, canary.Traffic{Canary: canary.Percent / 2}, canary.State{Serial: 1}); err != nil {
		fmt.Println(err)
		return
	}
	now, err := r.Read(ctx)
	fmt.Println("now:", now.Traffic, err)
	err = r.Write(ctx, old, canary.Traffic{}, canary.State{})
	fmt.Println("from the old reading:", errors.Is(err, canary.ErrConflict))
	// Output:
	// before: stable only
	// now: canary 0.5% <nil>
	// from the old reading: true
}

// A header route leads to one arm, whatever the weights are.
func ExampleHTTP_headerRoutes() {
	h, err := routing.NewHTTP(reviews)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := cluster()
	if err != nil {
		fmt.Println(err)
		return
	}
	r := routing.NewRouter(h.Object(client.VirtualServices("bookinfo")))
	ctx := context.Background()
	reading, err := r.Read(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := r.Write(ctx, reading, canary.Traffic{HeaderRoutes: true}, canary.State{}); err != nil {
		fmt.Println(err)
		return
	}
	vs, err := client.VirtualServices("bookinfo").Get(ctx, "reviews", metav1.GetOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rule := range vs.Spec.Http {
		for _, m := range rule.Match {
			fmt.Print(routing.ArmHeader, ": ", m.Headers[routing.ArmHeader].GetExact(), " ")
		}
		fmt.Println("->", rule.Route[0].Destination.Subset)
	}
	// Output:
	// x-serin-arm: stable -> v1
	// x-serin-arm: canary -> v2
	// -> v1
}

// Ensure adds the subsets before the traffic that needs them; Cleanup removes them.
func ExampleSubsets() {
	client, err := cluster()
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := routing.NewSubsets(routing.SubsetsConfig{
		Client: client.DestinationRules("bookinfo"), Namespace: "bookinfo", Name: "reviews",
		Subsets: []routing.Subset{{Name: "v2", Labels: map[string]string{"version": "v2"}}},
		Settle:  time.Hour,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := s.Ensure(context.Background(), canary.Question{Traffic: canary.Traffic{Mirror: canary.Full}, Fence: canary.Fence{Rollout: "42", Serial: 1}})
	fmt.Println(a.Reply == canary.Wait, err)
	a, err = s.Cleanup(context.Background(), canary.Question{Fence: canary.Fence{Rollout: "42", Serial: 2}})
	fmt.Println(a.Reply == canary.Yes, err)
	// Output:
	// true <nil>
	// true <nil>
}
