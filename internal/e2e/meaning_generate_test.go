package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/serin-go/serin/fake"
)

// meaning is what is asked of both: sets of objects, and requests. The seed decides all of it.
type meaning struct {
	near, far string // the namespaces
	wild      string // the namespace that has one VirtualService for all services
	callers   map[string]caller
	services  []service
	sets      []set
	questions []question
	// The objects, in the order in which they are created: the younger ones are so
	// by a second at least, and what comes last tells that all is there. The callers
	// come at the very end, as istiod would tell them everything again and again.
	older, younger, last, proxies batch
}

// caller is a proxy: that of a client's pod, or a gateway.
type caller struct {
	fake.Source
	ports []uint32 // that it listens on in any case
}

// service is one that both know.
type service struct {
	name, namespace string
	ports           []uint32
	pods            int
}

func (s service) host() string { return s.name + "." + s.namespace + ".svc.cluster.local" }

// set is the objects that the questions of one number are about, as text.
type set []string

func (s set) String() string { return strings.Join(s, "\n") }

// object is a manifest, or a part of one.
type object = map[string]any

// near, far, front and side are the callers.
const (
	near  = "the sidecar near"
	far   = "the sidecar far"
	front = "the gateway front"
	side  = "the gateway side"
)

const sentinel = "zz-sentinel"

// generate makes sets of objects for three namespaces.
func generate(seed uint64, sets int, namespaces [3]string) *meaning {
	m := &meaning{near: namespaces[0], far: namespaces[1], wild: namespaces[2]}
	m.callers = map[string]caller{
		near:  {fake.Source{Namespace: m.near, Workload: "web", Labels: map[string]string{"app": "web", "tier": "front"}}, []uint32{80, 9080}},
		far:   {fake.Source{Namespace: m.far, Workload: "job", Labels: map[string]string{"app": "job"}}, []uint32{80, 9080}},
		front: m.gateway(m.near, "front", 80, 8080),
		side:  m.gateway(m.far, "side", 80),
	}
	for _, b := range []*batch{&m.older, &m.last, &m.proxies} {
		b.begin()
	}
	m.base()
	for number := range sets {
		m.older.begin()
		m.younger.begin()
		g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(number))), meaning: m, number: number}
		g.generate()
	}
	return m
}

func (m *meaning) gateway(namespace, name string, ports ...uint32) caller {
	labels := map[string]string{"gateway": name + "-" + namespace}
	return caller{fake.Source{Gateway: namespace + "/" + name, Namespace: namespace, Workload: name, Labels: labels}, ports}
}

// deployed are the applications, a pod of each version.
var deployed = []struct{ app, version string }{{"one", "v1"}, {"one", "v2"}, {"one", "v3"}, {"two", "v1"}, {"two", "v2"}, {"late", "v1"}, {"deaf", "v1"}, {"cut", "v1"}, {"busy", "v1"}}

// oddities are the applications that are slow, do not listen, hang up, and answer
// 409.
var oddities = []string{"late", "deaf", "cut", "busy"}

// base is what all sets share.
func (m *meaning) base() {
	for _, d := range deployed {
		namespace := map[bool]string{true: m.near, false: m.far}[d.app != "two"]
		m.deployment(&m.older, namespace, d.app+"-"+d.version, map[string]string{"app": d.app, "version": d.version})
	}
	for _, c := range m.callers {
		m.deployment(&m.proxies, c.Namespace, c.Workload, c.Labels)
	}
	m.service(m.near, "one", "one", 80)
	m.service(m.far, "two", "two", 80)
	m.service(m.near, "both", "one", 80, 9080)
	m.service(m.near, "empty", "none", 80)
	for _, app := range oddities {
		m.service(m.near, app, app, 80)
	}
	all := []any{subset("v1", "v1"), subset("v2", "v2"), subset("v3", "v3"), subset("gone", "v9")}
	m.destinationRule(&m.older, m.near, "one", object{"host": "one", "subsets": all})
	m.destinationRule(&m.older, m.far, "two", object{"host": "two", "subsets": all})
	m.destinationRule(&m.older, m.near, "wild", object{"host": "*." + m.near + ".svc.cluster.local", "subsets": all[1:]})

	server := func(port int, hosts ...string) object {
		return object{"port": object{"number": port, "name": fmt.Sprintf("http-%d", port), "protocol": "HTTP"}, "hosts": hosts}
	}
	servers := []any{server(80, "*.example.com", m.far+"/*.example.org", sentinel+".example.com"), server(8080, "./*.example.com")}
	m.older.add(m.near, istioAPI, "Gateway", "front", object{"selector": object{"gateway": "front-" + m.near}, "servers": servers})
	m.older.add(m.far, istioAPI, "Gateway", "side", object{"selector": object{"gateway": "side-" + m.far}, "servers": []any{server(80, "*")}})

	m.older.add(m.near, istioAPI, "VirtualService", "wild", object{
		"hosts": []string{"*." + m.wild + ".svc.cluster.local"},
		"http":  []any{object{"match": []any{object{"sourceNamespace": m.near}}, "directResponse": object{"status": 433}}},
	})

	m.serviceIn(&m.last, m.near, sentinel, "one", 80, 8080, 9080)
	m.destinationRule(&m.last, m.near, sentinel, object{"host": sentinel, "subsets": []any{subset(sentinel, "v1")}})
	m.last.add(m.near, istioAPI, "VirtualService", sentinel, object{
		"hosts": []string{sentinel + ".example.com", sentinel + "." + m.near + ".svc.cluster.local"}, "gateways": []string{"mesh", "front", m.far + "/side"},
		"http": []any{object{"delegate": object{"name": sentinel + "-delegate"}}},
	})
	to := object{"host": sentinel, "subset": sentinel, "port": object{"number": 80}}
	m.last.add(m.near, istioAPI, "VirtualService", sentinel+"-delegate", object{"http": []any{object{"route": []any{object{"destination": to}}}}})
}

// deployment makes one of a pod, whose image is named after it.
func (m *meaning) deployment(to *batch, namespace, name string, labels map[string]string) {
	to.add(namespace, "apps/v1", "Deployment", name, object{
		"selector": object{"matchLabels": labels},
		"template": object{
			"metadata": object{"labels": labels},
			"spec":     object{"containers": []any{object{"name": "app", "image": name}}},
		},
	})
}

const istioAPI = "networking.istio.io/v1"

func subset(name, version string) object {
	return object{"name": name, "labels": object{"version": version}}
}

// pods is how many each application has.
var pods = map[string]int{"one": 3, "two": 2, "late": 1, "deaf": 1, "cut": 1, "busy": 1}

func (m *meaning) service(namespace, name, app string, ports ...uint32) service {
	return m.serviceIn(&m.older, namespace, name, app, ports...)
}

func (m *meaning) serviceIn(to *batch, namespace, name, app string, ports ...uint32) service {
	var list []any
	for _, port := range ports {
		list = append(list, object{"name": fmt.Sprintf("http-%d", port), "port": port})
	}
	to.add(namespace, "v1", "Service", name, object{"selector": object{"app": app}, "ports": list})
	s := service{name, namespace, ports, pods[app]}
	m.services = append(m.services, s)
	return s
}

// destinationRule makes one that lets Envoy close what it does not use: each
// cluster has connections of its own.
func (m *meaning) destinationRule(to *batch, namespace, name string, spec object) string {
	spec["trafficPolicy"] = object{"connectionPool": object{"http": object{"idleTimeout": "1s"}}}
	return to.add(namespace, istioAPI, "DestinationRule", name, spec)
}

// generator makes one set.
type generator struct {
	*rand.Rand
	*meaning
	number    int
	service   service // the set's own
	bound     bool    // to gateways
	rules     int     // made so far
	delegates int
	made      set
	targets   []target
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// pick returns one of the values.
func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }
