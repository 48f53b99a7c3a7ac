package fake_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

// pathsOf looks at what the rollout of reviews leads to.
func pathsOf(t *testing.T, server *apiserver.Server, change func(*routing.PathsConfig)) *routing.Paths {
	mesh, err := istio.NewForConfig(server.Config())
	require.NoError(t, err)
	kube, err := kubernetes.NewForConfig(server.Config())
	require.NoError(t, err)
	c := routing.PathsConfig{
		Target: routing.Target{Namespace: ns, Name: "reviews", Arms: routing.Arms{
			Stable: routing.Destination{Host: "reviews", Subset: "v1"}, Canary: routing.Destination{Host: "reviews", Subset: "v2"},
		}},
		Services: kube.CoreV1().Services(ns), DestinationRules: mesh.NetworkingV1().DestinationRules(""),
		Deployments: kube.AppsV1().Deployments(ns), Stable: "reviews-v1", Canary: "reviews-v2",
	}
	change(&c)
	p, err := routing.NewPaths(c)
	require.NoError(t, err)
	return p
}

// R6: what answers 503 to each request that it gets does not get any.
func TestWhatUsersCouldNotReachIsToldBeforeTheRollout(t *testing.T) {
	canaryIs := func(d routing.Destination) func(*routing.PathsConfig) {
		return func(c *routing.PathsConfig) { c.Target.Arms.Canary = d }
	}
	as := func(*routing.PathsConfig) {}
	for name, c := range map[string]struct {
		change func(*routing.PathsConfig)
		spoil  func(testing.TB, *apiserver.Server)
		want   []canary.Finding
	}{
		"all is well": {as, nil, nil},
		"a host":      {canaryIs(routing.Destination{Host: "reviws"}), nil, []canary.Finding{{Problem: "canary, reviws: there is no Service bookinfo/reviws; create it, or correct the host", Refuses: true}}},
		"a port": {canaryIs(routing.Destination{Host: "reviews", Subset: "v2", Port: 9090}), nil, []canary.Finding{
			{Problem: "canary, reviews:9090, subset v2: Service bookinfo/reviews has no port 9090; it has 9080", Refuses: true}}},
		"its own port": {canaryIs(routing.Destination{Host: "reviews", Subset: "v2", Port: 9080}), nil, nil},
		"a subset": {canaryIs(routing.Destination{Host: "reviews", Subset: "v22"}), nil, []canary.Finding{
			{Problem: `canary, reviews, subset v22: no DestinationRule of reviews.bookinfo.svc.cluster.local in namespace bookinfo has subset "v22"; reviews has v1, v2, v3`, Refuses: true}}},
		"a subset that is provided": {func(c *routing.PathsConfig) {
			c.Target.Arms.Canary.Subset, c.Provided = "new", []routing.Subset{{Name: "new", Labels: map[string]string{"version": "v2"}}}
		}, nil, nil},
		"another version's pods": {canaryIs(routing.Destination{Host: "reviews", Subset: "v3"}), nil, []canary.Finding{
			{Problem: "canary, reviews, subset v3: the pods of Deployment bookinfo/reviews-v2 have the labels app=reviews,version=v2; the Service and the subset select those with app=reviews,version=v3, so it is empty", Refuses: true}}},
		"a private DestinationRule": {as, hide, []canary.Finding{
			{Problem: "canary, reviews, subset v2: clients in namespace front use DestinationRule front/private, which has no such subset, so they cannot reach it"}}},
		"one that is not exported": {as, func(t testing.TB, s *apiserver.Server) {
			require.NoError(t, s.Update("destinationrules.networking.istio.io", ns, "reviews", func(o map[string]any) {
				o["spec"].(map[string]any)["exportTo"] = []any{"."}
			}))
		}, []canary.Finding{
			{Problem: "stable, reviews, subset v1: DestinationRule bookinfo/reviews is exported to . only: clients and gateways in other namespaces cannot reach the subset"},
			{Problem: "canary, reviews, subset v2: DestinationRule bookinfo/reviews is exported to . only: clients and gateways in other namespaces cannot reach the subset"}}},
		"elsewhere": {canaryIs(routing.Destination{Host: "reviews.other.svc.cluster.local"}), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := bookinfo(t)
			if c.spoil != nil {
				c.spoil(t, server)
			}
			found, err := pathsOf(t, server, c.change).Check(t.Context(), canary.Plan{})
			require.NoError(t, err)
			require.Equal(t, c.want, found)
		})
	}
}

func TestPathsNeedTheirClients(t *testing.T) {
	_, err := routing.NewPaths(routing.PathsConfig{Canary: "v2"})
	for _, want := range []string{"routing: paths: ", "a client for Services or DestinationRules is missing", "the client of Deployments needs the names of both"} {
		require.ErrorContains(t, err, want)
	}
}
