package fake_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// first and second are the answers of two rules, of which the first has the
// match block under test.
const (
	first  = 201
	second = 202
)

func TestMatchBlocks(t *testing.T) {
	with := func(change func(*fake.Request)) fake.Request {
		r := client
		change(&r)
		return r
	}
	at := func(path string) fake.Request { return with(func(r *fake.Request) { r.Path = path }) }
	header := func(name, value string) fake.Request {
		return with(func(r *fake.Request) { r.Headers = map[string]string{name: value} })
	}
	cases := []struct {
		name, match string
		request     fake.Request
		want        bool
	}{
		{"an exact uri matches the whole path", "{uri: {exact: /a}}", at("/a?q=1"), true},
		{"an exact uri does not match a longer path", "{uri: {exact: /a}}", at("/a/b"), false},
		{"a prefix matches a longer path", "{uri: {prefix: /a}}", at("/a/b"), true},
		{"a prefix need not end at a slash", "{uri: {prefix: /a}}", at("/ab"), true},
		{"case matters in a uri", "{uri: {prefix: /a}}", at("/A"), false},
		{"case can be ignored in a prefix", "{uri: {prefix: /a}, ignoreUriCase: true}", at("/A/b"), true},
		{"case can be ignored in an exact uri", "{uri: {exact: /a}, ignoreUriCase: true}", at("/A"), true},
		{"case is never ignored in a regex", "{uri: {regex: /a}, ignoreUriCase: true}", at("/A"), false},
		{"a regex must match the full path", "{uri: {regex: '/a[0-9]+'}}", at("/a12/b"), false},
		{"a regex matches without the query", "{uri: {regex: '/a[0-9]+'}}", at("/a12?b"), true},
		{"the alternatives of a regex stay inside", "{uri: {regex: '/a|/b'}}", at("/bc"), false},
		{"the method matches", "{method: {exact: GET}}", client, true},
		{"another method does not", "{method: {exact: POST}}", client, false},
		{"the scheme matches", "{scheme: {exact: http}}", client, true},
		{"the authority is what the client named", "{authority: {exact: reviews}}", client, true},
		{"a header matches whatever its case", "{headers: {x-user: {exact: jason}}}", header("X-User", "jason"), true},
		{"a header is compared as a whole", "{headers: {x-user: {exact: jason}}}", header("x-user", "jason2"), false},
		{"an absent header matches nothing", "{headers: {x-user: {regex: '.*'}}}", client, false},
		{"an empty match asks whether the header is there", "{headers: {x-user: {}}}", header("x-user", ""), true},
		{"an empty match fails without the header", "{headers: {x-user: {}}}", client, false},
		{"a cookie is found by regex", `{headers: {cookie: {regex: '^(.*?;)?\s*(user=jason)(;.*)?$'}}}`, header("Cookie", "a=b; user=jason; c=d"), true},
		{"names of other parts are headers like any other", "{headers: {method: {exact: PUT}}}", client, false},
		{"without a header matches when it is absent", "{withoutHeaders: {x-user: {exact: jason}}}", client, true},
		{"without a header fails when it matches", "{withoutHeaders: {x-user: {exact: jason}}}", header("x-user", "jason"), false},
		{"without a header matches another value", "{withoutHeaders: {x-user: {exact: jason}}}", header("x-user", "ada"), true},
		{"without a header of any value, when it is there", "{withoutHeaders: {x-user: {}}}", header("x-user", "ada"), false},
		{"a star asks the same", "{withoutHeaders: {x-user: {regex: '*'}}}", header("x-user", ""), false},
		{"a star holds when it is not there", "{withoutHeaders: {x-user: {regex: '*'}}}", client, true},
		{"a query parameter matches", "{queryParams: {v: {exact: '2'}}}", at("/?a=1&v=2"), true},
		{"another value of a parameter does not", "{queryParams: {v: {exact: '2'}}}", at("/?v=3"), false},
		{"the first value of a parameter counts", "{queryParams: {v: {exact: '2'}}}", at("/?v=1&v=2"), false},
		{"a parameter is not decoded", "{queryParams: {v: {exact: '2'}}}", at("/?v=%32"), false},
		{"a parameter need not have a value", "{queryParams: {v: {}}}", at("/?v"), true},
		{"an absent parameter does not", "{queryParams: {v: {regex: '.*'}}}", at("/"), false},
		{"source labels match", "{sourceLabels: {app: web}}", with(func(r *fake.Request) { r.From.Labels = map[string]string{"app": "web", "x": "y"} }), true},
		{"other source labels do not", "{sourceLabels: {app: web}}", client, false},
		{"the source namespace matches", "{sourceNamespace: bookinfo}", client, true},
		{"another source namespace does not", "{sourceNamespace: default}", client, false},
		{"the port is that of the service", "{port: 9080}", client, true},
		{"another port does not match", "{port: 9081}", client, false},
		{"a sidecar is mesh", "{gateways: [mesh]}", client, true},
		{"a sidecar is no gateway", "{gateways: [bookinfo]}", client, false},
		{"a gateway is known by its short name", "{gateways: [bookinfo]}", visitor, true},
		{"a gateway is known by its full name", "{gateways: [bookinfo/bookinfo]}", visitor, true},
		{"nothing counts beside gateways", "{gateways: [mesh], sourceLabels: {app: nobody}, sourceNamespace: none}", client, true},
		{"all conditions of a block must hold", "{uri: {prefix: /}, method: {exact: PUT}}", client, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := bookinfo(t)
			setRules(t, server, "[{match: ["+c.match+"], directResponse: {status: 201}}, {directResponse: {status: 202}}]")
			mesh := fake.NewMesh(server, fake.Config{})
			want := second
			if c.want {
				want = first
			}
			result := mesh.Send(1, c.request)
			require.Empty(t, mesh.Problems())
			require.Equal(t, fake.Result{{Outcome: fake.Outcome{Code: want}, N: 1}}, result)
		})
	}
}

// answer returns the status of one request.
func answer(mesh *fake.Mesh, r fake.Request) int { return mesh.Send(1, r)[0].Code }

func TestRules(t *testing.T) {
	cases := []struct {
		name, rules string
		want        int
		flags       string
	}{
		{"the first match wins", "[{match: [{uri: {prefix: /}}], directResponse: {status: 201}}, {match: [{uri: {prefix: /}}], directResponse: {status: 202}}]", 201, ""},
		{"one match block is enough", "[{match: [{method: {exact: PUT}}, {method: {exact: GET}}], directResponse: {status: 201}}]", 201, ""},
		{"after a catch-all nothing is reached", "[{directResponse: {status: 201}}, {match: [{uri: {prefix: /}}], directResponse: {status: 202}}]", 201, ""},
		{"no match is 404 NR", "[{match: [{method: {exact: PUT}}], directResponse: {status: 201}}]", 404, "NR"},
		{"a redirect is 301 unless it says otherwise", "[{redirect: {uri: /new}}]", 301, ""},
		{"a redirect with its own code", "[{redirect: {uri: /new, redirectCode: 307}}]", 307, ""},
		{"a missing subset is 503 NC", "[{route: [{destination: {host: reviews, subset: v9}}]}]", 503, "NC"},
		{"an unknown host is 503 NC", "[{route: [{destination: {host: nobody}}]}]", 503, "NC"},
		{"a half qualified host is not a service", "[{route: [{destination: {host: reviews.bookinfo}}]}]", 503, "NC"},
		{"a port that the service lacks is 503 NC", "[{route: [{destination: {host: reviews, port: {number: 1}}}]}]", 503, "NC"},
		{"a port that the service has", "[{route: [{destination: {host: reviews, port: {number: 9080}}}]}]", 200, ""},
		{"a subset without pods is 503 UH", "[{route: [{destination: {host: reviews, subset: v3}}]}]", 503, "UH"},
		{"an abort without percentage takes nothing", "[{fault: {abort: {httpStatus: 418}}, route: [{destination: {host: reviews}}]}]", 200, ""},
		{"an abort of everything takes all", "[{fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, route: [{destination: {host: reviews}}]}]", 418, "FI"},
		{"an abort with a status of gRPC is 200", "[{fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}, route: [{destination: {host: reviews}}]}]", 200, "FI"},
		{"an abort of nothing takes nothing", "[{fault: {abort: {httpStatus: 418, percentage: {value: 0}}}, route: [{destination: {host: reviews}}]}]", 200, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := bookinfo(t)
			setRules(t, server, c.rules)
			mesh := fake.NewMesh(server, fake.Config{})
			result := mesh.Send(1, client)
			require.Empty(t, mesh.Problems())
			require.Len(t, result, 1)
			require.Equal(t, c.want, result[0].Code)
			require.Equal(t, c.flags, result[0].Flags)
		})
	}
}

func TestAnAbortTakesItsShare(t *testing.T) {
	server := bookinfo(t)
	setRules(t, server, "[{fault: {abort: {httpStatus: 503, percentage: {value: 10}}}, route: [{destination: {host: reviews}}]}]")
	mesh := fake.NewMesh(server, fake.Config{})
	result := mesh.Send(100_000, client)
	within(t, 100_000, 0.1, result.Failed())
	require.Zero(t, result.Broken(), "it was asked for")
}

func TestAHeaderThatIsThereTwiceIsTheSameInEveryRun(t *testing.T) {
	mesh, _, _ := entered(t, "[{match: [{headers: {x-a: {exact: one}}}], route: [{"+toArm1+"}]}]")
	r := client
	r.Headers = map[string]string{"X-A": "one", "x-a": "two", "X-a": "three"}
	for range 100 {
		require.EqualValues(t, 1, mesh.Send(1, r).To("reviews-v1"))
	}
}

func TestMistakesAreToldInTheSameOrderInEveryRun(t *testing.T) {
	problem := func() string {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{})
		setRules(t, server, "[{match: [{headers: {a: {regex: '('}, b: {regex: '['}, c: {regex: ')'}}}], route: [{"+toArm1+"}]}]")
		require.Len(t, mesh.Problems(), 1)
		return mesh.Problems()[0].Error()
	}
	for first := range 20 {
		require.Equal(t, problem(), problem(), first)
	}
}
