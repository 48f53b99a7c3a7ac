package fake_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// echo answers with what arrived: the Host, the path and the headers that a test
// may be about.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Up", "pod")
	w.Header().Set("X-Down", "pod")
	fmt.Fprintln(w, r.Host, r.RequestURI, r.URL.RequestURI())
	for _, name := range []string{"X-A", "X-B", "X-C", "X-Gone", "X-Envoy-Original-Host", "X-Envoy-Original-Path"} {
		if values := r.Header.Values(name); len(values) > 0 {
			fmt.Fprintln(w, name, strings.Join(values, "|"))
		}
	}
})

// asked sends a GET with headers by rules to pods that echo it.
func asked(t *testing.T, rules, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	mesh, entry, _ := entered(t, rules)
	mesh.Handle("reviews:1", echo)
	mesh.Handle("reviews:2", echo)
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return call(entry, r)
}

const (
	toArm1 = "destination: {host: reviews, subset: v1}"
	toArm2 = "destination: {host: reviews, subset: v2}"
)

func TestChangesOfRequestHeaders(t *testing.T) {
	cases := []struct{ name, rule, want string }{
		{"set replaces every value", "headers: {request: {set: {x-a: new}}}, route: [{" + toArm1 + "}]", "X-A new\nX-B c\n"},
		{"add keeps those that are there", "headers: {request: {add: {X-A: more}}}, route: [{" + toArm1 + "}]", "X-A a|b|more\nX-B c\n"},
		{"what is removed can be set again", "headers: {request: {remove: [x-a, X-B], set: {x-a: new}}}, route: [{" + toArm1 + "}]", "X-A new\n"},
		{"set comes before add", "headers: {request: {set: {x-a: new}, add: {x-a: more}}}, route: [{" + toArm1 + "}]", "X-A new|more\nX-B c\n"},
		{"of a lone destination join those of its rule", "headers: {request: {add: {x-a: rule}, set: {x-b: rule}}}, route: [{" + toArm1 + ", headers: {request: {set: {x-a: own, x-b: own}}}}]", "X-A own|rule\nX-B own\n"},
		{"of several destinations come before those of the rule", "headers: {request: {add: {x-a: rule}, set: {x-b: rule}, remove: [x-c]}}, route: [{" + toArm1 + ", weight: 1, headers: {request: {set: {x-a: own, x-b: own, x-c: own}}}}, {" + toArm2 + "}]", "X-A own|rule\nX-B rule\n"},
		{"may repeat a header", "headers: {request: {set: {x-c: '%REQ(x-a)% %REQ(no?x-b)%%REQ(no)% 100%%', x-gone: '%REQ(no)%'}}}, route: [{" + toArm1 + "}]", "X-A a|b\nX-B c\nX-C a c 100%\n"},
		{"read the request as it was before the first of them", "headers: {request: {set: {x-b: '%REQ(x-a)%', x-a: '%REQ(x-b)%'}}}, route: [{" + toArm1 + "}]", "X-A c\nX-B a\n"},
		{"but for what was removed", "headers: {request: {remove: [x-a], set: {x-b: '%REQ(x-a)%-'}}}, route: [{" + toArm1 + "}]", "X-B -\n"},
		{"know path, Host and method", "headers: {request: {set: {x-c: '%REQ(:method)% %REQ(:authority)%%REQ(:path)% %REQ(:scheme)% %PROTOCOL%'}}}, route: [{" + toArm1 + "}]", "X-A a|b\nX-B c\nX-C GET reviews.example.com/p?q=1 http HTTP/1.1\n"},
		{"leave alone what no list may change", "headers: {request: {remove: [':path', host], set: {':path': /no}}}, route: [{" + toArm1 + "}]", "X-A a|b\nX-B c\n"},
		{"that are empty change nothing", "headers: {request: {set: {x-a: '', x-b: '%REQ(no)%'}}}, route: [{" + toArm1 + "}]", "X-A a|b\nX-B c\n"},
		{"keep commands that are not simulated", "headers: {request: {set: {x-b: '%START_TIME%'}}}, route: [{" + toArm1 + "}]", "X-A a|b\nX-B %START_TIME%\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := asked(t, "[{"+c.rule+"}]", "/p?q=1", "x-a", "a", "x-a", "b", "x-b", "c")
			require.Equal(t, "reviews.example.com /p?q=1 /p?q=1\n"+c.want, w.Body.String())
		})
	}
}

func TestValuesMayBeCut(t *testing.T) {
	w := asked(t, "[{headers: {request: {set: {x-c: '%REQ(x-a):2%%REQ(x-b):9%'}}}, route: [{"+toArm1+"}]}]", "/", "x-a", "abc", "x-b", "d")
	require.Contains(t, w.Body.String(), "X-C abd\n")
}

func TestTheHostIsRewrittenByOneOfThreePlaces(t *testing.T) {
	own := "route: [{" + toArm1 + ", headers: {request: {set: {host: own.example}}}}]"
	several := "route: [{" + toArm1 + ", weight: 1, headers: {request: {set: {':authority': own.example}}}}, {" + toArm2 + "}]"
	cases := []struct{ name, rule, host, original string }{
		{"the rule's rewrite", "rewrite: {authority: other.example}, route: [{" + toArm1 + "}]", "other.example", "reviews.example.com"},
		{"the rule's headers", "headers: {request: {add: {Host: other.example}}}, route: [{" + toArm1 + "}]", "other.example", "reviews.example.com"},
		{"a lone destination's headers", own, "own.example", "reviews.example.com"},
		{"a lone destination below a rule", "rewrite: {authority: other.example}, " + own, "other.example", "reviews.example.com"},
		{"one of several destinations", several, "own.example", ""},
		{"one of several destinations below a rule", "rewrite: {authority: other.example}, " + several, "other.example", "own.example"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := c.host + " / /\n"
			if c.original != "" {
				want += "X-Envoy-Original-Host " + c.original + "\n"
			}
			require.Equal(t, want, asked(t, "[{"+c.rule+"}]", "/").Body.String())
		})
	}
}

func TestOfSeveralHostsTheSameOneCountsInEveryRun(t *testing.T) {
	for range 20 {
		body := asked(t, "[{route: [{"+toArm1+", headers: {request: {set: {host: b, ':authority': a, Host: c}}}}]}]", "/").Body.String()
		require.Contains(t, body, "b / /\n")
	}
}

func TestChangesOfAnswers(t *testing.T) {
	const rule = "headers: {response: {set: {x-l: rule, x-r: '%REQ(x-in)% %RESP(x-up)% %RESPONSE_CODE% %RESPONSE_FLAGS%'}, add: {x-m: rule}, remove: [x-down]}}"
	const own = ", weight: 1, headers: {request: {set: {x-in: changed}}, response: {set: {x-l: own}, add: {x-m: own}}}}, {" + toArm2 + "}]"
	cases := []struct {
		name, rules string
		code        int
		level       string
		values      []string
		repeated    string
	}{
		{"of a pod", rule + ", route: [{" + toArm1 + "}]", 200, "rule", []string{"rule"}, "sent pod 200 -"},
		{"of a pod among several destinations", rule + ", route: [{" + toArm1 + own, 200, "rule", []string{"own", "rule"}, "changed pod 200 -"},
		{"of a redirect", rule + ", redirect: {uri: /x}", 301, "rule", []string{"rule"}, "sent  0 -"},
		{"of a direct response", rule + ", directResponse: {status: 418}", 418, "rule", []string{"rule"}, "sent  0 -"},
		{"of an abort", rule + ", fault: {abort: {httpStatus: 599, percentage: {value: 100}}}, route: [{" + toArm1 + own, 599, "rule", []string{"own", "rule"}, "sent  0 FI"},
		{"without a cluster", rule + ", route: [{destination: {host: reviews, subset: v9}}]", 503, "rule", []string{"rule"}, "sent  0 NC"},
		{"without a pod", rule + ", headers: {response: {set: {x-r: '%REQ(x-in)% %RESP(x-up)% 0 UH'}}}, route: [{destination: {host: reviews, subset: v3}" + own, 503, "own", []string{"own"}, "changed  0 UH"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := asked(t, "[{"+c.rules+"}]", "/", "x-in", "sent")
			require.Equal(t, c.code, w.Code)
			require.Equal(t, c.level, w.Header().Get("X-L"))
			require.Equal(t, c.values, w.Header().Values("X-M"))
			require.Equal(t, c.repeated, w.Header().Get("X-R"))
			require.Empty(t, w.Header().Get("X-Down"))
		})
	}
}

func TestCopiesCarryTheChangesOfTheirRequest(t *testing.T) {
	mesh, entry, _ := entered(t, "[{match: [{uri: {prefix: /old}}], rewrite: {uri: /new, authority: other.example}, headers: {request: {set: {x-a: new}}}, route: [{"+toArm1+"}], mirror: {host: reviews, subset: v2}}]")
	mesh.Handle("reviews:1", echo)
	copied := make(chan string, 1)
	mesh.Handle("reviews:2", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w := httptest.NewRecorder()
		echo.ServeHTTP(w, r)
		body, err := io.ReadAll(w.Body)
		if err == nil {
			copied <- string(body)
		}
	}))
	w := call(entry, httptest.NewRequest(http.MethodGet, "/old/x", nil))
	require.Equal(t, "other.example /new/x /new/x\nX-A new\nX-Envoy-Original-Host reviews.example.com\nX-Envoy-Original-Path /old/x\n", w.Body.String())
	require.Equal(t, w.Body.String(), <-copied)
}

func TestADelegateInheritsEveryChange(t *testing.T) {
	const root = "headers: {request: {set: {x-a: root}}}, rewrite: {uri: /root/}"
	for below, want := range map[string]string{
		"": "/root/p\nX-A root",
		"headers: {request: {set: {x-b: own}}}, rewrite: {uri: /own/}, ": "/own/p\nX-B own",
	} {
		mesh := delegated(t, root, "{"+below+"route: [{"+toArm1+"}]}")
		mesh.Handle("reviews:1", echo)
		body := bodyAt(mesh.Entry(visitor.From), "/p")
		require.Contains(t, body, want, "a delegate's own lists replace those of its root")
	}
}

// bodyAt returns the body of the answer to a GET of a path.
func bodyAt(h http.Handler, path string) string {
	return call(h, httptest.NewRequest(http.MethodGet, path, nil)).Body.String()
}
