package proxies

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/serin-go/serin/fake/internal/rules"
)

// Table is a world made ready for deciding about requests.
type Table struct {
	world    World
	services map[string]*service // by full host
	rules    []*destinationRule  // oldest first
	entries  map[door]*entry
	flat     map[*virtualService][]rules.Route // with delegates resolved
	bad      []*virtualService                 // with a route that no Envoy takes
	clusters map[clusterKey]*Cluster
}

// door is where requests come in: a port of a gateway, or sidecars on any port.
type door struct {
	gateway string
	port    uint32
}

// entry is what the proxies at a door know.
type entry struct {
	hosts     map[string][]*virtualService // by name or pattern, oldest first
	wildcards []string                     // the patterns among them, the longest first
}

func compile(w World) *Table {
	t := &Table{
		world:    w,
		services: map[string]*service{},
		rules:    slices.SortedFunc(maps.Values(w.destinationRules), func(a, b *destinationRule) int { return a.older(b.header) }),
		entries:  map[door]*entry{},
		flat:     map[*virtualService][]rules.Route{},
		clusters: map[clusterKey]*Cluster{},
	}
	for _, s := range w.services {
		t.services[s.host] = s
	}
	byAge := slices.SortedFunc(maps.Values(w.virtualServices), func(a, b *virtualService) int { return a.older(b.header) })
	for _, v := range byAge {
		if len(v.hosts) == 0 {
			continue // a delegate
		}
		t.flat[v] = resolve(v, w.virtualServices)
		if slices.ContainsFunc(t.flat[v], func(r rules.Route) bool { return r.Refused != nil }) {
			t.bad = append(t.bad, v)
		}
		for _, g := range v.gateways {
			if g == rules.Sidecars {
				t.add(door{gateway: rules.Sidecars}, v.hosts, v)
			} else {
				t.bind(g, v)
			}
		}
	}
	for _, e := range t.entries {
		slices.SortFunc(e.wildcards, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	}
	return t
}

// bind opens the doors of a gateway to the hosts that its servers and v have in
// common.
func (t *Table) bind(gateway string, v *virtualService) {
	g := t.world.gateway(gateway)
	if g == nil {
		return
	}
	for _, s := range g.servers {
		t.add(door{gateway, s.Port.GetNumber()}, rules.Common(g.hostsFor(s, v.namespace), v.hosts), v)
	}
}

func (t *Table) add(d door, hosts []string, v *virtualService) {
	e := t.entries[d]
	if e == nil {
		e = &entry{hosts: map[string][]*virtualService{}}
		t.entries[d] = e
	}
	for _, host := range hosts {
		known := e.hosts[host]
		if slices.Contains(known, v) {
			continue
		}
		if len(known) == 0 && strings.HasPrefix(host, "*") {
			e.wildcards = append(e.wildcards, host)
		}
		e.hosts[host] = append(known, v)
	}
}
