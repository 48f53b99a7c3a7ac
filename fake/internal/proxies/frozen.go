package proxies

import (
	"fmt"
	"slices"

	"github.com/serin-go/serin/fake/internal/rules"
)

// An Envoy that refuses a route table keeps the last one that it took for that
// port, while clusters and their pods change. The tables that it is told at the same
// time stay as well: all of them if a field is out of its range, else those that it
// would have read next, in an order that depends on its past. Here all stay. So
// proxies hold a chain of views: the one that they were told last, and those before
// it that may be in force somewhere.

// Held is what proxies were told last, and what is in force where they refuse it.
type Held struct {
	*view
	before *Held // nil if there is nothing: all was accepted, or nothing ever
}

// maxHeld bounds the chain of views that different proxies refuse. Beyond it the
// one before the newest two is forgotten: proxies that took it, and nothing since,
// fall back to an older one.
const maxHeld = 64

// none decides for a proxy that never accepted a table: it knows no route.
var none = compile(World{})

// after returns what proxies hold that are told v while they hold h.
func (v *view) after(h *Held) *Held {
	if !v.suspect() {
		return v.hold(nil)
	}
	h = h.without(v.Table())
	if h.depth() > maxHeld {
		h = h.hold(h.before.before)
	}
	return v.hold(h)
}

// without leaves out what is in force nowhere where t is refused: whoever refuses
// t refuses it too.
func (h *Held) without(t *Table) *Held {
	switch {
	case h == nil:
		return nil
	case h.Table().includes(t):
		return h.before.without(t)
	}
	return h.hold(h.before.without(t))
}

func (h *Held) depth() int {
	if h == nil {
		return 0
	}
	return 1 + h.before.depth()
}

// hold returns the one held of v for what was before, so that proxies with the
// same past are told apart no further.
func (v *view) hold(before *Held) *Held {
	for _, h := range v.holds {
		if h.before == before {
			return h
		}
	}
	h := &Held{v, before}
	v.holds = append(v.holds, h)
	return h
}

// suspect reports whether some proxy may refuse a table of v.
func (v *view) suspect() bool {
	for _, s := range v.world.virtualServices {
		if s.refused {
			return len(v.Table().bad) > 0
		}
	}
	return false
}

// InForce returns the table by which the proxy of a call decides: the last one
// that it took.
func (h *Held) InForce(c *rules.Call) *Table {
	if told := h.Table(); len(told.bad) == 0 {
		return told
	}
	return h.accepted(c)
}

// Refuses reports whether the proxy of a call does not take the routes that it was told
// last.
func (h *Held) Refuses(c *rules.Call) bool {
	told := h.Table()
	return len(told.bad) > 0 && told.refuses(c)
}

// accepted returns the last table that the proxy of a call took.
func (h *Held) accepted(c *rules.Call) *Table {
	for ; h != nil; h = h.before {
		if t := h.Table(); !t.refuses(c) {
			return t
		}
	}
	return none
}

// refuses reports whether the sender's proxy is told a route that it does not take.
func (t *Table) refuses(c *rules.Call) bool {
	return slices.ContainsFunc(t.portsOf(c.From), func(port uint32) bool { return t.refusesOn(port, c) })
}

// portsOf returns the ports of a gateway, or those of all services.
func (t *Table) portsOf(from rules.Source) []uint32 {
	ports := []uint32{80}
	if from.Gateway == "" {
		for _, s := range t.services {
			ports = append(ports, s.ports...)
		}
	} else if g := t.world.gateway(from.Gateway); g != nil {
		for _, s := range g.servers {
			ports = append(ports, s.Port.GetNumber())
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// refusesOn reports whether the sender's proxy is told such a route for a port.
func (t *Table) refusesOn(port uint32, c *rules.Call) bool {
	at := door{gateway: rules.Sidecars}
	if c.From.Gateway != "" {
		at = door{c.From.Gateway, port}
	}
	e := t.entries[at]
	return e != nil && slices.ContainsFunc(t.bad, func(v *virtualService) bool {
		return v.visible(c.From.Namespace) && t.tells(v, c, port) && t.serves(e, v, c, port)
	})
}

// tells reports whether such a route is among those of v for a proxy and a port.
func (t *Table) tells(v *virtualService, c *rules.Call, port uint32) bool {
	for _, r := range t.flat[v] {
		switch {
		case !r.Known(c, port):
		case r.Refused != nil:
			return true
		case r.Open:
			return false
		}
	}
	return false
}

// serves reports whether v is in the route table of a port: in a gateway's if it
// shares a host with it, in a sidecar's if it is the first one for a host.
func (t *Table) serves(e *entry, v *virtualService, c *rules.Call, port uint32) bool {
	if c.From.Gateway != "" {
		return e.has(v)
	}
	return t.listens(v, port) && slices.ContainsFunc(v.hosts, func(host string) bool {
		for _, first := range visible(e.hosts[host], c) {
			if t.known(first, c, port) && t.listens(first, port) {
				return first == v
			}
		}
		return false
	})
}

func (e *entry) has(v *virtualService) bool {
	for _, all := range e.hosts {
		if slices.Contains(all, v) {
			return true
		}
	}
	return false
}

// Refused returns what is refused of the views that proxies were told last, each
// error once. It names the VirtualService, the place in it, and why.
func (v *Views) Refused() []error {
	var all []error
	seen := map[string]bool{}
	for _, served := range v.inForce {
		t := served.Table()
		for _, v := range t.bad {
			for _, why := range t.refusals(v) {
				err := fmt.Errorf("virtualservices %s/%s: %w", v.namespace, v.name, why)
				if !seen[err.Error()] {
					seen[err.Error()] = true
					all = append(all, err)
				}
			}
		}
	}
	return all
}

// refusals returns what is refused of v, up to the first route for everything.
func (t *Table) refusals(v *virtualService) []error {
	var all []error
	for _, r := range t.flat[v] {
		if r.Refused != nil {
			all = append(all, r.Refused)
		}
		if r.Open && r.Everywhere() {
			break
		}
	}
	return all
}
