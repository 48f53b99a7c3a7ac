package fake_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

// vs is a VirtualService that answers by itself with a status, so that a test
// sees which one was in force.
func vs(name, namespace, spec string, status int) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: %s}
spec:
  %s
  http: [{directResponse: {status: %d}}]
`, name, namespace, spec, status)
}

func loaded(t testing.TB, documents ...string) *fake.Mesh {
	t.Helper()
	server := bookinfo(t, documents...)
	mesh := fake.NewMesh(server, fake.Config{})
	require.Empty(t, mesh.Problems())
	return mesh
}

func TestHosts(t *testing.T) {
	from := func(namespace, host string) fake.Request {
		return fake.Request{Host: host, From: fake.Source{Namespace: namespace}}
	}
	mesh := loaded(t,
		service("shop", "a", 80), service("shop", "b", 80),
		vs("shop", "a", "hosts: [shop]", 201),
		vs("shop", "b", "hosts: [shop]", 202),
		vs("nowhere", "b", "hosts: [nowhere]", 209),
		vs("wild", "b", "hosts: ['*.example.org']", 203),
		vs("wilder", "b", "hosts: ['*.org']", 204),
		vs("exact", "b", "hosts: [x.example.org]", 205),
		vs("private", "b", "hosts: [private.example.net]\n  exportTo: ['.']", 206),
		vs("shared", "b", "hosts: [shared.example.net]\n  exportTo: [a, b]", 207),
		vs("public", "b", "hosts: [public.example.net]\n  exportTo: ['*']", 208),
	)
	cases := []struct {
		name    string
		request fake.Request
		want    int
	}{
		{"a short host belongs to the namespace of its rule", from("a", "shop"), 201},
		{"another namespace has its own", from("b", "shop"), 202},
		{"a service is found by its name and namespace", from("c", "shop.a"), 201},
		{"a service is found by its name, namespace and svc", from("c", "shop.a.svc"), 201},
		{"a service is found by its full name", from("c", "shop.b.svc.cluster.local"), 202},
		{"a full name may end in a dot", from("c", "shop.b.svc.cluster.local."), 202},
		{"a short name is one of a service", from("b", "nowhere"), 404},
		{"other names have no short form", from("b", "nowhere.b.svc.cluster.local"), 209},
		{"a port and case do not matter", from("c", "SHOP.b.svc.cluster.local:80"), 202},
		{"a wildcard covers any number of labels", from("c", "a.b.example.org"), 203},
		{"the longest wildcard wins", from("c", "y.example.org"), 203},
		{"a wildcard does not cover its own suffix", from("c", "example.org"), 204},
		{"an exact host beats an older wildcard", from("c", "x.example.org"), 205},
		{"what is exported to its own namespace is seen there", from("b", "private.example.net"), 206},
		{"and nowhere else", from("a", "private.example.net"), 404},
		{"what is exported to some is seen by them", from("a", "shared.example.net"), 207},
		{"and by nobody else", from("c", "shared.example.net"), 404},
		{"what is exported to all is seen by all", from("c", "public.example.net"), 208},
		{"a host that nobody knows is 404", from("c", "nobody"), 404},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, answer(mesh, c.request)) })
	}
}

func TestOneHostInSeveralVirtualServices(t *testing.T) {
	general := vs("zz-general", ns, "hosts: [shop.example.com]\n  gateways: [mesh, shop]", 201)
	special := `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: special, namespace: bookinfo}
spec:
  hosts: [shop.example.com]
  gateways: [mesh, shop]
  http: [{match: [{uri: {prefix: /special}}], directResponse: {status: 202}}, {directResponse: {status: 203}}]
`
	gateway := `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: bookinfo}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["bookinfo/*.example.com"]}]}
`
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, general)
		time.Sleep(time.Hour)
		require.NoError(t, server.Load([]byte(special)))
		require.NoError(t, server.Load([]byte(gateway)))
		mesh := fake.NewMesh(server, fake.Config{})
		request := fake.Request{Host: "shop.example.com", Path: "/special"}
		require.Equal(t, 201, answer(mesh, request), "sidecars know the oldest only")
		request.From.Gateway = "bookinfo/shop"
		require.Equal(t, 202, answer(mesh, request), "gateways merge, and rules for everything come last")
		request.Path = "/"
		require.Equal(t, 201, answer(mesh, request), "of two rules for everything the older one counts")
	})
}

func TestGateways(t *testing.T) {
	mesh := loaded(t,
		vs("bound", ns, "hosts: [b.example.com]\n  gateways: [bookinfo]", 201),
		vs("unbound", ns, "hosts: [u.example.com]", 202),
		`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: wide, namespace: edge}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`,
		vs("elsewhere", ns, "hosts: [b.example.com]\n  gateways: [edge/wide]", 203))
	to := func(host, gateway string) fake.Request {
		return fake.Request{Host: host, From: fake.Source{Gateway: gateway}}
	}
	require.Equal(t, 404, answer(mesh, to("b.example.com", "")), "a list without mesh leaves sidecars alone")
	require.Equal(t, 202, answer(mesh, to("u.example.com", "")), "no list means all sidecars")
	require.Equal(t, 404, answer(mesh, to("u.example.com", "edge/wide")), "no list means no gateway")
	require.Equal(t, 203, answer(mesh, to("b.example.com", "edge/wide")))
	require.Equal(t, 404, answer(mesh, to("b.example.com", "bookinfo/bookinfo")), "the gateway has no such host")
	require.Equal(t, 404, answer(mesh, to("b.example.com", "edge/none")), "there is no such gateway")
	require.Equal(t, 404, answer(mesh, to("reviews", "edge/wide")), "services are not open to gateways by themselves")
	require.Equal(t, 200, answer(mesh, visitor))
}

func TestWithoutVirtualServiceTheServiceIsCalled(t *testing.T) {
	server := bookinfo(t)
	require.NoError(t, server.Delete(virtualservices, ns, "reviews"))
	mesh := fake.NewMesh(server, fake.Config{})
	result := mesh.Send(10_000, client)
	within(t, 10_000, 0.4, result.To("reviews-v2")) // 2 of 5 pods
	require.Zero(t, result.Broken())
}

func destinationRule(name, namespace, host, subset, version string) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s, namespace: %s}
spec: {host: %q, subsets: [{name: %s, labels: {version: %s}}]}
`, name, namespace, host, subset, version)
}

func TestDestinationRules(t *testing.T) {
	full := "reviews.bookinfo.svc.cluster.local"
	to := func(subset, client string, documents ...string) string {
		server := bookinfo(t, documents...)
		setRules(t, server, "[{route: [{destination: {host: reviews, subset: "+subset+"}}]}]")
		mesh := fake.NewMesh(server, fake.Config{})
		c := mesh.Send(1, fake.Request{Host: full, From: fake.Source{Namespace: client}})[0]
		return c.Workload + c.Flags
	}
	require.Equal(t, "reviews-v1", to("v1", "other"), "the service's namespace is looked at")
	require.Equal(t, "NC", to("v1", "other", destinationRule("own", "other", full, "own", "v2")), "a rule in the client's namespace hides the other")
	require.Equal(t, "reviews-v2", to("own", "other", destinationRule("own", "other", full, "own", "v2")))
	require.Equal(t, "NC", to("own", "third", destinationRule("own", "other", full, "own", "v2")), "but from that client only")
	require.Equal(t, "reviews-v2", to("more", "other", destinationRule("more", ns, "reviews", "more", "v2")), "rules of one host are merged")
	require.Equal(t, "NC", to("more", "other", destinationRule("more", ns, "*.bookinfo.svc.cluster.local", "more", "v2")), "a rule for the name hides one for a wildcard")
	require.Equal(t, "reviews-v1", to("v1", "other", destinationRule("more", ns, "*.bookinfo.svc.cluster.local", "v1", "v2")))
	require.Equal(t, "reviews-v2", to("w", "other",
		destinationRule("wild", "other", "*.cluster.local", "w", "v1"),
		destinationRule("wilder", "other", "*.bookinfo.svc.cluster.local", "w", "v2")), "the longer wildcard counts")
}

func TestDelegates(t *testing.T) {
	delegate := `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: details, namespace: other}
spec: {http: [{match: [{uri: {prefix: /a/b}}], directResponse: {status: 201}}, {route: [{destination: {host: reviews.bookinfo.svc.cluster.local, subset: v1}}]}]}
`
	server := bookinfo(t, delegate)
	setRules(t, server, `[{match: [{uri: {prefix: /a}}], delegate: {name: details, namespace: other}, mirror: {host: reviews, subset: v2}},
		{match: [{uri: {prefix: /c}}], delegate: {name: none}}, {directResponse: {status: 202}}]`)
	mesh := fake.NewMesh(server, fake.Config{})
	require.Empty(t, mesh.Problems())
	at := func(path string) fake.Result {
		r := client
		r.Path = path
		return mesh.Send(10, r)
	}
	require.Equal(t, 201, at("/a/b")[0].Code)
	require.EqualValues(t, 10, at("/a").To("reviews-v1"))
	require.EqualValues(t, 10, at("/a").Mirrored("reviews-v2"), "a delegate without mirror has that of the root")
	require.Equal(t, 202, at("/b")[0].Code)
	require.Equal(t, 202, at("/c")[0].Code, "a delegate that is not there has no rules")
}

func TestPods(t *testing.T) {
	pod := func(name, labels, owner string, ready string) string {
		return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: bookinfo, labels: %s, ownerReferences: %s}
spec: {containers: [{name: c, image: "reviews:7"}]}
status: {conditions: [{type: Ready, status: %q}]}
`, name, labels, owner, ready)
	}
	server := bookinfo(t,
		pod("a-5d4f-x", "{app: reviews, version: v7, pod-template-hash: 5d4f}", "[{apiVersion: apps/v1, kind: ReplicaSet, name: a-5d4f, uid: u}]", "True"),
		pod("b-0", "{app: reviews, version: v7}", "[{apiVersion: apps/v1, kind: StatefulSet, name: b, uid: u}]", "True"),
		pod("c", "{app: reviews, version: v7}", "[]", "True"),
		pod("sick", "{app: reviews, version: v7}", "[]", "False"),
		pod("dark", "{version: v7}", "[]", "True"),
		destinationRule("more", ns, "reviews", "v7", "v7"))
	setRules(t, server, "[{route: [{destination: {host: reviews, subset: v7}}]}]")
	mesh := fake.NewMesh(server, fake.Config{})
	result := mesh.Send(3000, client)
	for _, workload := range []string{"a", "b", "c"} {
		within(t, 3000, 1./3, result.To(workload))
	}
	require.Len(t, result, 3, "neither the pod that is not ready, nor the one that the Service does not select")

	label(t, server, "dark", "app", "reviews")
	require.NotZero(t, mesh.Send(3000, client).To("dark"), "a pod joins when its label is set")
	for _, name := range []string{"a-5d4f-x", "b-0", "c", "dark"} {
		require.NoError(t, server.Delete("pods", ns, name))
	}
	require.Equal(t, "UH", mesh.Send(1, client)[0].Flags)
}

func label(t testing.TB, server *apiserver.Server, pod, name, value string) {
	t.Helper()
	require.NoError(t, server.Update("pods", ns, pod, func(o map[string]any) {
		path(o, "metadata", "labels").(map[string]any)[name] = value
	}))
}
