package fake_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// virtualService is one with the given http rules.
func virtualService(name, namespace, spec, rules string) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: %s}
spec:
  %s
  http: [%s]
`, name, namespace, spec, rules)
}

// bad is a rule that every validation takes and no Envoy.
const bad = "headers: {response: {set: {x-a: '%NOPE%'}}}, directResponse: {status: 200}"

// spoiling is one that costs a proxy the tables of its other ports too.
const spoiling = "directResponse: {status: 600}"

func TestWhatNoEnvoyTakes(t *testing.T) {
	to := ", route: [{" + toArm1 + "}]"
	of := func(value string) string { return "headers: {request: {set: {x-a: " + value + "}}}" + to }
	cases := []struct{ name, rule, why string }{
		{"status of a direct response", spoiling, "directResponse.status: status 600"},
		{"low status of a direct response", "directResponse: {status: 199}", "status 199"},
		{"status of an abort", "fault: {abort: {httpStatus: 600, percentage: {value: 0}}}" + to, "fault.abort.httpStatus: status 600"},
		{"code of a redirect", "redirect: {uri: /, redirectCode: 304}", "redirect.redirectCode 304"},
		{"authority of a redirect", `redirect: {authority: "a\nb"}`, "redirect.authority: a line break"},
		{"path of a redirect", `redirect: {uri: "/a\rb"}`, "redirect.uri"},
		{"prefix of a redirect", `match: [{uri: {prefix: /}}], redirect: {prefixRewrite: "/a\nb"}`, "redirect.prefixRewrite"},
		{"rewritten path", `rewrite: {uri: "/a\nb"}` + to, "rewrite.uri"},
		{"rewritten Host", `rewrite: {authority: "a\nb"}` + to, "rewrite.authority"},
		{"substitution", `rewrite: {uriRegexRewrite: {match: a, rewrite: "\n"}}` + to, "rewrite.uriRegexRewrite"},
		{"expression to rewrite", "rewrite: {uriRegexRewrite: {match: '" + strings.Repeat("a{1000}", 33) + "', rewrite: b}}" + to, "about 33004 instructions"},
		{"unknown command", of("'%NOPE%'"), "request headers: x-a: unknown command %NOPE%"},
		{"command in lower case", of("'%req(a)%'"), `"%req(a)%" does not begin with a command`},
		{"command without parameter", of("'%REQ%'"), "needs a parameter"},
		{"command with one too many", of("'%PROTOCOL(a)%'"), "takes no parameter"},
		{"three headers", of("'%REQ(a?b?c)%'"), "more than two headers"},
		{"header that is none", of("'%REQ(a b)%'"), "invalid header name"},
		{"two headers in one", of("'%REQ(a:b)%'"), "invalid header name"},
		{"empty name of a header", "headers: {request: {remove: ['']}}" + to, "empty header name"},
		{"too many headers", "headers: {response: {add: {" + manyHeaders("x", 1001) + "}}}" + to, "response headers: more than 1000 headers"},
		{"too many headers of one of two destinations", "route: [{" + toArm1 + ", weight: 1}, {" + toArm2 + ", weight: 1, headers: {request: {set: {" + manyHeaders("x", 1001) + "}}}}]", "route 1: request headers: more than 1000 headers"},
		{"too many headers of a rule and its only destination", "headers: {request: {set: {" + manyHeaders("a", 600) + "}}}, route: [{" + toArm1 + ", headers: {request: {add: {" + manyHeaders("b", 401) + "}}}}]", "request headers: more than 1000 headers"},
		{"long value", of("'" + strings.Repeat("x", 16<<10+1) + "'"), "more than 16384 bytes"},
		{"line break in a value", of(`"a\nb"`), "x-a: a line break"},
		{"line break in a name", `headers: {request: {set: {"a\nb": c}}}` + to, "a line break"},
		{"answer's headers", "headers: {response: {add: {x-a: '%NOPE%'}}}" + to, "response headers"},
		{"destination's headers", "route: [{" + toArm1 + ", weight: 1}, {" + toArm2 + ", weight: 1, headers: {request: {set: {a: '%NOPE%'}}}}]", "route 1: request headers"},
		{"large expression", "match: [{uri: {regex: '" + strings.Repeat("[a-z0-9]{1000}", 17) + "'}}]" + to, "match 0: uri: a regular expression of about 34004"},
		{"large expression for a header", "match: [{headers: {a: {regex: '" + strings.Repeat("(a){1000}", 12) + "'}}}]" + to, "header a: a regular expression"},
		{"parameter without a name", "match: [{queryParams: {'': {exact: a}}}]" + to, "the name of a query parameter"},
		{"parameter with a long name", "match: [{queryParams: {? " + strings.Repeat("a", 1025) + " : {exact: a}}}]" + to, "1025 bytes"},
		{"empty prefix", "match: [{queryParams: {a: {prefix: ''}}}]" + to, "query parameter a: an empty prefix"},
		{"large origin", "corsPolicy: {allowOrigins: [{regex: '" + strings.Repeat(".{1000}", 17) + "'}]}" + to, "corsPolicy.allowOrigins 0"},
		{"weights", "route: [{" + toArm1 + ", weight: 2147483647}, {" + toArm2 + ", weight: 2147483647}, {destination: {host: reviews}, weight: 2}]", "the weights sum to 4294967296"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := bookinfo(t)
			mesh := fake.NewMesh(server, fake.Config{})
			require.Empty(t, mesh.Refused())
			setRules(t, server, "[{name: r, "+c.rule+"}]")
			require.Empty(t, mesh.Problems())
			require.Len(t, mesh.Refused(), 1)
			require.ErrorContains(t, mesh.Refused()[0], "fake: virtualservices bookinfo/reviews: http rule 0 \"r\": ")
			require.ErrorContains(t, mesh.Refused()[0], c.why)
			within(t, 100_000, 0.2, mesh.Send(100_000, client).To("reviews-v2"))
			within(t, 100_000, 0.2, mesh.Send(100_000, visitor).To("reviews-v2"))

			never := fake.NewMesh(server, fake.Config{})
			require.Equal(t, "NR", never.Send(1, client)[0].Flags, "a proxy that never took a table knows no route")
			setRules(t, server, "[{route: [{"+toArm1+"}]}]")
			for _, m := range []*fake.Mesh{mesh, never} {
				require.Empty(t, m.Refused())
				require.EqualValues(t, 10, m.Send(10, client).To("reviews-v1"))
			}
		})
	}
}

func manyHeaders(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s-%d: a, ", prefix, i)
	}
	return b.String()
}

func TestWhatEveryEnvoyTakes(t *testing.T) {
	to := ", route: [{" + toArm1 + "}]"
	for _, rule := range []string{
		"directResponse: {status: 599, body: {string: '" + strings.Repeat("x", 5000) + "'}}",
		"headers: {request: {set: {" + manyHeaders("x", 600) + "}}}, route: [{" + toArm1 + ", weight: 1, headers: {request: {set: {" + manyHeaders("y", 600) + "}}}}, {" + toArm2 + ", weight: 1}]",
		"headers: {request: {set: {x-a: '100%% %START_TIME(%s)% %REQ(:path)%', 'a b': c}, remove: [x-b]}}" + to,
		"match: [{uri: {regex: '" + strings.Repeat("(?:a*b){1000}", 12) + "'}}]" + to,
		"match: [{uri: {regex: '" + strings.Repeat("[^/]{1000}", 12) + `\w{9}'}}]` + to,
		"match: [{uri: {regex: '(?:a?){1000}(ab|c+){5,9}(?s).\\d{3,}'}}, {uri: {prefix: ''}}]" + to,
		"route: [{" + toArm1 + ", weight: 2147483647}, {" + toArm2 + ", weight: 2147483647}, {destination: {host: reviews}, weight: 1}]",
		"redirect: {authority: 'a b', uri: no-slash, port: 1}",
		"rewrite: {uri: 'no slash', uriRegexRewrite: null}" + to,
	} {
		server := bookinfo(t)
		setRules(t, server, "[{"+rule+"}]")
		mesh := fake.NewMesh(server, fake.Config{})
		require.Empty(t, mesh.Problems())
		require.Empty(t, mesh.Refused(), rule)
	}
}
