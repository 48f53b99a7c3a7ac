package fake_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

func TestRewritesOfThePath(t *testing.T) {
	cases := []struct{ name, match, rewrite, path, want string }{
		{"a prefix is replaced", "{uri: {prefix: /old}}", "uri: /new", "/old/x?q=1", "/new/x?q=1"},
		{"also in the middle of a name", "{uri: {prefix: /old}}", "uri: /new", "/older", "/newer"},
		{"a prefix in any case is", "{uri: {prefix: /old}, ignoreUriCase: true}", "uri: /new", "/OLD/x", "/new/x"},
		{"an exact path is replaced as a whole", "{uri: {exact: /old}}", "uri: /new/", "/old?q=1", "/new/?q=1"},
		{"and what an expression matches", "{uri: {regex: '/o.*'}}", "uri: /new", "/old/x?q", "/new?q"},
		{"without a match the prefix is a slash", "{}", "uri: /new", "/old/x", "/newold/x"},
		{"the end of a prefix is part of it", "{uri: {prefix: /old/}}", "uri: /", "/old/x", "/x"},
		{"an expression is replaced wherever it matches", "{uri: {prefix: /old}}", "uriRegexRewrite: {match: '/([a-z]+)/x', rewrite: '/<\\1>'}", "/old/a/x/b/x?u=/a/x", "/old/<a>/<b>?u=/a/x"},
		{"or nowhere", "{}", "uriRegexRewrite: {match: zzz, rewrite: 'y'}", "/a", "/a"},
		{"backslashes are escaped by backslashes", "{}", `uriRegexRewrite: {match: 'a+', rewrite: '(\0\\)'}`, "/baab", `/b(aa\)b`},
		{"after a bad escape nothing comes", "{}", `uriRegexRewrite: {match: a, rewrite: 'c\q'}`, "/aba", "/cbc"},
		{"a group that the expression lacks", "{}", `uriRegexRewrite: {match: '(a)', rewrite: '\5'}`, "/a", "/a"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			body := asked(t, "[{match: ["+c.match+"], rewrite: {"+c.rewrite+"}, route: [{"+toArm1+"}]}]", c.path).Body.String()
			require.Equal(t, c.want, strings.Fields(body)[1])
			require.Contains(t, body, "X-Envoy-Original-Path "+c.path+"\n")
		})
	}
}

func TestAPathThatNoServerTakesArrivesAtAHandler(t *testing.T) {
	body := asked(t, "[{rewrite: {uriRegexRewrite: {match: '^.*$', rewrite: 'no slash'}}, route: [{"+toArm1+"}]}]", "/x").Body.String()
	require.Contains(t, body, "no slash")
}

func TestWhereARedirectLeads(t *testing.T) {
	cases := []struct{ name, match, redirect, host, path, want string }{
		{"another path keeps the query", "{}", "uri: /new", "a.example", "/x/y?q=1&r", "http://a.example/new?q=1&r"},
		{"unless it has its own", "{}", "uri: '/new?a=b'", "a.example", "/x?q=1", "http://a.example/new?a=b"},
		{"a path needs no slash", "{}", "uri: new", "a.example", "/x", "http://a.example/new"},
		{"an empty query stays one", "{}", "uri: /new", "a.example", "/x?", "http://a.example/new?"},
		{"another host keeps the path", "{}", "authority: b.example", "a.example", "/x?q", "http://b.example/x?q"},
		{"a prefix is replaced", "{uri: {prefix: /old}}", "prefixRewrite: /new", "a.example", "/old/x?q", "http://a.example/new/x?q"},
		{"another scheme", "{}", "scheme: https", "a.example", "/x", "https://a.example/x"},
		{"takes off the usual port", "{}", "scheme: https", "a.example:80", "/x", "https://a.example/x"},
		{"and no other", "{}", "scheme: https", "a.example:8080", "/x", "https://a.example:8080/x"},
		{"the same scheme takes off none", "{}", "scheme: http", "a.example:80", "/x", "http://a.example:80/x"},
		{"another port", "{}", "port: 8443", "a.example:80", "/x", "http://a.example:8443/x"},
		{"beside another host", "{}", "port: 7, authority: 'b.example:99'", "a.example", "/x", "http://b.example:99:7/x"},
		{"the usual port is not named", "{}", "port: 443, scheme: https", "a.example", "/x", "https://a.example/x"},
		{"the port that it came in by", "{}", "derivePort: FROM_REQUEST_PORT, scheme: https", "a.example", "/x", "https://a.example:80/x"},
		{"or that of the scheme", "{}", "derivePort: FROM_PROTOCOL_DEFAULT, uri: /y", "a.example:81", "/x", "http://a.example:81/y"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			mesh := loaded(t, `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: bookinfo}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
`, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: away, namespace: bookinfo}
spec: {hosts: ["*"], gateways: [edge], http: [{match: [`+c.match+"], redirect: {"+c.redirect+"}}]}\n")
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Host = c.host
			w := httptest.NewRecorder()
			mesh.Entry(fake.Source{Gateway: "bookinfo/edge"}).ServeHTTP(w, r)
			require.Equal(t, 301, w.Code)
			require.Equal(t, c.want, w.Header().Get("Location"))
		})
	}
}
