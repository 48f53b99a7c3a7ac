package proxies

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

// Cluster is the set of pods behind a destination.
type Cluster struct {
	// Service is the one that was called, if there is one.
	Service endpoint.Service
	// Arms are the pods, and Pods is how many all of them are.
	Arms []Arm
	Pods uint64
	// Missing: there is no such host, subset or port (flag NC).
	Missing bool
}

// Arm is the pods of a cluster that answer alike.
type Arm struct {
	endpoint.Group
	// ID is their name in metrics.
	ID endpoint.ID
}

// Cluster returns the pods behind a destination, as clients of a namespace see
// them. The answers are kept.
func (t *Table) Cluster(client string, to rules.Destination) *Cluster {
	key := clusterKey{client, to}
	found, ok := t.clusters[key]
	if !ok {
		found = t.findCluster(client, to)
		t.clusters[key] = found
	}
	return found
}

func (t *Table) findCluster(client string, to rules.Destination) *Cluster {
	s := t.services[to.Host]
	if s == nil {
		return &Cluster{Missing: true}
	}
	if !slices.Contains(s.ports, to.Port) {
		return &Cluster{Service: s.called(), Missing: true}
	}
	selectors := []map[string]string{s.selector}
	if to.Subset != "" {
		subset := t.subset(client, s, to.Subset)
		if subset == nil {
			return &Cluster{Service: s.called(), Missing: true}
		}
		selectors = append(selectors, subset.Labels)
	}
	c := &Cluster{Service: s.called()}
	if len(s.selector) == 0 {
		return c // endpoints without a selector are not simulated
	}
	for _, p := range t.world.endpoints(s.namespace, selectors...) {
		c.Arms = append(c.Arms, Arm{p, endpoint.Identify(p, c.Service)})
		c.Pods += uint64(p.Ready)
	}
	return c
}

// subset looks a subset up in the DestinationRules of the client's namespace, or
// if none there is for the host, in those of the service's namespace. Rules for
// the same host in one namespace are merged; of two subsets with the same name
// the older counts. Istio's third place, the root namespace, is left out.
func (t *Table) subset(client string, s *service, name string) *networking.Subset {
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
func (t *Table) rulesFor(namespace, client, host string) []*destinationRule {
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
func (t *Table) closest(namespace, client, host string) []*destinationRule {
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
