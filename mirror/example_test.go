package mirror_test

import (
	"fmt"
	"strings"
	"time"

	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// Only requests that do no harm when they are done twice are copied.
func ExampleSafe() {
	h, err := routing.NewHTTP(routing.Target{
		Namespace: "prod", Name: "shop",
		Arms: routing.Arms{Stable: routing.Destination{Host: "shop"}, Canary: routing.Destination{Host: "shop-v2"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	vs := &networking.VirtualService{}
	vs.Spec.Hosts = []string{"shop"}
	vs.Spec.Http = []*api.HTTPRoute{{
		Name:  "api",
		Route: []*api.HTTPRouteDestination{{Destination: &api.Destination{Host: "shop"}}},
	}}
	patch, err := mirror.Safe(h).Render(vs, canary.Traffic{Mirror: canary.Full})
	if err != nil {
		fmt.Println(err)
		return
	}
	for op := range strings.SplitSeq(strings.Trim(patch.String(), "[]"), ",{") {
		if strings.Contains(op, "copy") || strings.Contains(op, "name") {
			fmt.Println("{" + strings.TrimPrefix(op, "{"))
		}
	}
	// Output:
	// {"op":"copy","path":"/spec/http/0","from":"/spec/http/0"}
	// {"op":"add","path":"/spec/http/0/name","value":"serin-mirror-api"}
}

// A plan begins with a dark launch.
func ExampleSteps() {
	like := canary.Step{Name: "mirror", Hold: 10 * time.Minute}
	for _, s := range mirror.Steps(like, canary.Percent, canary.Full) {
		fmt.Printf("%s for %v: %v\n", s.Name, s.Hold, s.Traffic)
	}
	// Output:
	// mirror 1% for 10m0s: canary 0%, mirror 1%
	// mirror 100% for 10m0s: canary 0%, mirror 100%
}
