package e2e_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	istio "istio.io/client-go/pkg/clientset/versioned"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// reach is what Envoy refuses because of a rule.
type reach int

const (
	nothing  reach = iota
	thePort        // the route table of the port, and those that Envoy came to know before
	allPorts       // all route tables that istiod tells with it
)

// rejectedRules are http rules that the API server, Istio's webhook and istiod
// take, and what Envoy refuses for them. A field that is out of its range spoils the
// whole message; at what is found later Envoy stops reading, and it reads the table
// first that it came to know last.
var rejectedRules = []struct {
	name, rule string
	refuses    reach
}{
	{"a status of 599", `{"directResponse":{"status":599}}`, nothing},
	{"a status of 600", `{"directResponse":{"status":600}}`, allPorts},
	{"an abort with 600", foundLate, thePort},
	{"an abort with 600 of nothing", `{"fault":{"abort":{"httpStatus":600,"percentage":{"value":0}}},ROUTE}`, thePort},
	{"an operator", `{"headers":{"request":{"set":{"a":"%REQ(b)%"}}},ROUTE}`, nothing},
	{"a per cent sign", `{"headers":{"request":{"set":{"a":"100%%"}}},ROUTE}`, nothing},
	{"an unknown operator", `{"headers":{"request":{"set":{"a":"%NOPE%"}}},ROUTE}`, thePort},
	{"an unknown operator for the answer", `{"headers":{"response":{"add":{"a":"%NOPE%"}}},ROUTE}`, thePort},
	{"an expression", `{"match":[{"uri":{"regex":"/(a|b){1,9}[0-9]+"}}],ROUTE}`, nothing},
	{"an expression that is too large", `{"match":[{"uri":{"regex":"` + strings.Repeat("[a-z0-9]{1000}", 40) + `"}}],ROUTE}`, thePort},
	{"a parameter without a name", `{"match":[{"queryParams":{"":{"exact":"a"}}}],ROUTE}`, allPorts},
	{"a line break in a redirect", `{"redirect":{"authority":"a\nb"}}`, allPorts},
	{"a redirect with 304", `{"redirect":{"uri":"/","redirectCode":304}}`, allPorts},
	{"a line break in the path of a redirect", `{"redirect":{"uri":"/a\rb"}}`, allPorts},
	{"a line break in a path", `{"rewrite":{"uri":"/a\nb"},ROUTE}`, allPorts},
	{"a line break in a Host", `{"rewrite":{"authority":"a\nb"},ROUTE}`, allPorts},
	{"a line break in a substitution", `{"rewrite":{"uriRegexRewrite":{"match":"a","rewrite":"\n"}},ROUTE}`, allPorts},
	{"an operator in lower case", `{"headers":{"request":{"set":{"a":"%req(a)%"}}},ROUTE}`, thePort},
	{"an operator without its parameter", `{"headers":{"request":{"set":{"a":"%REQ%"}}},ROUTE}`, thePort},
	{"an operator with one too many", `{"headers":{"request":{"set":{"a":"%PROTOCOL(a)%"}}},ROUTE}`, thePort},
	{"an operator with three headers", `{"headers":{"request":{"set":{"a":"%REQ(a?b?c)%"}}},ROUTE}`, thePort},
	{"a long value", `{"headers":{"request":{"set":{"a":"` + strings.Repeat("x", 16<<10+1) + `"}}},ROUTE}`, allPorts},
	{"a header of a destination", `{"route":[{"destination":{"host":"reviews"},"weight":1},{"destination":{"host":"reviews","subset":"v1"},"weight":1,"headers":{"request":{"set":{"a":"%NOPE%"}}}}]}`, thePort},
	{"a large expression for a header", `{"match":[{"headers":{"a":{"regex":"` + strings.Repeat("(a){1000}", 12) + `"}}}],ROUTE}`, thePort},
	{"a parameter with a long name", `{"match":[{"queryParams":{"` + strings.Repeat("a", 1025) + `":{"exact":"a"}}}],ROUTE}`, allPorts},
	{"a large origin", `{"corsPolicy":{"allowOrigins":[{"regex":"` + strings.Repeat(".{1000}", 17) + `"}]},ROUTE}`, thePort},
	{"a redirect to an odd host", `{"redirect":{"authority":"a b","uri":"no-slash","port":1}}`, nothing},
	{"a large expression that is small to Envoy", `{"match":[{"uri":{"regex":"` + strings.Repeat("(?:a*b){1000}", 8) + `"}}],ROUTE}`, nothing},
	{"weights below 2^32", `{"route":[{"destination":{"host":"a"},"weight":2147483647},{"destination":{"host":"b"},"weight":2147483647},{"destination":{"host":"c"},"weight":1}]}`, nothing},
	{"weights above 2^32", `{"route":[{"destination":{"host":"a"},"weight":2147483647},{"destination":{"host":"b"},"weight":2147483647},{"destination":{"host":"c"},"weight":3}]}`, thePort},
}

// foundLate is a rule whose mistake Envoy finds when it reads the table.
const foundLate = `{"fault":{"abort":{"httpStatus":600}},ROUTE}`

const refusing = `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: NAMESPACE}
spec: {selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: NAMESPACE}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: NAMESPACE}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [reviews.example.com]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: NAMESPACE}
spec: {hosts: [reviews, beside, reviews.example.com], gateways: [mesh, front], http: [{route: [{destination: {host: reviews, port: {number: 80}, subset: v1}}], retries: {attempts: 0}}]}
`

// apart keeps the Services of other tests from a sidecar, and their ports.
const apart = `
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {egress: [{hosts: [./*]}]}
`

// later are Services with a port that comes when the first one is known.
const later = `
apiVersion: v1
kind: Service
metadata: {name: beside, namespace: NAMESPACE}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: v1
kind: Service
metadata: {name: own, namespace: NAMESPACE}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
`

// mesh is a real one or a fake one, in which somebody asks for reviews.
type mesh struct {
	istio.Interface
	namespace string
	version   func(way way) string // that answers
	rejected  func() bool          // a table, since this was asked last
	await     func(t *testing.T, done func() bool)
	whole     bool // whatever is refused, all tables of the proxy stay
}

// way is one by which reviews is asked.
type way int

const (
	hit     way = iota // a sidecar, on the port whose table has the rejected rule
	beside             // the same sidecar, on a port that it came to know later
	outside            // a gateway, which is not told of the rule
)

// An object that all validation takes and Envoy does not holds the whole route
// table of the port, and those that Envoy reads after it: weights do not move any
// more. The fake mesh holds all of the proxy, as nobody knows which those are, so
// that a test of one's own can see it.
func TestATableThatEnvoyRefusesStaysAsItWas(t *testing.T) {
	t.Parallel()
	p := controlPlane(t)
	namespace := p.Namespace(t)
	client, _ := clients(t)
	objects := reviewsOf(namespace, refusing)
	b := newMesh(t, namespace, objects+apart)
	callers := map[way]*traffic.HTTP{
		hit: b.through(t, "client", "reviews", "/"), outside: b.through(t, "gateway", "reviews.example.com", "/"),
	}
	p.Apply(t, namespace, strings.ReplaceAll(later, "NAMESPACE", namespace))
	callers[beside] = b.through(t, "client", "beside:9080", "/")
	known := 0
	real := mesh{client, namespace,
		func(by way) string {
			version, err := traffic.Once(callers[by])
			require.NoError(t, err)
			return version
		},
		func() bool {
			before := known
			known = len(p.Refusals(namespace))
			return known > before
		},
		func(t *testing.T, done func() bool) { require.True(t, poll(t, done)) },
		false,
	}
	for _, r := range rejectedRules {
		t.Run(r.name, func(t *testing.T) { real.meet(t, "other.example.com", r.rule, r.refuses) })
	}
	const onLater = "own" // a host of the port that is read first
	t.Run("the port that is read first", func(t *testing.T) { real.meet(t, onLater, foundLate, allPorts) })
	t.Run("and so does the fake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := apiserver.New()
			server.ValidateIstio()
			require.NoError(t, server.Load([]byte(objects+"---"+strings.ReplaceAll(later, "NAMESPACE", namespace))))
			m := fake.NewMesh(server, fake.Config{})
			client, err := istio.NewForConfig(server.Config())
			require.NoError(t, err)
			imagined := mesh{client, namespace,
				func(by way) string {
					request := map[way]fake.Request{
						hit:     {Host: "reviews", Port: 80, From: fake.Source{Namespace: namespace}},
						beside:  {Host: "beside", Port: 9080, From: fake.Source{Namespace: namespace}},
						outside: {Host: "reviews.example.com", From: fake.Source{Gateway: namespace + "/front", Namespace: namespace}},
					}[by]
					return strings.TrimPrefix(m.Send(1, request)[0].Workload, "reviews-")
				},
				func() bool { return len(m.Refused()) > 0 },
				func(t *testing.T, done func() bool) { require.True(t, done()) },
				true,
			}
			for _, r := range rejectedRules {
				imagined.meet(t, "other.example.com", r.rule, r.refuses)
			}
			imagined.meet(t, onLater, foundLate, allPorts)
		})
	})
}

// meet lets a rule come for a host while the traffic moves from v1 to v2.
func (m mesh) meet(t *testing.T, host, rule string, refuses reach) {
	if m.whole && refuses == thePort {
		refuses = allPorts
	}
	answers := func(by way, version string) func() bool {
		return func() bool { return m.version(by) == version }
	}
	m.route(t, "v1")
	for _, by := range []way{hit, beside, outside} {
		m.await(t, answers(by, "v1"))
	}
	m.rejected()
	name := m.create(t, host, rule)
	if refuses != nothing {
		m.await(t, m.rejected)
	}
	m.route(t, "v2")
	m.await(t, answers(outside, "v2"))
	if refuses != nothing {
		m.await(t, m.rejected)
	}
	moved := map[way]bool{hit: refuses < thePort, beside: refuses < allPorts}
	for _, by := range []way{beside, hit} {
		if moved[by] {
			m.await(t, answers(by, "v2"))
		}
	}
	if refuses == nothing {
		require.False(t, m.rejected())
	}
	for range 20 {
		require.Equal(t, moved[hit], m.version(hit) == "v2")
		require.Equal(t, moved[beside], m.version(beside) == "v2")
	}
	require.NoError(t, m.NetworkingV1().VirtualServices(m.namespace).Delete(t.Context(), name, metav1.DeleteOptions{}))
	m.await(t, answers(hit, "v2"))
	m.await(t, answers(beside, "v2"))
}

func (m mesh) route(t *testing.T, subset string) {
	client := m.NetworkingV1().VirtualServices(m.namespace)
	vs, err := client.Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	vs.Spec.Http[0].Route[0].Destination.Subset = subset
	_, err = client.Update(t.Context(), vs, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// create creates a VirtualService of another host.
func (m mesh) create(t *testing.T, host, rule string) string {
	vs := &networking.VirtualService{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	text := strings.ReplaceAll(rule, "ROUTE", `"route":[{"destination":{"host":"reviews"}}]`)
	var http api.HTTPRoute
	require.NoError(t, http.UnmarshalJSON([]byte(text)))
	vs.Spec.Hosts, vs.Spec.ExportTo, vs.Spec.Http = []string{host}, []string{"."}, []*api.HTTPRoute{&http}
	_, err := m.NetworkingV1().VirtualServices(m.namespace).Create(t.Context(), vs, metav1.CreateOptions{})
	require.NoError(t, err)
	return vs.Name
}
