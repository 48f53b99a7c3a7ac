package fake

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// table is a world made ready for deciding about requests.
type table struct {
	world    world
	services map[string]*service // by full host
	rules    []*destinationRule  // oldest first
	entries  map[string]*entry   // by gateway, or sidecars
	clusters map[clusterKey]*cluster
}

// entry is what the proxies of one gateway, or all sidecars, know.
type entry struct {
	exact    map[string][]*virtualService // by host, oldest first
	wildcard []hostRule                   // the longest pattern first, then the oldest
	flat     map[*virtualService][]route  // with delegates resolved
}

type hostRule struct {
	pattern string
	rule    *virtualService
}

func compile(w world) *table {
	t := &table{
		world:    w,
		services: map[string]*service{},
		rules:    slices.SortedFunc(maps.Values(w.destinationRules), func(a, b *destinationRule) int { return a.older(b.header) }),
		entries:  map[string]*entry{},
		clusters: map[clusterKey]*cluster{},
	}
	for _, s := range w.services {
		t.services[s.host] = s
	}
	byAge := slices.SortedFunc(maps.Values(w.virtualServices), func(a, b *virtualService) int { return a.older(b.header) })
	for _, v := range byAge {
		if len(v.hosts) == 0 {
			continue // a delegate
		}
		for _, g := range v.gateways {
			t.add(g, v)
		}
	}
	for _, e := range t.entries {
		slices.SortStableFunc(e.wildcard, func(a, b hostRule) int { return cmp.Compare(len(b.pattern), len(a.pattern)) })
	}
	return t
}

func (t *table) add(gateway string, v *virtualService) {
	e := t.entries[gateway]
	if e == nil {
		e = &entry{exact: map[string][]*virtualService{}, flat: map[*virtualService][]route{}}
		t.entries[gateway] = e
	}
	e.flat[v] = resolve(v, t.world.virtualServices)
	for _, host := range v.hosts {
		if strings.HasPrefix(host, "*") {
			e.wildcard = append(e.wildcard, hostRule{host, v})
		} else {
			e.exact[host] = append(e.exact[host], v)
		}
	}
}

// resolve returns the routes of v, with those of its delegates in their place:
// both matches must hold. A delegate without mirror has that of its root. One
// that is not there has no routes.
func resolve(v *virtualService, all map[name]*virtualService) []route {
	var routes []route
	for _, r := range v.routes {
		if r.delegate == "" {
			routes = append(routes, r)
			continue
		}
		namespace, id, _ := strings.Cut(r.delegate, "/")
		to := all[name{namespace, id}]
		if to == nil || len(to.hosts) > 0 {
			continue
		}
		for _, below := range to.routes {
			if below.delegate != "" {
				continue // one level only
			}
			below.blocks = slices.Concat(r.blocks, below.blocks)
			if len(below.action.mirrors) == 0 && len(r.action.mirrors) > 0 {
				merged := *below.action
				merged.mirrors = r.action.mirrors
				below.action = &merged
			}
			routes = append(routes, below)
		}
	}
	return routes
}

// decide finds the rule for a request, nil if there is none: a pure function of
// table and request.
func (t *table) decide(c *call) *action {
	from := c.From.entry()
	s := t.services[c.full]
	port := c.Port
	switch {
	case port != 0:
	case s != nil:
		port = s.ports[0]
	default:
		port = 80
	}
	if from != sidecars && !t.admits(c) {
		return nil
	}
	if e := t.entries[from]; e != nil {
		if found := e.find(c, from != sidecars); len(found) > 0 {
			return firstMatch(e, found, c, port)
		}
	}
	if from == sidecars && s != nil {
		return &action{split: []share{{destination{host: s.host, port: port}, 1}}}
	}
	return nil
}

// admits reports whether the Gateway exists and has a server for the host.
func (t *table) admits(c *call) bool {
	namespace, id, _ := strings.Cut(c.From.Gateway, "/")
	g := t.world.gateways[name{namespace, id}]
	if g == nil {
		return false
	}
	for _, s := range g.servers {
		for _, host := range s.Hosts {
			if _, rest, ok := strings.Cut(host, "/"); ok {
				host = rest
			}
			if covers(host, c.host) {
				return true
			}
		}
	}
	return false
}

// find returns the VirtualServices for a host. Sidecars know only the oldest;
// gateways merge all that name the same host.
func (e *entry) find(c *call, merge bool) []*virtualService {
	var found []*virtualService
	take := func(v *virtualService) {
		if v.visible(c.From.Namespace) && (merge || len(found) == 0) && !slices.Contains(found, v) {
			found = append(found, v)
		}
	}
	for _, exact := range [...]string{c.full, c.host} {
		for _, v := range e.exact[exact] {
			take(v)
		}
	}
	pattern := ""
	for _, w := range e.wildcard {
		if len(found) > 0 && (pattern == "" || w.pattern != pattern) {
			break
		}
		if covers(w.pattern, c.full) || covers(w.pattern, c.host) {
			pattern = w.pattern
			take(w.rule)
		}
	}
	return found
}

// firstMatch walks the rules in their order. Where several objects are merged,
// routes that match everything come after all others.
func firstMatch(e *entry, found []*virtualService, c *call, port uint32) *action {
	var last *action
	for _, v := range found {
		for _, r := range e.flat[v] {
			if !r.holds(c, port) {
				continue
			}
			if len(found) == 1 || !r.open() {
				return r.action
			}
			if last == nil {
				last = r.action
			}
			break // what follows a route for everything is never reached
		}
	}
	return last
}
