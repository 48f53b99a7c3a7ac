package fake_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

// A stranger's object takes all routes of the proxies that are told of it.
func TestWhomABadRuleFreezes(t *testing.T) {
	const gateway = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: stranger}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}, {port: {number: 81, name: more, protocol: HTTP}, hosts: ["*.example.org"]}]}
`
	const everyone = "sidecar other gateway stranger"
	cases := []struct{ name, spec, rules, frozen string }{
		{"an object for all, on port 9080", "hosts: [s.example.com, own]", "{" + bad + "}", "sidecar other"},
		{"on another port", "hosts: [s.example.com]", "{" + bad + "}", "sidecar other"},
		{"on another port of a service", "hosts: [elsewhere]", "{" + bad + "}", "sidecar other"},
		{"exported to one namespace", "hosts: [own]\n  exportTo: [other]", "{" + bad + "}", "other"},
		{"exported to its own namespace", "hosts: [own]\n  exportTo: ['.']", "{" + bad + "}", ""},
		{"for sidecars of one namespace", "hosts: [own]", "{match: [{sourceNamespace: other}], " + bad + "}", "other"},
		{"for sidecars with a label", "hosts: [own]", "{match: [{sourceLabels: {app: other}}], " + bad + "}", "other"},
		{"for another port", "hosts: [own]", "{match: [{port: 80}], " + bad + "}", "sidecar other"},
		{"for a gateway", "hosts: [s.example.com]\n  gateways: [bookinfo/bookinfo]", "{" + bad + "}", ""},
		{"for a gateway and its host", "hosts: [reviews.example.com]\n  gateways: [bookinfo/bookinfo]", "{" + bad + "}", "gateway"},
		{"for a gateway in a match block", "hosts: [own, reviews.example.com]\n  gateways: [mesh, bookinfo/bookinfo]", "{match: [{gateways: [bookinfo/bookinfo]}], " + bad + "}", "gateway"},
		{"for a gateway of its own", "hosts: [s.example.com]\n  gateways: [edge]", "{" + bad + "}", "stranger"},
		{"for another port of the gateway", "hosts: [s.example.org]\n  gateways: [edge]", "{" + bad + "}", "stranger"},
		{"for all hosts of gateways", "hosts: ['*']\n  gateways: [edge, bookinfo/bookinfo]", "{match: [{uri: {exact: /x}}], " + bad + "}", "gateway stranger"},
		{"for all services", "hosts: ['*.local', '*.com']\n  gateways: [mesh, edge, bookinfo/bookinfo]", "{match: [{uri: {exact: /x}}], " + bad + "}", everyone},
		{"after a rule for everything", "hosts: [own]", "{route: [{destination: {host: own}}]}, {" + bad + "}", ""},
		{"after one for everything of another proxy", "hosts: [own]", "{match: [{sourceNamespace: other}], route: [{destination: {host: own}}]}, {" + bad + "}", "sidecar"},
		{"shadowed by an older object", "hosts: [reviews.bookinfo.svc.cluster.local]", "{" + bad + "}", ""},
		{"shadowed for one of its hosts", "hosts: [reviews.bookinfo.svc.cluster.local, own]", "{" + bad + "}", "sidecar other"},
		{"in a delegate that nobody uses", "exportTo: ['*']", "{" + bad + "}", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bookinfo(t, gateway, service("own", "stranger", 9080), service("elsewhere", "stranger", 81),
					virtualService("by-stranger", "stranger", "hosts: [shop.example.com]\n  gateways: [edge]", "{route: [{destination: {host: reviews.bookinfo.svc.cluster.local, subset: v1}}]}"))
				setWeights(t, server, 100, 0)
				mesh := fake.NewMesh(server, fake.Config{})
				time.Sleep(time.Second)
				require.NoError(t, server.Load([]byte(virtualService("z", "stranger", c.spec, c.rules))))
				time.Sleep(time.Second)
				setWeights(t, server, 0, 100)
				require.NoError(t, server.Update(virtualservices, "stranger", "by-stranger", func(o map[string]any) {
					path(o, "spec", "http", 0, "route", 0, "destination").(map[string]any)["subset"] = "v2"
				}))
				time.Sleep(time.Second)
				require.Equal(t, c.frozen, frozen(mesh))
				refused := refusing(t, mesh)
				for name, proxy := range map[string]string{
					"sidecar": "productpage.bookinfo", "other": "client.other", "gateway": "istio-ingressgateway.istio-system", "stranger": "edge.istio-system",
				} {
					require.Equal(t, strings.Contains(c.frozen, name), strings.Contains(refused, proxy), refused)
				}
				require.NoError(t, server.Delete(virtualservices, "stranger", "z"))
				time.Sleep(time.Second)
				require.Empty(t, frozen(mesh), "it heals")
				require.Empty(t, mesh.Refused())
			})
		})
	}
}

// frozen returns which clients still reach the old version only.
func frozen(mesh *fake.Mesh) string {
	var old []string
	for _, c := range []struct {
		name    string
		request fake.Request
	}{
		{"sidecar", client},
		{"other", fake.Request{Host: "reviews.bookinfo", From: fake.Source{Namespace: "other", Labels: map[string]string{"app": "other"}}}},
		{"gateway", visitor},
		{"stranger", fake.Request{Host: "shop.example.com", From: fake.Source{Gateway: "stranger/edge", Workload: "edge"}}},
	} {
		if mesh.Send(10, c.request).To("reviews-v1") == 10 {
			old = append(old, c.name)
		}
	}
	return strings.Join(old, " ")
}

func TestADelegateFreezesThePortsOfItsRoot(t *testing.T) {
	server := bookinfo(t)
	setRules(t, server, "[{match: [{uri: {prefix: /a}}], delegate: {name: details}}, {route: [{"+toArm1+"}]}]")
	mesh := fake.NewMesh(server, fake.Config{})
	require.NoError(t, server.Load([]byte(virtualService("details", ns, "exportTo: ['*']", "{match: [{uri: {prefix: /b}}], "+bad+"}"))))
	require.Empty(t, mesh.Refused(), "it is no rule of the root's")
	require.NoError(t, server.Update(virtualservices, ns, "details", func(o map[string]any) {
		path(o, "spec", "http", 0, "match", 0, "uri").(map[string]any)["prefix"] = "/a/b"
	}))
	require.EqualError(t, mesh.Refused()[0], `fake: virtualservices bookinfo/reviews: http rule 0 "": delegate bookinfo/details: http rule 0 "": response headers: x-a: unknown command %NOPE%`)
	setRules(t, server, "[{match: [{uri: {prefix: /a}}], delegate: {name: details}}, {route: [{"+toArm2+"}]}]")
	require.EqualValues(t, 10, mesh.Send(10, client).To("reviews-v1"))
	require.NoError(t, server.Delete(virtualservices, ns, "details"))
	require.EqualValues(t, 10, mesh.Send(10, client).To("reviews-v2"))
}

func TestAFrozenProxyStillLearnsOfPodsAndSubsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{})
		setWeights(t, server, 100, 0)
		time.Sleep(time.Second)
		require.NoError(t, server.Load([]byte(virtualService("z", ns, "hosts: [s.example.com]", "{"+bad+"}"))))
		setRules(t, server, "[{"+bad+"}]")
		time.Sleep(time.Second)
		require.EqualValues(t, 10, mesh.Send(10, client).To("reviews-v1"))
		setSpec(t, server, "reviews-v1", "replicas", 0)
		time.Sleep(time.Minute)
		require.Equal(t, "UH", mesh.Send(1, client)[0].Flags)
		require.NoError(t, server.Delete("destinationrules.networking.istio.io", ns, "reviews"))
		time.Sleep(time.Second)
		require.Equal(t, "NC", mesh.Send(1, client)[0].Flags)
	})
}

func TestEachProxyKeepsTheLastTableThatItTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, service("own", "stranger", 9080))
		mesh := fake.NewMesh(server, fake.Config{})
		step := func(stable int, change func()) {
			setWeights(t, server, stable, 100-stable)
			time.Sleep(time.Second)
			change()
			time.Sleep(time.Second)
		}
		load := func(name, spec string) func() {
			return func() {
				require.NoError(t, server.Load([]byte(virtualService(name, "stranger", spec, "{"+bad+"}"))))
			}
		}
		remove := func(name string) func() {
			return func() { require.NoError(t, server.Delete(virtualservices, "stranger", name)) }
		}
		shares := func() string {
			const n = 100_000
			percent := func(r fake.Request) int { return int(mesh.Send(n, r).To("reviews-v1")+n/200) * 100 / n }
			other := fake.Request{Host: "reviews.bookinfo", From: fake.Source{Namespace: "other"}}
			return fmt.Sprint(percent(client), percent(other), percent(visitor))
		}
		step(90, load("for-other", "hosts: [own]\n  exportTo: [other]"))
		step(80, load("for-bookinfo", "hosts: [own]\n  exportTo: [bookinfo]"))
		step(70, func() {})
		require.Equal(t, "80 90 70", shares())
		require.Len(t, mesh.Refused(), 2)
		step(60, remove("for-other"))
		require.Equal(t, "80 60 60", shares())
		step(50, load("for-other", "hosts: [own]\n  exportTo: [other]"))
		step(40, remove("for-bookinfo"))
		require.Equal(t, "40 50 40", shares())
		step(30, remove("for-other"))
		require.Equal(t, "30 30 30", shares())
	})
}

// Weights that move while a bad object stays cost no memory, and objects that
// come and go cost little.
func TestWhatIsKeptForFrozenProxiesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, service("own", "stranger", 9080))
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{Spread: time.Second})
		for i := range 100 {
			name, last := fmt.Sprint("z", i), fmt.Sprint("z", i-1)
			require.NoError(t, server.Load([]byte(virtualService(name, "stranger", "hosts: [own]", "{"+bad+"}"))))
			time.Sleep(2 * time.Second)
			if i > 0 {
				require.NoError(t, server.Delete(virtualservices, "stranger", last))
			}
			for weight := range 10 {
				setWeights(t, server, weight, 100-weight)
				time.Sleep(2 * time.Second)
			}
			require.EqualValues(t, 10, mesh.Send(10, client).To("reviews-v1"))
			require.LessOrEqual(t, fake.Kept(mesh), 2*64)
		}
	})
}

func TestWhatWasNeverToldWasNeverTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, service("own", "stranger", 9080))
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{})
		mesh.Stall(true)
		time.Sleep(time.Second)
		setWeights(t, server, 0, 100)
		time.Sleep(time.Second)
		require.NoError(t, server.Load([]byte(virtualService("z", "stranger", "hosts: [own]", "{"+bad+"}"))))
		time.Sleep(time.Second)
		mesh.Stall(false)
		require.EqualValues(t, 10, mesh.Send(10, client).To("reviews-v1"))
	})
}

// stranger keeps a bad object in another namespace from a moment on.
func stranger(t *testing.T, server *apiserver.Server, after time.Duration) {
	time.AfterFunc(after, func() {
		require.NoError(t, server.Load([]byte(virtualService("z", "stranger", "hosts: [own]", "{"+bad+"}"))))
	})
}

// E40: the API server shows the weights of a rollback, and the proxies keep those
// of before, until the stranger's object is gone.
func TestAStrangersObjectFreezesTheWeightsOfARollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, service("own", "stranger", 9080))
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{Seed: 6})
		stranger(t, server, 7*time.Minute)
		runner := rollout(t, server, &canarytest.Judge{})
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
		defer cancel()
		_, err := runner.Run(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		before := mesh.Send(100_000, client).To("reviews-v2")
		require.NotZero(t, before)

		setWeights(t, server, 100, 0) // an abort by hand
		time.Sleep(time.Hour)
		after := mesh.Send(100_000, client).To("reviews-v2")
		require.InDelta(t, float64(before), float64(after), 2000, "nothing moves")
		require.Zero(t, mesh.Send(1000, visitor).To("reviews-v2"), "gateways are not told of it")
		require.ErrorContains(t, mesh.Refused()[0], "virtualservices stranger/z")

		require.NoError(t, server.Delete(virtualservices, "stranger", "z"))
		require.Zero(t, mesh.Send(1000, client).To("reviews-v2"))
	})
}

func TestARealRequestMeetsAFrozenProxy(t *testing.T) {
	mesh, entry, server := entered(t, "[{headers: {response: {set: {x-rule: first}}}, route: [{"+toArm1+"}]}]")
	mesh.Handle("reviews:1", says("one"))
	setRules(t, server, "[{headers: {response: {set: {x-rule: '%NOPE%'}}}, route: [{"+toArm2+"}]}]")
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = visitor.Host
	entry.ServeHTTP(w, r)
	require.Equal(t, "one", w.Body.String())
	require.Equal(t, "first", w.Header().Get("X-Rule"))
}
