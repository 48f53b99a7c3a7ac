package routing_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/routing"
)

// What proxies call a service is what its objects do: the hosts of the VirtualService, also those of
// gateways, and those of its destinations, which a delegate has alone.
func TestTheHostsOfAServiceAreThoseOfItsObjects(t *testing.T) {
	target := routing.Target{
		Namespace: "shop", Name: "front", ClusterDomain: "corp.local",
		Arms: routing.Arms{Stable: routing.Destination{Host: "blue"}, Canary: routing.Destination{Host: "green.other.svc.corp.local"}},
		Rules: []routing.Rule{{Name: "a"}, {Name: "b", Arms: routing.Arms{
			Stable: routing.Destination{Host: "old", Subset: "v1"}, Canary: routing.Destination{Host: "old", Subset: "v2"},
		}}},
	}
	h, err := routing.NewHTTP(target)
	require.NoError(t, err)
	vs := &networking.VirtualService{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "front"},
		Spec:       api.VirtualService{Hosts: []string{"front", "www.example.com", "*"}},
	}
	require.ElementsMatch(t, []string{
		"front.shop.svc.corp.local", "www.example.com", "*",
		"blue.shop.svc.corp.local", "green.other.svc.corp.local", "blue.shop.svc.corp.local", "green.other.svc.corp.local",
		"old.shop.svc.corp.local", "old.shop.svc.corp.local",
	}, h.Hosts(vs))
}
