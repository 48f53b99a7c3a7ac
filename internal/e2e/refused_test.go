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

// rulesOfStrangers are http rules that the API server, Istio's webhook and istiod
// take, and whether Envoy does.
var rulesOfStrangers = []struct {
	name, rule string
	taken      bool
}{
	{"a status of 599", `{"directResponse":{"status":599}}`, true},
	{"a status of 600", `{"directResponse":{"status":600}}`, false},
	{"an abort with 600", `{"fault":{"abort":{"httpStatus":600}},ROUTE}`, false},
	{"an abort with 600 of nothing", `{"fault":{"abort":{"httpStatus":600,"percentage":{"value":0}}},ROUTE}`, false},
	{"an operator", `{"headers":{"request":{"set":{"a":"%REQ(b)%"}}},ROUTE}`, true},
	{"a per cent sign", `{"headers":{"request":{"set":{"a":"100%%"}}},ROUTE}`, true},
	{"an unknown operator", `{"headers":{"request":{"set":{"a":"%NOPE%"}}},ROUTE}`, false},
	{"an unknown operator for the answer", `{"headers":{"response":{"add":{"a":"%NOPE%"}}},ROUTE}`, false},
	{"an expression", `{"match":[{"uri":{"regex":"/(a|b){1,9}[0-9]+"}}],ROUTE}`, true},
	{"an expression that is too large", `{"match":[{"uri":{"regex":"` + strings.Repeat("[a-z0-9]{1000}", 40) + `"}}],ROUTE}`, false},
	{"a parameter without a name", `{"match":[{"queryParams":{"":{"exact":"a"}}}],ROUTE}`, false},
	{"a line break in a redirect", `{"redirect":{"authority":"a\nb"}}`, false},
	{"weights below 2^32", `{"route":[{"destination":{"host":"a"},"weight":2147483647},{"destination":{"host":"b"},"weight":2147483647},{"destination":{"host":"c"},"weight":1}]}`, true},
	{"weights above 2^32", `{"route":[{"destination":{"host":"a"},"weight":2147483647},{"destination":{"host":"b"},"weight":2147483647},{"destination":{"host":"c"},"weight":3}]}`, false},
}

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
kind: VirtualService
metadata: {name: reviews, namespace: NAMESPACE}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v1}}]}]}
`

// mesh is a real one or a fake one, in which somebody asks for reviews.
type mesh struct {
	istio.Interface
	namespace string
	version   func() string // that answers
	refusals  func() int    // more than before while a table is refused
	await     func(t *testing.T, done func() bool)
}

// A stranger's VirtualService that all validations take and Envoy does not holds
// the whole route table of the port: weights do not move any more. The fake mesh
// does the same, so that a test of one's own can see it.
func TestATableThatEnvoyRefusesStaysAsItWas(t *testing.T) {
	t.Parallel()
	p := controlPlane(t)
	namespace := p.Namespace(t)
	client, _ := clients(t)
	objects := reviewsOf(namespace, refusing)
	b := newMesh(t, namespace, objects)
	c := b.through(t, "client", "reviews", "/")
	real := mesh{client, namespace,
		func() string {
			version, err := traffic.Once(c)
			require.NoError(t, err)
			return version
		},
		func() int { return len(p.Refusals(namespace)) },
		func(t *testing.T, done func() bool) { require.True(t, poll(t, done)) },
	}
	for _, s := range rulesOfStrangers {
		t.Run(s.name, func(t *testing.T) { real.meet(t, s.rule, s.taken) })
	}
	t.Run("and so does the fake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := apiserver.New()
			server.ValidateIstio()
			require.NoError(t, server.Load([]byte(objects)))
			m := fake.NewMesh(server, fake.Config{})
			client, err := istio.NewForConfig(server.Config())
			require.NoError(t, err)
			request := fake.Request{Host: "reviews", From: fake.Source{Namespace: namespace}}
			asked := 0 // while a table is refused
			imagined := mesh{client, namespace,
				func() string { return strings.TrimPrefix(m.Send(1, request)[0].Workload, "reviews-") },
				func() int { asked += len(m.Refused()); return asked },
				func(t *testing.T, done func() bool) { require.True(t, done()) },
			}
			for _, s := range rulesOfStrangers {
				imagined.meet(t, s.rule, s.taken)
			}
		})
	})
}

// meet lets a stranger come with a rule while the traffic moves from v1 to v2.
func (m mesh) meet(t *testing.T, rule string, taken bool) {
	answers := func(version string) func() bool { return func() bool { return m.version() == version } }
	m.route(t, "v1")
	m.await(t, answers("v1"))
	more := func() func() bool {
		before := m.refusals()
		return func() bool { return m.refusals() > before }
	}
	refused := more()
	stranger := m.stranger(t, rule)
	if taken {
		m.route(t, "v2")
		m.await(t, answers("v2"))
	} else {
		m.await(t, refused)
		refused = more()
		m.route(t, "v2")
		m.await(t, refused)
		for range 20 {
			require.Equal(t, "v1", m.version())
		}
	}
	require.NoError(t, m.NetworkingV1().VirtualServices(m.namespace).Delete(t.Context(), stranger, metav1.DeleteOptions{}))
	m.await(t, answers("v2"))
}

func (m mesh) route(t *testing.T, subset string) {
	client := m.NetworkingV1().VirtualServices(m.namespace)
	vs, err := client.Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	vs.Spec.Http[0].Route[0].Destination.Subset = subset
	_, err = client.Update(t.Context(), vs, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// stranger creates a VirtualService of another host.
func (m mesh) stranger(t *testing.T, rule string) string {
	vs := &networking.VirtualService{ObjectMeta: metav1.ObjectMeta{Name: "stranger"}}
	text := strings.ReplaceAll(rule, "ROUTE", `"route":[{"destination":{"host":"reviews"}}]`)
	var http api.HTTPRoute
	require.NoError(t, http.UnmarshalJSON([]byte(text)))
	vs.Spec.Hosts, vs.Spec.ExportTo, vs.Spec.Http = []string{"stranger.example.com", "reviews-of-strangers"}, []string{"."}, []*api.HTTPRoute{&http}
	_, err := m.NetworkingV1().VirtualServices(m.namespace).Create(t.Context(), vs, metav1.CreateOptions{})
	require.NoError(t, err)
	return vs.Name
}
