package envoy

import (
	"net/http"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	kind "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// routing is what a proxy is told that has some routes for every host on port 80.
func routing(routes ...*route.Route) *Config {
	return &Config{
		ports: map[uint32]string{80: "http.80"},
		routes: map[string]*route.RouteConfiguration{"http.80": {
			VirtualHosts: []*route.VirtualHost{{Domains: []string{"*"}, Routes: routes}},
		}},
	}
}

// under is a route for a path and what is below it.
func under(path string) *route.Route {
	return &route.Route{Name: path, Match: &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: path}}}
}

func to(r *route.Route, a *route.RouteAction) *route.Route {
	r.Action = &route.Route_Route{Route: a}
	return r
}

func oneCluster(name string) *route.RouteAction {
	return &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: name}}
}

func TestTheFirstRouteThatMatchesIsTaken(t *testing.T) {
	c := routing(to(under("/a/b"), oneCluster("first")), to(under("/a"), oneCluster("second")), to(under("/a/b/c"), oneCluster("never")))
	for path, want := range map[string]string{"/a/b/c": "first", "/a/c": "second"} {
		got, err := c.Choose(80, request(path, "", ""))
		require.NoError(t, err)
		require.Equal(t, []Weighted{{want, 1}}, got.Clusters)
	}
	for port, path := range map[uint32]string{80: "/", 81: "/a"} {
		got, err := c.Choose(port, request(path, "", ""))
		require.NoError(t, err)
		require.Equal(t, Choice{Status: http.StatusNotFound}, got, "there is no route")
	}
}

func TestWeightsAndMirrors(t *testing.T) {
	weighted := func(name string, weight uint32) *route.WeightedCluster_ClusterWeight {
		return &route.WeightedCluster_ClusterWeight{Name: name, Weight: wrapperspb.UInt32(weight)}
	}
	mirror := func(name string, numerator uint32, denominator kind.FractionalPercent_DenominatorType) *route.RouteAction_RequestMirrorPolicy {
		return &route.RouteAction_RequestMirrorPolicy{Cluster: name, RuntimeFraction: &core.RuntimeFractionalPercent{
			DefaultValue: &kind.FractionalPercent{Numerator: numerator, Denominator: denominator},
		}}
	}
	a := &route.RouteAction{
		ClusterSpecifier: &route.RouteAction_WeightedClusters{WeightedClusters: &route.WeightedCluster{
			Clusters: []*route.WeightedCluster_ClusterWeight{weighted("v1", 80), weighted("v2", 21)},
		}},
		RequestMirrorPolicies: []*route.RouteAction_RequestMirrorPolicy{
			{Cluster: "all"},
			mirror("hundreds", 3, kind.FractionalPercent_HUNDRED),
			mirror("ten thousands", 3, kind.FractionalPercent_TEN_THOUSAND),
			mirror("millions", 5699, kind.FractionalPercent_MILLION),
			mirror("none", 0, kind.FractionalPercent_MILLION),
		},
		Timeout: durationpb.New(time.Second),
	}
	got, err := routing(to(under("/"), a)).Choose(80, request("/", "", ""))
	require.NoError(t, err)
	require.Equal(t, []Weighted{{"v1", 80}, {"v2", 21}}, got.Clusters)
	require.Equal(t, []Weighted{
		{"all", 1_000_000}, {"hundreds", 30_000}, {"ten thousands", 300}, {"millions", 5699}, {"none", 0},
	}, got.Mirrors)
	require.Equal(t, time.Second, got.timeout())
}

func TestADrawGoesByWeight(t *testing.T) {
	const n = 10_000
	c := Choice{Clusters: []Weighted{{"v1", 3}, {"never", 0}, {"v2", 1}}}
	drawn := map[string]int{}
	for range n {
		drawn[c.draw()]++
	}
	require.InDelta(t, n/4, drawn["v2"], 6*44) // standard deviations
	require.Equal(t, n, drawn["v1"]+drawn["v2"])
	require.Empty(t, (&Choice{}).draw())
}

func TestAnswersOfTheProxyItself(t *testing.T) {
	redirect := func(code route.RedirectAction_RedirectResponseCode) *route.Route {
		r := under("/")
		r.Action = &route.Route_Redirect{Redirect: &route.RedirectAction{ResponseCode: code}}
		return r
	}
	direct := under("/")
	direct.Action = &route.Route_DirectResponse{DirectResponse: &route.DirectResponseAction{Status: 418}}
	for want, r := range map[int]*route.Route{
		301: redirect(route.RedirectAction_MOVED_PERMANENTLY),
		302: redirect(route.RedirectAction_FOUND),
		303: redirect(route.RedirectAction_SEE_OTHER),
		307: redirect(route.RedirectAction_TEMPORARY_REDIRECT),
		308: redirect(route.RedirectAction_PERMANENT_REDIRECT),
		418: direct,
	} {
		got, err := routing(r).Choose(80, request("/", "", ""))
		require.NoError(t, err)
		require.Equal(t, want, got.Status)
		require.Empty(t, got.Clusters)
	}
}

func TestAnActionThatIsNotUnderstoodIsAnError(t *testing.T) {
	filtered := under("/")
	filtered.Action = &route.Route_FilterAction{}
	for _, r := range []*route.Route{
		filtered,
		to(under("/"), &route.RouteAction{}),
		to(under("/"), &route.RouteAction{ClusterSpecifier: &route.RouteAction_ClusterHeader{ClusterHeader: "x-cluster"}}),
		to(&route.Route{Match: &route.RouteMatch{}}, oneCluster("v1")),
	} {
		_, err := routing(r).Choose(80, request("/", "", ""))
		require.Error(t, err, r)
	}
}
