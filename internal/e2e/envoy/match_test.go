package envoy

import (
	"net/http"
	"net/http/httptest"
	"testing"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func exact(s string) *matcher.StringMatcher {
	return &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_Exact{Exact: s}}
}

func regex(s string) *matcher.StringMatcher {
	return &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_SafeRegex{SafeRegex: &matcher.RegexMatcher{Regex: s}}}
}

func TestTheMostSpecificVirtualHostIsTaken(t *testing.T) {
	table := &route.RouteConfiguration{IgnorePortInHostMatching: true}
	for _, domain := range []string{"*", "a.*", "a.b.*", "*.example.com", "*.b.example.com", "www.b.example.com", "Upper.example.com"} {
		table.VirtualHosts = append(table.VirtualHosts, &route.VirtualHost{Name: domain, Domains: []string{"other-" + domain, domain}})
	}
	for authority, want := range map[string]string{
		"www.b.example.com":    "www.b.example.com",
		"WWW.b.example.com:80": "www.b.example.com",
		"x.b.example.com":      "*.b.example.com",
		"b.example.com":        "*.example.com",
		"a.b.example.com":      "*.b.example.com", // the end is looked at before the beginning
		"a.b.net":              "a.b.*",
		"a.net":                "a.*",
		"a.":                   "*",
		"example.com":          "*",
		"upper.example.com":    "Upper.example.com",
		"[::1]:80":             "*",
	} {
		require.Equal(t, want, virtualHost(table, authority).GetName(), authority)
	}
	table.IgnorePortInHostMatching = false
	require.Equal(t, "*", virtualHost(table, "www.b.example.com:80").GetName())
	require.Nil(t, virtualHost(nil, "www.b.example.com"))
	require.Nil(t, virtualHost(&route.RouteConfiguration{VirtualHosts: table.VirtualHosts[1:]}, "nobody"))
}

// request is a GET with a header; "" is none.
func request(path, name, value string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if name != "" {
		r.Header.Set(name, value)
	}
	return r
}

func TestPaths(t *testing.T) {
	insensitive := wrapperspb.Bool(false)
	path := func(s string) *route.RouteMatch {
		return &route.RouteMatch{PathSpecifier: &route.RouteMatch_Path{Path: s}}
	}
	prefix := func(s string) *route.RouteMatch {
		return &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: s}}
	}
	separated := func(s string) *route.RouteMatch {
		return &route.RouteMatch{PathSpecifier: &route.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: s}}
	}
	full := func(s string) *route.RouteMatch {
		return &route.RouteMatch{PathSpecifier: &route.RouteMatch_SafeRegex{SafeRegex: &matcher.RegexMatcher{Regex: s}}}
	}
	folded := func(m *route.RouteMatch) *route.RouteMatch {
		m.CaseSensitive = insensitive
		return m
	}
	cases := []struct {
		name  string
		match *route.RouteMatch
		path  string
		want  bool
	}{
		{"a path without the query", path("/a"), "/a?b", true},
		{"no longer path", path("/a"), "/a/", false},
		{"not in another case", path("/a"), "/A", false},
		{"a path in any case", folded(path("/a")), "/A", true},
		{"a prefix", prefix("/a"), "/ab", true},
		{"a prefix in any case", folded(prefix("/A")), "/ab", true},
		{"a prefix that ends at a slash", separated("/a"), "/a/b", true},
		{"or at the end", separated("/a"), "/a", true},
		{"but nowhere else", separated("/a"), "/ab", false},
		{"a regex of the whole path", full("/[ab]+"), "/abba?c", true},
		{"not of its beginning", full("/a"), "/ab", false},
		{"not of its end", full("b"), "/ab", false},
		{"with all its alternatives", full("/a|/b"), "/ab", false},
		{"a regex minds the case whatever is said", folded(full("/a")), "/A", false},
		{"a path as it was sent", path("/a%20b"), "/a%20b", true},
	}
	for _, c := range cases {
		got, err := matches(c.match, request(c.path, "", ""))
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.name)
	}
}

func TestHeaders(t *testing.T) {
	present := &route.HeaderMatcher_PresentMatch{PresentMatch: true}
	absent := &route.HeaderMatcher_PresentMatch{PresentMatch: false}
	alice := &route.HeaderMatcher_StringMatch{StringMatch: exact("alice")}
	empty := &route.HeaderMatcher_StringMatch{StringMatch: exact("")}
	al := &route.HeaderMatcher_StringMatch{StringMatch: regex("al")}
	cases := []struct {
		name  string
		match *route.HeaderMatcher
		value string // "-" is none
		want  bool
	}{
		{"a value", &route.HeaderMatcher{HeaderMatchSpecifier: alice}, "alice", true},
		{"another value", &route.HeaderMatcher{HeaderMatchSpecifier: alice}, "bob", false},
		{"no value", &route.HeaderMatcher{HeaderMatchSpecifier: alice}, "-", false},
		{"a regex of the whole value", &route.HeaderMatcher{HeaderMatchSpecifier: al}, "alice", false},
		{"presence", &route.HeaderMatcher{HeaderMatchSpecifier: present}, "", true},
		{"no presence", &route.HeaderMatcher{HeaderMatchSpecifier: present}, "-", false},
		{"absence", &route.HeaderMatcher{HeaderMatchSpecifier: absent}, "-", true},
		{"not the value", &route.HeaderMatcher{HeaderMatchSpecifier: alice, InvertMatch: true}, "bob", true},
		{"not another value", &route.HeaderMatcher{HeaderMatchSpecifier: alice, InvertMatch: true}, "alice", false},
		{"nothing is no other value", &route.HeaderMatcher{HeaderMatchSpecifier: alice, InvertMatch: true}, "-", false},
		{"unless it counts as empty", &route.HeaderMatcher{HeaderMatchSpecifier: alice, InvertMatch: true, TreatMissingHeaderAsEmpty: true}, "-", true},
		{"which is a value", &route.HeaderMatcher{HeaderMatchSpecifier: empty, InvertMatch: true, TreatMissingHeaderAsEmpty: true}, "-", false},
		{"not there", &route.HeaderMatcher{HeaderMatchSpecifier: present, InvertMatch: true}, "-", true},
		{"there", &route.HeaderMatcher{HeaderMatchSpecifier: present, InvertMatch: true}, "alice", false},
		{"nothing said is presence", &route.HeaderMatcher{}, "alice", true},
	}
	for _, c := range cases {
		c.match.Name = "x-user"
		r := request("/", "", "")
		if c.value != "-" {
			r.Header.Set("X-User", c.value)
		}
		got, err := matchesHeader(c.match, r)
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.name)
	}
}

func TestPartsOfARequestAreHeaders(t *testing.T) {
	r := httptest.NewRequest(http.MethodPut, "http://reviews:9080/a?b", nil)
	r.URL.Scheme = ""
	r.Header.Add("x-user", "a")
	r.Header.Add("x-user", "b")
	for name, want := range map[string]string{
		":method": "PUT", ":authority": "reviews:9080", ":path": "/a?b", ":scheme": "http", "X-User": "a,b",
	} {
		got, ok := header(r, name)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
}

func TestParameters(t *testing.T) {
	present := &route.QueryParameterMatcher{
		Name: "x", QueryParameterMatchSpecifier: &route.QueryParameterMatcher_PresentMatch{PresentMatch: true},
	}
	value := func(m *matcher.StringMatcher) *route.QueryParameterMatcher {
		return &route.QueryParameterMatcher{Name: "x", QueryParameterMatchSpecifier: &route.QueryParameterMatcher_StringMatch{StringMatch: m}}
	}
	cases := []struct {
		name  string
		match *route.QueryParameterMatcher
		query string
		want  bool
	}{
		{"presence", present, "y&x", true},
		{"no presence", present, "y=x", false},
		{"nothing said is presence", &route.QueryParameterMatcher{Name: "x"}, "x=", true},
		{"a value", value(exact("1")), "y=2&x=1", true},
		{"the first value", value(exact("2")), "x=1&x=2", false},
		{"as it was sent", value(exact("1")), "x=%31", false},
		{"no value", value(regex(".*")), "", false},
	}
	for _, c := range cases {
		got, err := matchesParameter(c.match, c.query)
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.name)
	}
}

func TestAllConditionsMustHold(t *testing.T) {
	m := &route.RouteMatch{
		PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/a"},
		Headers: []*route.HeaderMatcher{
			{Name: "x-user", HeaderMatchSpecifier: &route.HeaderMatcher_StringMatch{StringMatch: exact("alice")}},
			{Name: ":method", HeaderMatchSpecifier: &route.HeaderMatcher_StringMatch{StringMatch: exact("GET")}},
		},
		QueryParameters: []*route.QueryParameterMatcher{{Name: "x"}},
	}
	for _, c := range []struct {
		request *http.Request
		want    bool
	}{
		{request("/a?x", "x-user", "alice"), true},
		{request("/b?x", "x-user", "alice"), false},
		{request("/a?x", "x-user", "bob"), false},
		{request("/a", "x-user", "alice"), false},
	} {
		got, err := matches(m, c.request)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

func TestTextInAnyCase(t *testing.T) {
	for _, m := range []*matcher.StringMatcher{
		{IgnoreCase: true, MatchPattern: &matcher.StringMatcher_Exact{Exact: "aBc"}},
		{IgnoreCase: true, MatchPattern: &matcher.StringMatcher_Prefix{Prefix: "aB"}},
		{IgnoreCase: true, MatchPattern: &matcher.StringMatcher_Suffix{Suffix: "Bc"}},
		{IgnoreCase: true, MatchPattern: &matcher.StringMatcher_Contains{Contains: "B"}},
	} {
		ok, err := matchesString(m, "AbC")
		require.NoError(t, err)
		require.True(t, ok, m)
		ok, err = matchesString(m, "xyz")
		require.NoError(t, err)
		require.False(t, ok, m)
	}
}

func TestAConditionThatIsNotUnderstoodIsAnError(t *testing.T) {
	any := &route.RouteMatch_Prefix{Prefix: "/"}
	path := func(m *matcher.StringMatcher) *route.HeaderMatcher {
		return &route.HeaderMatcher{Name: ":path", HeaderMatchSpecifier: &route.HeaderMatcher_StringMatch{StringMatch: m}}
	}
	for _, m := range []*route.RouteMatch{
		{},
		{PathSpecifier: &route.RouteMatch_ConnectMatcher_{}},
		{PathSpecifier: any, RuntimeFraction: &core.RuntimeFractionalPercent{}},
		{PathSpecifier: any, Grpc: &route.RouteMatch_GrpcRouteMatchOptions{}},
		{PathSpecifier: any, TlsContext: &route.RouteMatch_TlsContextMatchOptions{}},
		{PathSpecifier: any, DynamicMetadata: []*matcher.MetadataMatcher{{}}},
		{PathSpecifier: any, Headers: []*route.HeaderMatcher{path(&matcher.StringMatcher{})}},
		{PathSpecifier: any, Headers: []*route.HeaderMatcher{path(regex("("))}},
		{PathSpecifier: any, Headers: []*route.HeaderMatcher{{Name: ":path", HeaderMatchSpecifier: &route.HeaderMatcher_RangeMatch{}}}},
		{PathSpecifier: any, QueryParameters: []*route.QueryParameterMatcher{
			{Name: "x", QueryParameterMatchSpecifier: &route.QueryParameterMatcher_StringMatch{StringMatch: &matcher.StringMatcher{}}},
		}},
	} {
		_, err := matches(m, request("/?x", "", ""))
		require.Error(t, err, m)
	}
}
