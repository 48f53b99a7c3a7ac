package fake_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// delegated returns a mesh in which a rule of reviews delegates to rules.
func delegated(t *testing.T, root, rules string) *fake.Mesh {
	server := bookinfo(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: details, namespace: bookinfo}
spec: {http: [`+rules+`]}
`)
	setRules(t, server, "[{"+root+", delegate: {name: details}}, {directResponse: {status: 202}}]")
	mesh := fake.NewMesh(server, fake.Config{})
	require.Empty(t, mesh.Problems())
	return mesh
}

func TestADelegateStaysWithinItsRoot(t *testing.T) {
	request := client
	request.Path = "/a/b?x=1"
	request.Headers = map[string]string{"x-user": "ada"}
	request.From.Labels = map[string]string{"app": "web"}
	cases := []struct {
		name, root, below string
		want              bool // whether the delegate answers
	}{
		{"a narrower prefix", "{uri: {prefix: /a}}", "{uri: {prefix: /a/}}", true},
		{"an exact path under a prefix", "{uri: {prefix: /a}}", "{uri: {exact: /a/b}}", true},
		{"a wider prefix", "{uri: {prefix: /a/b}}", "{uri: {prefix: /a}}", false},
		{"a prefix under an exact path", "{uri: {exact: /a/b}}", "{uri: {prefix: /a/b}}", false},
		{"the same exact path", "{uri: {exact: /a/b}}", "{uri: {exact: /a/b}}", true},
		{"a regex under a prefix", "{uri: {prefix: /a}}", "{uri: {regex: /a/b}}", false},
		{"anything under a regex", "{uri: {regex: '.*'}}", "{uri: {exact: /a/b}}", false},
		{"another part", "{uri: {regex: '.*'}}", "{method: {exact: GET}}", true},
		{"both parts must hold", "{method: {exact: PUT}}", "{uri: {prefix: /a}}", false},
		{"the same header", "{headers: {x-user: {prefix: a}}}", "{headers: {x-user: {exact: ada}}}", true},
		{"the header of another value", "{headers: {x-user: {exact: ada}}}", "{headers: {x-user: {prefix: a}}}", false},
		{"two headers", "{headers: {x-user: {exact: ada}}}", "{headers: {x-team: {exact: a}}}", false},
		{"a parameter", "{queryParams: {x: {exact: '1'}}}", "{queryParams: {x: {exact: '2'}}}", false},
		{"a header that must not be there", "{withoutHeaders: {y: {exact: a}}}", "{withoutHeaders: {y: {exact: b}}}", false},
		{"case is minded by one of them", "{uri: {prefix: /A}, ignoreUriCase: true}", "{method: {exact: GET}}", false},
		{"other ports", "{port: 9080}", "{port: 80}", false},
		{"a port of the root", "{port: 9080}", "{method: {exact: GET}}", true},
		{"a namespace of the root alone", "{sourceNamespace: bookinfo}", "{method: {exact: GET}}", false},
		{"the same namespace", "{sourceNamespace: bookinfo}", "{sourceNamespace: bookinfo}", true},
		{"other labels", "{sourceLabels: {app: web}}", "{sourceLabels: {app: job}}", false},
		{"more labels", "{sourceLabels: {app: web}}", "{sourceLabels: {tier: front}}", false},
		{"fewer gateways", "{gateways: [mesh, bookinfo]}", "{gateways: [mesh]}", true},
		{"more gateways", "{gateways: [mesh]}", "{gateways: [mesh, bookinfo]}", false},
		{"another gateway", "{gateways: [bookinfo]}", "{gateways: [mesh]}", false},
		{"one of the root's blocks is enough", "{uri: {prefix: /x}}, {uri: {prefix: /a}}", "{uri: {prefix: /a/b}}", true},
		{"each of its own must be within one", "{uri: {prefix: /a}}", "{uri: {prefix: /a/b}}, {uri: {prefix: /x}}", false},
		{"none of its own", "{uri: {prefix: /a}}", "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := 202
			if c.want {
				want = 201
			}
			mesh := delegated(t, "match: ["+c.root+"]", "{match: ["+c.below+"], directResponse: {status: 201}}")
			require.Equal(t, want, answer(mesh, request))
		})
	}
}

func TestWhatADelegateInherits(t *testing.T) {
	const n = 100_000
	route := "route: [{destination: {host: reviews, subset: v1}}]"
	copies := func(root, below string) uint64 {
		return delegated(t, root, "{"+below+route+"}").Send(n, client).Mirrored("reviews-v2")
	}
	mirror := "mirror: {host: reviews, subset: v2}"
	within(t, n, 0.1, copies("mirrorPercentage: {value: 10}", mirror+", "))
	within(t, n, 0.1, copies(mirror, "mirrorPercentage: {value: 10}, "))
	require.EqualValues(t, 2*n, copies("mirrors: [{destination: {host: reviews, subset: v2}}]", mirror+", "), "both")

	fault := "fault: {abort: {httpStatus: 418, percentage: {value: 100}}}"
	require.Equal(t, 418, answer(delegated(t, fault, "{"+route+"}"), client))
	require.Equal(t, 418, answer(delegated(t, "name: root", "{"+fault+", "+route+"}"), client))
}

func TestADelegateMayBeForSomeNamespacesOnly(t *testing.T) {
	server := bookinfo(t, vs("private", "other", "exportTo: ['.']", 201), vs("shared", "other", "exportTo: [bookinfo]", 202))
	setRules(t, server, "[{delegate: {name: private, namespace: other}}, {delegate: {name: shared, namespace: other}}]")
	require.Equal(t, 202, answer(fake.NewMesh(server, fake.Config{}), client))
}

// Seen on Envoy: an answer that an injected fault gives in the place of a redirect
// is left as it is.
func TestAnAbortedRedirectHasNoHeadersOfItsRule(t *testing.T) {
	mesh := delegated(t, "headers: {response: {set: {x-a: b}}}, fault: {abort: {httpStatus: 418, percentage: {value: 50}}}", "{redirect: {uri: /}}")
	seen := map[int]string{}
	for range 100 {
		request, answer := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		request.Host = client.Host
		mesh.Entry(client.From).ServeHTTP(answer, request)
		seen[answer.Code] = answer.Header().Get("X-A")
	}
	require.Equal(t, map[int]string{http.StatusMovedPermanently: "b", http.StatusTeapot: ""}, seen)
}
