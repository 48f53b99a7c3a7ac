package envoy

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	kind "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// Choice is what a proxy does with a request.
type Choice struct {
	// Route is the name of the route, which is that of the rule; "" also if there
	// is no route.
	Route string
	// Clusters are those that get the request, each with its weight.
	Clusters []Weighted
	// Mirrors are those that get a copy, with their share in parts per million.
	Mirrors []Weighted
	// Status is not 0 for an answer that the proxy gives by itself: 404 without a
	// route, a redirect, a direct response.
	Status int

	prefix   string // of the path, that matched
	action   *route.RouteAction
	redirect *route.RedirectAction
	body     []byte
}

// Weighted is a cluster and how much it gets.
type Weighted struct {
	Cluster string
	Weight  uint32
}

// Choose says what a proxy does with a request to a port, or what of that it does
// not understand.
func (c *Config) Choose(port uint32, r *http.Request) (Choice, error) {
	found, err := c.find(port, r)
	if err != nil {
		return Choice{}, err
	}
	choice := Choice{Route: found.GetName(), prefix: matched(found.GetMatch())}
	switch action := found.GetAction().(type) {
	case nil:
		choice.Status = http.StatusNotFound
	case *route.Route_Redirect:
		choice.redirect = action.Redirect
		choice.Status = int(redirects[action.Redirect.GetResponseCode()])
	case *route.Route_DirectResponse:
		choice.Status = int(action.DirectResponse.GetStatus())
		choice.body = []byte(action.DirectResponse.GetBody().GetInlineString())
	case *route.Route_Route:
		return choice, choice.forward(action.Route)
	default:
		return choice, fmt.Errorf("an action is not understood: %v", found)
	}
	return choice, nil
}

var redirects = map[route.RedirectAction_RedirectResponseCode]int{
	route.RedirectAction_MOVED_PERMANENTLY:  http.StatusMovedPermanently,
	route.RedirectAction_FOUND:              http.StatusFound,
	route.RedirectAction_SEE_OTHER:          http.StatusSeeOther,
	route.RedirectAction_TEMPORARY_REDIRECT: http.StatusTemporaryRedirect,
	route.RedirectAction_PERMANENT_REDIRECT: http.StatusPermanentRedirect,
}

func (c *Choice) forward(a *route.RouteAction) error {
	c.action = a
	switch s := a.GetClusterSpecifier().(type) {
	case *route.RouteAction_Cluster:
		c.Clusters = []Weighted{{s.Cluster, 1}}
	case *route.RouteAction_WeightedClusters:
		for _, w := range s.WeightedClusters.GetClusters() {
			c.Clusters = append(c.Clusters, Weighted{w.GetName(), w.GetWeight().GetValue()})
		}
	default:
		return fmt.Errorf("a choice of clusters is not understood: %v", a)
	}
	for _, m := range a.GetRequestMirrorPolicies() {
		share := uint32(whole)
		if f := m.GetRuntimeFraction(); f != nil {
			share = f.GetDefaultValue().GetNumerator() * perMillion[f.GetDefaultValue().GetDenominator()]
		}
		c.Mirrors = append(c.Mirrors, Weighted{m.GetCluster(), share})
	}
	return nil
}

// matched is the part of the path that a rewrite replaces.
func matched(m *route.RouteMatch) string {
	return cmp.Or(m.GetPath(), m.GetPrefix(), m.GetPathSeparatedPrefix())
}

// whole is a share of all, in parts per million.
const whole = 1_000_000

var perMillion = map[kind.FractionalPercent_DenominatorType]uint32{
	kind.FractionalPercent_HUNDRED:      whole / 100,
	kind.FractionalPercent_TEN_THOUSAND: whole / 10_000,
	kind.FractionalPercent_MILLION:      1,
}

// draw draws a cluster by weight; "" if there is none.
func (c *Choice) draw() string {
	var sum uint32
	for _, w := range c.Clusters {
		sum += w.Weight
	}
	if sum == 0 {
		return ""
	}
	at := rand.Uint32N(sum)
	i := slices.IndexFunc(c.Clusters, func(w Weighted) bool {
		if at < w.Weight {
			return true
		}
		at -= w.Weight
		return false
	})
	return c.Clusters[i].Cluster
}

// timeout is how long the answer may take; 0 is for ever.
func (c *Choice) timeout() time.Duration { return c.action.GetTimeout().AsDuration() }
