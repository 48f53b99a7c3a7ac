package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/serin-go/serin/fake"
)

// generate makes the objects of a set, and the questions about them. Names are so
// that among objects of the same age the one that is created first is the first:
// near before far.
func (g *generator) generate() {
	namespace, app := g.near, "one"
	switch n := g.IntN(100); {
	case n < 10:
		namespace, app = g.wild, "none"
	case n < 35:
		namespace, app = g.far, "two"
	}
	ports := pick(g, []uint32{80}, []uint32{9080}, []uint32{80, 9080})
	g.service = g.meaning.service(namespace, g.name("s"), app, ports...)
	g.destinationRules()
	if g.number%4 == 0 {
		g.rollout()
	} else {
		g.virtualService(&g.older, "m", pick(g, g.near, g.near, g.service.namespace))
	}
	if g.chance(20) {
		g.virtualService(&g.older, "p", g.far)
	}
	if g.chance(30) {
		g.virtualService(&g.younger, "a", g.near)
	}
	g.sets = append(g.sets, g.made)
	g.ask()
}

// name is that of an object of the set.
func (g *generator) name(letter string) string { return fmt.Sprintf("s%04d-%s", g.number, letter) }

func (g *generator) destinationRules() {
	all := func() []any {
		var subsets []any
		for _, name := range []string{"v1", "v2", "v3"} {
			if g.chance(85) {
				subsets = append(subsets, subset(name, pick(g, name, name, name, "v1", "v9")))
			}
		}
		return subsets
	}
	add := func(to *batch, letter, namespace string) {
		spec := object{"host": g.hostFor(namespace, g.service), "subsets": all()}
		g.exportTo(spec, namespace)
		g.made = append(g.made, g.destinationRule(to, namespace, g.name(letter), spec))
	}
	if g.chance(90) {
		add(&g.older, "m", g.service.namespace)
	}
	if g.chance(20) {
		add(&g.younger, "a", g.service.namespace)
	}
	if g.chance(15) {
		add(&g.older, "x", pick(g, g.near, g.far))
	}
}

func (g *generator) exportTo(spec object, namespace string) {
	other := g.near
	if other == namespace {
		other = g.far
	}
	if g.chance(20) {
		spec["exportTo"] = pick(g, []string{"."}, []string{"*"}, []string{namespace}, []string{other}, []string{".", other})
	}
}

// hostFor names a service as an object of a namespace may.
func (g *generator) hostFor(namespace string, s service) string {
	if s.namespace == namespace && g.chance(60) {
		return s.name
	}
	return s.host()
}

// virtualService makes one for some of the hosts of the set, with its delegates.
func (g *generator) virtualService(to *batch, letter, namespace string) {
	hosts := map[string]bool{}
	gateways := pick(g, nil, []string{"mesh"}, []string{"mesh", g.near + "/front"}, []string{"mesh", g.near + "/front", g.far + "/side"},
		[]string{g.near + "/front"}, []string{g.near + "/front", g.far + "/side"}, []string{g.far + "/side"})
	g.bound = len(gateways) > 0 && gateways[len(gateways)-1] != "mesh"
	if !g.bound || slices.Contains(gateways, "mesh") || g.chance(20) {
		hosts[g.hostFor(namespace, g.service)] = true
	}
	for len(hosts) == 0 || g.bound && g.chance(60) || g.chance(15) {
		hosts[pick(g, g.outside("example.com"), g.outside("example.org"), "*."+g.outside("example.com"), "www."+g.outside("example.com"))] = true
	}
	if hosts["*."+g.outside("example.com")] {
		delete(hosts, "www."+g.outside("example.com")) // one host may not be within another
	}
	spec := object{"hosts": slices.Sorted(maps.Keys(hosts)), "http": g.httpRules(to, letter, namespace)}
	if gateways != nil {
		spec["gateways"] = gateways
	}
	g.exportTo(spec, namespace)
	g.made = append(g.made, to.add(namespace, istioAPI, "VirtualService", g.name(letter), spec))
	g.aim(namespace, slices.Sorted(maps.Keys(hosts)), gateways)
}

// target is a host that a caller may know.
type target struct{ caller, host string }

// aim remembers whom a VirtualService is for.
func (g *generator) aim(namespace string, hosts, gateways []string) {
	callers := map[string][]string{"mesh": {near, far}, g.near + "/front": {front}, g.far + "/side": {side}}
	if gateways == nil {
		gateways = []string{"mesh"}
	}
	for _, gateway := range gateways {
		for _, caller := range callers[gateway] {
			for _, host := range hosts {
				if !strings.Contains(host, ".") {
					host += "." + namespace + ".svc.cluster.local"
				}
				g.targets = append(g.targets, target{caller, strings.Replace(host, "*", "www", 1)})
			}
		}
	}
}

// outside is the set's host in a domain that gateways serve.
func (g *generator) outside(domain string) string { return g.name("s") + "." + domain }

// ask makes questions about the set: most for what its VirtualServices name.
func (g *generator) ask() {
	const questions = 30
	callers := slices.Sorted(maps.Keys(g.callers))
	for range questions {
		q := question{set: g.number, caller: pick(g, callers...), port: 80}
		q.request = fake.Request{
			Method: pick(g, "GET", "GET", "GET", "POST", "HEAD"),
			Path:   pick(g, "/", "/a", "/A", "/a/", "/a/b", "/ab", "/b", "/a?x=1", "/a?x=1&x=2", "/?x=2&y=a", "/b?x=%31", "/a?x", "/?x=&z"),
			Host: pick(g, g.outside("example.com"), g.outside("example.org"), "www."+g.outside("example.com"),
				"nobody.example.com", g.service.name, g.service.host()),
			Headers: g.headers(),
		}
		if g.chance(80) {
			t := pick(g, g.targets...)
			q.caller, q.request.Host = t.caller, t.host
		}
		g.dial(&q)
		g.questions = append(g.questions, q)
	}
}

// dial chooses a form of the host, and the port.
func (g *generator) dial(q *question) {
	from := g.callers[q.caller]
	q.request.From = from.Source
	r := &q.request
	switch {
	case r.Host == g.service.host() && from.Gateway == "":
		q.port = pick(g, g.service.ports...)
		short := g.service.name + "." + g.service.namespace
		r.Host = pick(g, r.Host, r.Host, r.Host+".", r.Host+":1", strings.ToUpper(r.Host), short, short+".svc")
		if from.Namespace == g.service.namespace && g.chance(30) {
			r.Host = g.service.name
		}
	case q.caller == front && g.chance(20):
		q.port = 8080
	case g.chance(20):
		r.Host = strings.ToUpper(r.Host) + ":80"
	}
	q.first = q.port == g.firstPort(from, r.Host)
	if r.Port = q.port; q.port == 80 && strings.Contains(r.Host, "example") && g.chance(50) {
		r.Port = 0 // which means the same there
	}
}

// firstPort is the port that is dialled unless the client says which.
func (g *generator) firstPort(from caller, host string) uint32 {
	bare, _, _ := strings.Cut(strings.ToLower(host), ":")
	short := g.service.name + "." + g.service.namespace
	forms := []string{short, short + ".svc", g.service.host(), g.service.host() + "."}
	if from.Namespace == g.service.namespace {
		forms = append(forms, g.service.name)
	}
	if from.Gateway == "" && slices.Contains(forms, bare) {
		return g.service.ports[0]
	}
	return 80
}

func (g *generator) headers() map[string]string {
	headers := map[string]string{}
	for _, name := range headerNames {
		if g.chance(50) {
			headers[name] = pick(g, "alice", "albert", "bob", "", "GET")
		}
	}
	return headers
}
