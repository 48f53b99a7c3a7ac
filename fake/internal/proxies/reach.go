package proxies

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/rules"
)

// includes reports whether t refuses all that u refuses, for the same proxies. A
// false may be an error, a true is none.
func (t *Table) includes(u *Table) bool {
	return len(u.bad) <= len(t.bad) && maps.Equal(t.world.services, u.world.services) &&
		maps.Equal(t.world.gateways, u.world.gateways) &&
		!slices.ContainsFunc(u.bad, func(v *virtualService) bool { return !t.refusesAlike(v, u) })
}

// refusesAlike reports whether the same proxies refuse t for the object v as
// refuse u for it: neither the object nor those that share a host with it differ.
func (t *Table) refusesAlike(v *virtualService, u *Table) bool {
	alike := func(a, b *virtualService) bool {
		return a.namespace == b.namespace && a.name == b.name && t.toldAlike(a, b, u)
	}
	own := t.world.virtualServices[types.NamespacedName{Namespace: v.namespace, Name: v.name}]
	return own != nil && alike(own, v) && !slices.ContainsFunc(v.hosts, func(host string) bool {
		return !slices.EqualFunc(t.named(host), u.named(host), alike)
	})
}

// named returns the objects for sidecars that name a host, or a pattern.
func (t *Table) named(host string) []*virtualService {
	if e := t.entries[door{gateway: rules.Sidecars}]; e != nil {
		return e.hosts[host]
	}
	return nil
}

// toldAlike reports whether the same proxies are told a of t and b of u, with its
// delegates, and refuse the same of its routes.
func (t *Table) toldAlike(a, b *virtualService, u *Table) bool {
	return sameReach(a, b) &&
		slices.EqualFunc(t.flat[a], u.flat[b], func(x, y rules.Route) bool {
			return (x.Refused == nil) == (y.Refused == nil)
		}) &&
		slices.EqualFunc(t.delegates(a), u.delegates(b), sameReach)
}

func (t *Table) delegates(v *virtualService) []*virtualService {
	var all []*virtualService
	for _, r := range v.rules {
		if r.Delegate != nil {
			if to := t.world.virtualServices[types.NamespacedName{Namespace: r.Delegate.Namespace, Name: r.Delegate.Name}]; to != nil {
				all = append(all, to)
			}
		}
	}
	return all
}

// sameReach reports whether two states of a VirtualService are told the same
// proxies.
func sameReach(a, b *virtualService) bool {
	if a == b {
		return true
	}
	return a.created.Equal(b.created) && slices.Equal(a.exportTo, b.exportTo) && slices.Equal(a.hosts, b.hosts) &&
		slices.Equal(a.gateways, b.gateways) && slices.EqualFunc(a.rules, b.rules, sameMatches)
}

func sameMatches(a, b rules.Rule) bool {
	return slices.EqualFunc(a.Match, b.Match, func(x, y *networking.HTTPMatchRequest) bool { return proto.Equal(x, y) }) &&
		proto.Equal(a.Delegate, b.Delegate)
}
