package e2e_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// arms are those of reviews.
var arms = routing.Arms{
	Stable: routing.Destination{Host: "reviews", Subset: "v1"},
	Canary: routing.Destination{Host: "reviews", Subset: "v2"},
}

func TestTheRouterKeepsItsContractOnARealAPIServer(t *testing.T) {
	p := controlPlane(t)
	for _, c := range []struct {
		name      string
		namespace string
		copies    mirror.Methods
	}{
		{"with no more than the CRDs", p.Aside(t, false), nil},
		{"with Istio's webhook", p.Aside(t, true), nil},
		{"with Istio's webhook and copies of all requests", p.Aside(t, true), mirror.Methods{mirror.Every}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, canarytest.TestRouter(t.Context(), opener(t, c.namespace, c.copies)))
		})
	}
}

// opener opens Routers onto a new VirtualService each time.
func opener(t *testing.T, namespace string, copies mirror.Methods) canarytest.Open {
	mesh, _ := clients(t)
	client := mesh.NetworkingV1().VirtualServices(namespace)
	var opened atomic.Int64
	return func(ctx context.Context) (one, two canary.Router, err error) {
		name := fmt.Sprintf("reviews-%d", opened.Add(1))
		_, err = client.Create(ctx, &networking.VirtualService{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: api.VirtualService{Hosts: []string{"reviews"}, Http: []*api.HTTPRoute{{
				Name:  "all",
				Route: []*api.HTTPRouteDestination{{Destination: &api.Destination{Host: "reviews", Subset: "v1"}}},
			}}},
		}, metav1.CreateOptions{})
		if err != nil {
			return nil, nil, err
		}
		rules, err := routing.NewHTTP(routing.Target{Namespace: namespace, Name: name, Arms: arms, Mirror: copies})
		if err != nil {
			return nil, nil, err
		}
		object := rules.Object(client)
		return routing.NewRouter(object), routing.NewRouter(object), nil
	}
}
