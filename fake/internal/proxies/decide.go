package proxies

import (
	"slices"
	"strings"

	"github.com/serin-go/serin/fake/internal/rules"
)

// Decide finds the rule for a request, nil if there is none: a pure function of
// table and request.
func (t *Table) Decide(c *rules.Call) *rules.Action {
	if c.From.Gateway != "" {
		return t.enter(c)
	}
	s, port := t.dialled(c)
	host := c.Bare
	if s != nil && slices.Contains(s.ports, port) {
		host = s.host
	} else {
		s = nil // on this port it is a name like any other
	}
	if v := t.applies(c, host, s != nil, port); v != nil {
		return t.firstMatch([]*virtualService{v}, c, port)
	}
	if s != nil {
		return rules.Plain(rules.Destination{Host: s.host, Port: port})
	}
	return nil
}

// dialled returns the service that the client of a sidecar names, nil if there is
// none, and the port.
func (t *Table) dialled(c *rules.Call) (*service, uint32) {
	s := t.services[rules.Dial(c.Bare, c.From.Namespace)]
	switch {
	case c.Port != 0:
		return s, c.Port
	case s != nil:
		return s, s.ports[0]
	}
	return nil, 80
}

// applies returns the VirtualService that a sidecar obeys for a host: the first
// one of those for the name, else for the longest pattern, of which its proxy is
// told a rule. A service has one at most of those for patterns, and none beside
// those for its name.
func (t *Table) applies(c *rules.Call, host string, service bool, port uint32) *virtualService {
	e := t.entries[door{gateway: rules.Sidecars}]
	if e == nil {
		return nil
	}
	named := visible(e.hosts[host], c)
	for _, v := range named {
		if t.known(v, c, port) && t.listens(v, port) {
			return v
		}
	}
	if service && len(named) > 0 {
		return nil
	}
	for _, pattern := range e.wildcards {
		if !rules.Covers(pattern, host) {
			continue
		}
		for _, v := range visible(e.hosts[pattern], c) {
			if t.known(v, c, port) && t.listens(v, port) {
				return v
			}
			if service {
				return nil
			}
		}
	}
	return nil
}

// listens reports whether sidecars have routes of v on a port: on 80 always, else
// where one of its hosts is a service with that port.
func (t *Table) listens(v *virtualService, port uint32) bool {
	return port == 80 || slices.ContainsFunc(v.hosts, func(host string) bool {
		if !strings.HasPrefix(host, "*") {
			s := t.services[host]
			return s != nil && slices.Contains(s.ports, port)
		}
		for _, s := range t.services {
			if rules.Covers(host, s.host) && slices.Contains(s.ports, port) {
				return true
			}
		}
		return false
	})
}

// known reports whether the sender's proxy is told any rule of v.
func (t *Table) known(v *virtualService, c *rules.Call, port uint32) bool {
	return slices.ContainsFunc(t.flat[v], func(r rules.Route) bool { return r.Known(c, port) })
}

// visible returns those that the sender's proxy sees, the nearest first. The
// result is not to be changed.
func visible(all []*virtualService, c *rules.Call) []*virtualService {
	if !slices.ContainsFunc(all, func(v *virtualService) bool { return len(v.exportTo) > 0 }) {
		return all
	}
	var found []*virtualService
	for _, v := range all {
		if v.visible(c.From.Namespace) {
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b *virtualService) int {
		return a.nearness(c.From.Namespace) - b.nearness(c.From.Namespace)
	})
	return found
}

// enter decides about a request to a gateway, which merges all VirtualServices
// that name the same host.
func (t *Table) enter(c *rules.Call) *rules.Action {
	port := t.front(c)
	e := t.entries[door{c.From.Gateway, port}]
	if e == nil {
		return nil
	}
	if found := t.knownOf(e.hosts[c.Bare], c, port); len(found) > 0 {
		return t.firstMatch(found, c, port)
	}
	for _, pattern := range e.wildcards {
		if !rules.Covers(pattern, c.Bare) {
			continue
		}
		if found := t.knownOf(e.hosts[pattern], c, port); len(found) > 0 {
			return t.firstMatch(found, c, port)
		}
	}
	return nil
}

// knownOf returns those of which the sender's proxy is told a rule.
func (t *Table) knownOf(all []*virtualService, c *rules.Call, port uint32) []*virtualService {
	var found []*virtualService
	for _, v := range visible(all, c) {
		if t.known(v, c, port) {
			found = append(found, v)
		}
	}
	return found
}

// PortOf returns the port of the route table that decides.
func (t *Table) PortOf(c *rules.Call) uint32 {
	if c.From.Gateway != "" {
		return t.front(c)
	}
	_, port := t.dialled(c)
	return port
}

// front returns the port of a gateway that a request comes in by.
func (t *Table) front(c *rules.Call) uint32 {
	g := t.world.gateway(c.From.Gateway)
	if c.Port != 0 || g == nil || len(g.servers) == 0 {
		return c.Port
	}
	return g.servers[0].Port.GetNumber()
}

// firstMatch walks the rules in their order. Where several objects are merged,
// routes that match everything come after all others.
func (t *Table) firstMatch(found []*virtualService, c *rules.Call, port uint32) *rules.Action {
	var last *rules.Action
	for _, v := range found {
		for _, r := range t.flat[v] {
			if !r.Holds(c, port) {
				continue
			}
			if len(found) == 1 || !r.Open {
				return r.Action
			}
			if last == nil {
				last = r.Action
			}
			break // what follows a route for everything is never reached
		}
	}
	return last
}

// Aim fills in the port of a destination that does not say it: gateways take the
// only one of the service, sidecars the one that was dialled, even if the service
// has it not.
func (t *Table) Aim(c *rules.Call, to rules.Destination) rules.Destination {
	if to.Port != 0 {
		return to
	}
	if c.From.Gateway == "" {
		_, to.Port = t.dialled(c)
	} else if s := t.services[to.Host]; s != nil && len(s.ports) == 1 {
		to.Port = s.ports[0]
	} else {
		to.Port = t.front(c)
	}
	return to
}
