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

func service(name, namespace string, ports ...int) string {
	text := fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: %s}\nspec:\n  selector: {app: reviews}\n  ports:\n", name, namespace)
	for _, port := range ports {
		text += fmt.Sprintf("  - {name: http-%d, port: %d}\n", port, port)
	}
	return text
}

// conditional is a VirtualService whose only rule has a match block.
func conditional(name, namespace, spec, match string, status int) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: %s}
spec:
  %s
  http: [{match: [%s], directResponse: {status: %d}}]
`, name, namespace, spec, match, status)
}

func TestProxiesObeyOnlyWhatTheyAreTold(t *testing.T) {
	const elsewhere = "{sourceNamespace: elsewhere}"
	mesh := loaded(t,
		service("a", "shop", 80, 8080), service("b", "shop", 80), service("c", "shop", 80), service("d", "shop", 8080),
		conditional("a-1", "shop", "hosts: [a]", elsewhere, 201),
		conditional("a-2", "shop", "hosts: [a]", "{port: 80}", 202),
		vs("wild", "shop", "hosts: ['*.shop.svc.cluster.local']", 203),
		vs("wilder", "shop", "hosts: ['*.svc.cluster.local']", 204),
		conditional("b", "shop", "hosts: [b]", elsewhere, 205),
		conditional("named", "shop", "hosts: [x.example.org]", elsewhere, 206),
		vs("patterned", "shop", "hosts: ['*.example.org']", 207),
		vs("d", "shop", "hosts: [d, y.example.org]", 208),
		service("lonely", "else", 80),
		conditional("else", "other", "hosts: ['*.else.svc.cluster.local']", elsewhere, 209),
	)
	to := func(host string, port uint32) fake.Request {
		return fake.Request{Host: host, Port: port, From: fake.Source{Namespace: "shop"}}
	}
	cases := []struct {
		name    string
		request fake.Request
		want    int
	}{
		{"one that has no rule for the client is no obstacle for the next", to("a", 80), 202},
		{"if none has, the service is called, whatever patterns say", to("b", 80), 503},
		{"also on a port that no rule is for", to("a", 8080), 503},
		{"a service without one of its own obeys the longest pattern", to("c", 80), 203},
		{"and no other if that has no rule for the client", to("lonely.else", 80), 503},
		{"a name that is no service obeys the pattern if its own has no rule", to("x.example.org", 80), 207},
		{"a name is known on a port of a service beside it", to("y.example.org", 8080), 208},
		{"but not on any other", to("y.example.org", 8081), 404},
		{"or without such a service", to("z.example.org", 8080), 404},
		{"on port 80 it is known", to("y.example.org", 80), 208},
		{"and the full name of a service without it too", to("d.shop.svc.cluster.local", 80), 208},
		{"a port that the service lacks is nobody's", to("c", 81), 404},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, answer(mesh, c.request)) })
	}
}

func TestTheNearestVirtualServiceCountsBeforeTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, service("shop", "a", 80), vs("public", "a", "hosts: [shop]", 201))
		for i, spec := range []string{"exportTo: [b]", "exportTo: ['.']"} {
			time.Sleep(time.Hour)
			young := vs(fmt.Sprintf("young-%d", i), "a", "hosts: [shop.a.svc.cluster.local]\n  "+spec, 202+i)
			require.NoError(t, server.Load([]byte(young)))
		}
		mesh := fake.NewMesh(server, fake.Config{})
		for namespace, want := range map[string]int{"a": 203, "b": 202, "c": 201} {
			require.Equal(t, want, answer(mesh, fake.Request{Host: "shop.a", From: fake.Source{Namespace: namespace}}), namespace)
		}
	})
}

func TestOfTheSameAgeTheNameCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := loaded(t, vs("shop-b", ns, "hosts: [shop.example.com]", 202), vs("shop", ns, "hosts: [shop.example.com]", 201))
		require.Equal(t, 201, answer(mesh, fake.Request{Host: "shop.example.com"}))
	})
}

func TestServersOfAGateway(t *testing.T) {
	mesh := loaded(t, `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: edge}
spec:
  servers:
  - {port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*.example.com", "a/*.example.org", "./*.example.net"]}
  - {port: {number: 8443, name: more, protocol: HTTP}, hosts: ["x.example.com"]}
`,
		conditional("first", "a", "hosts: ['*']\n  gateways: [edge/edge]", "{headers: {x-user: {exact: ada}}}", 201),
		vs("second", "b", "hosts: ['*.example.com']\n  gateways: [edge/edge]", 202),
		vs("third", "b", "hosts: ['*.example.org', y.example.net]\n  gateways: [edge/edge]", 203),
		vs("fourth", "edge", "hosts: ['*.example.net']\n  gateways: [edge]", 204),
		conditional("fifth", "b", "hosts: [z.example.com]\n  gateways: [edge/edge]", "{gateways: [mesh]}", 205),
	)
	to := func(host string, port uint32, user string) fake.Request {
		return fake.Request{Host: host, Port: port, Headers: map[string]string{"x-user": user}, From: fake.Source{Gateway: "edge/edge"}}
	}
	cases := []struct {
		name    string
		request fake.Request
		want    int
	}{
		{"what hosts have in common with a server is merged", to("x.example.com", 0, "ada"), 201},
		{"in its order", to("x.example.com", 0, "bob"), 202},
		{"hosts of a server may be for one namespace", to("x.example.org", 0, "ada"), 201},
		{"and for no other", to("x.example.org", 0, "bob"), 404},
		{"or for the gateway's own", to("y.example.net", 8080, "ada"), 204},
		{"each port has its servers", to("x.example.com", 8443, "bob"), 202},
		{"and no other hosts", to("y.example.com", 8443, "bob"), 404},
		{"there is no other port", to("x.example.com", 80, "bob"), 404},
		{"one without a rule for the gateway is not there", to("z.example.com", 0, "bob"), 202},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, answer(mesh, c.request)) })
	}
}

func TestADestinationThatNamesNoPort(t *testing.T) {
	route := `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: bookinfo}
spec:
  hosts: [shop.example.com]
  gateways: [mesh, edge]
  http: [{match: [{uri: {prefix: /one}}], route: [{destination: {host: reviews}}]}, {route: [{destination: {host: many}}]}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: bookinfo}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`
	mesh := loaded(t, route, service("many", ns, 81, 80))
	send := func(gateway, path string) string {
		c := mesh.Send(1, fake.Request{Host: "shop.example.com", Path: path, From: fake.Source{Gateway: gateway}})[0]
		return fmt.Sprint(c.Code, c.Flags)
	}
	require.Equal(t, "200", send("bookinfo/edge", "/one"), "a gateway takes the only port of the service")
	require.Equal(t, "200", send("bookinfo/edge", "/"), "or of several its own")
	require.Equal(t, "503NC", send("", "/one"), "a sidecar takes the port that was dialled")
	require.Equal(t, "200", send("", "/"))
}

func TestDestinationRulesThatAreExportedDifferently(t *testing.T) {
	rule := func(name, host, subset, version, exportTo string) string {
		return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s, namespace: bookinfo}
spec: {host: %q, exportTo: %s, subsets: [{name: %s, labels: {version: %s}}]}
`, name, host, exportTo, subset, version)
	}
	to := func(client string, documents ...string) string {
		server := bookinfo(t, documents...)
		setRules(t, server, "[{route: [{destination: {host: reviews, subset: v1}}]}]")
		mesh := fake.NewMesh(server, fake.Config{})
		c := mesh.Send(1, fake.Request{Host: "reviews.bookinfo", From: fake.Source{Namespace: client}})[0]
		return c.Workload + c.Flags
	}
	require.Equal(t, "reviews-v2", to(ns, rule("z", "reviews", "v1", "v2", "['.']")), "they are not merged, and the youngest counts")
	require.Equal(t, "reviews-v1", to("other", rule("z", "reviews", "v1", "v2", "['.']")), "of those that are seen")
	require.Equal(t, "NC", to(ns, rule("z", "reviews", "more", "v2", "[other, '.']")))
	require.Equal(t, "reviews-v2", to("other", rule("z", "reviews", "v1", "v2", "[other]"), rule("zz", "reviews", "more", "v1", "[other, third]")), "one that goes farther is merged as well")
	require.Equal(t, "reviews-v1", to("third", rule("z", "reviews", "v1", "v2", "[other]")))

	hidden := func(client string) string {
		server := apiserver.New()
		require.NoError(t, server.Load([]byte(service("shop", ns, 80)+"---"+
			rule("wild", "*.bookinfo.svc.cluster.local", "v1", "v1", "['*']")+"---"+rule("own", "shop", "v2", "v2", "[third]")+`---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: bookinfo}
spec: {hosts: [shop], http: [{route: [{destination: {host: shop, subset: v1}}]}]}
`)))
		mesh := fake.NewMesh(server, fake.Config{})
		return mesh.Send(1, fake.Request{Host: "shop.bookinfo", From: fake.Source{Namespace: client}})[0].Flags
	}
	require.Equal(t, "UH", hidden(ns), "one that is not for its own namespace is not there")
	require.Equal(t, "NC", hidden("other"), "but elsewhere it hides one for a pattern, seen or not")
}
