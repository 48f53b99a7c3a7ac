package fake

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/serin-go/serin/fake/internal/endpoint"
	"github.com/serin-go/serin/fake/internal/rules"
)

// clusterKey names a cluster as proxies of a namespace see it.
type clusterKey struct {
	client string
	to     rules.Destination
}

// cluster is the set of pods behind a destination.
type cluster struct {
	service endpoint.Service // where it is known
	arms    []arm
	pods    uint64 // of all arms
	missing bool   // no such host, subset or port: flag NC
}

// arm is the pods of a cluster that answer alike.
type arm struct {
	endpoint.Group
	identity endpoint.ID
}

// cluster returns the pods behind a destination. The answers are kept.
func (t *table) cluster(client string, to rules.Destination) *cluster {
	key := clusterKey{client, to}
	found, ok := t.clusters[key]
	if !ok {
		found = t.findCluster(client, to)
		t.clusters[key] = found
	}
	return found
}

func (t *table) findCluster(client string, to rules.Destination) *cluster {
	s := t.services[to.Host]
	if s == nil {
		return &cluster{missing: true}
	}
	if !slices.Contains(s.ports, to.Port) {
		return &cluster{service: s.called(), missing: true}
	}
	selectors := []map[string]string{s.selector}
	if to.Subset != "" {
		subset := t.subset(client, s, to.Subset)
		if subset == nil {
			return &cluster{service: s.called(), missing: true}
		}
		selectors = append(selectors, subset.Labels)
	}
	c := &cluster{service: s.called()}
	if len(s.selector) == 0 {
		return c // endpoints without a selector are not simulated
	}
	for _, p := range t.world.endpoints(s.namespace, selectors...) {
		c.arms = append(c.arms, arm{p, endpoint.Identify(p, c.service)})
		c.pods += uint64(p.Ready)
	}
	return c
}

// subset looks a subset up in the DestinationRules of the client's namespace, or
// if none there is for the host, in those of the service's namespace. Rules for
// the same host in one namespace are merged; of two subsets with the same name
// the older counts. Istio's third place, the root namespace, is left out.
func (t *table) subset(client string, s *service, name string) *networking.Subset {
	for _, namespace := range []string{client, s.namespace} {
		rules := t.rulesFor(namespace, client, s.host)
		for _, r := range rules {
			for _, subset := range r.subsets {
				if subset.Name == name {
					return subset
				}
			}
		}
		if len(rules) > 0 {
			return nil
		}
	}
	return nil
}

// rulesFor returns the DestinationRules of a namespace that a client obeys for a
// host, oldest first. Of those that name it, or else have the longest wildcard,
// Istio merges what is exported alike; of several such groups that the client
// sees, the youngest counts.
func (t *table) rulesFor(namespace, client, host string) []*destinationRule {
	var groups [][]*destinationRule
	for _, r := range t.closest(namespace, client, host) {
		joined := false
		for i, g := range groups {
			if joined = r.joins(g[0].header); joined {
				groups[i] = append(g, r)
			}
		}
		if !joined { // the last one
			groups = append(groups, []*destinationRule{r})
		}
	}
	for _, g := range slices.Backward(groups) {
		if g[0].visible(client) {
			return g
		}
	}
	return nil
}

// closest returns the DestinationRules of a namespace that name a host, or else
// those of the longest wildcard, oldest first, whether or not the client sees them.
func (t *table) closest(namespace, client, host string) []*destinationRule {
	var best []*destinationRule
	for _, r := range t.rules {
		if r.namespace != namespace || !r.offered(client) || !rules.Covers(r.host, host) {
			continue
		}
		if len(best) > 0 && best[0].host != r.host {
			if moreSpecific(best[0].host, r.host) {
				continue
			}
			best = nil
		}
		best = append(best, r)
	}
	return best
}

// moreSpecific reports whether pattern a is closer to a host than b; both cover
// it.
func moreSpecific(a, b string) bool {
	if wild := strings.HasPrefix(a, "*"); wild != strings.HasPrefix(b, "*") {
		return !wild
	}
	return len(a) > len(b)
}
