package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/internal/e2e/envoy"
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
	// by a second at least, and what comes last tells that all is there.
	older, younger, last batch
}

// caller is a proxy, as both know it.
type caller struct {
	source fake.Source
	node   envoy.Node
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
		near:  m.sidecar(m.near, map[string]string{"app": "web", "tier": "front"}),
		far:   m.sidecar(m.far, map[string]string{"app": "job"}),
		front: m.gateway(m.near, "front"),
		side:  m.gateway(m.far, "side"),
	}
	m.older.begin()
	m.last.begin()
	m.base()
	for number := range sets {
		m.older.begin()
		m.younger.begin()
		g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(number))), meaning: m, number: number}
		g.generate()
	}
	return m
}

func (m *meaning) sidecar(namespace string, labels map[string]string) caller {
	return caller{
		fake.Source{Namespace: namespace, Labels: labels},
		envoy.Node{Namespace: namespace, Name: "client", Address: "10.97.0.1", Labels: labels},
	}
}

func (m *meaning) gateway(namespace, name string) caller {
	labels := map[string]string{"gateway": name + "-" + namespace}
	return caller{
		fake.Source{Gateway: namespace + "/" + name, Namespace: namespace, Labels: labels},
		envoy.Node{Namespace: namespace, Name: name, Address: "10.97.0.2", Labels: labels, Gateway: true},
	}
}

// base is what all sets share.
func (m *meaning) base() {
	for _, d := range []struct{ namespace, app, version string }{
		{m.near, "one", "v1"}, {m.near, "one", "v2"}, {m.near, "one", "v3"}, {m.far, "two", "v1"}, {m.far, "two", "v2"},
	} {
		labels := object{"app": d.app, "version": d.version}
		m.older.add(d.namespace, "apps/v1", "Deployment", d.app+"-"+d.version, object{
			"selector": object{"matchLabels": labels},
			"template": object{
				"metadata": object{"labels": labels},
				"spec":     object{"containers": []any{object{"name": "app", "image": "app:" + d.version}}},
			},
		})
	}
	m.service(m.near, "one", "one", 80)
	m.service(m.far, "two", "two", 80)
	m.service(m.near, "both", "one", 80, 9080)
	m.service(m.near, "empty", "none", 80)
	m.service(m.near, sentinel, "none", 80)
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

	m.destinationRule(&m.last, m.near, sentinel, object{"host": sentinel, "subsets": []any{subset(sentinel, "v1")}})
	m.last.add(m.near, istioAPI, "VirtualService", sentinel, object{
		"hosts": []string{sentinel + ".example.com"}, "gateways": []string{"mesh", "front", m.far + "/side"},
		"http": []any{object{"delegate": object{"name": sentinel + "-delegate"}}},
	})
	m.last.add(m.near, istioAPI, "VirtualService", sentinel+"-delegate", object{"http": []any{object{"directResponse": object{"status": 299}}}})
}

const istioAPI = "networking.istio.io/v1"

func subset(name, version string) object {
	return object{"name": name, "labels": object{"version": version}}
}

// pods is how many each application has.
var pods = map[string]int{"one": 3, "two": 2}

func (m *meaning) service(namespace, name, app string, ports ...uint32) service {
	var list []any
	for _, port := range ports {
		list = append(list, object{"name": fmt.Sprintf("http-%d", port), "port": port})
	}
	m.older.add(namespace, "v1", "Service", name, object{"selector": object{"app": app}, "ports": list})
	s := service{name, namespace, ports, pods[app]}
	m.services = append(m.services, s)
	return s
}

func (m *meaning) destinationRule(to *batch, namespace, name string, spec object) string {
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
