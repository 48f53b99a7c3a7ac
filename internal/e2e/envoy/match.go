package envoy

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// find returns the route that a request to a port takes: the first one of its
// virtual host whose conditions hold; nil if there is none.
func (c *Config) find(port uint32, r *http.Request) (*route.Route, error) {
	host := virtualHost(c.routes[c.ports[port]], r.Host)
	for _, one := range host.GetRoutes() {
		if ok, err := matches(one.GetMatch(), r); ok || err != nil {
			return one, err
		}
	}
	return nil, nil
}

// virtualHost is the one for an authority: by its exact name, else by the longest
// domain that ends with it, else by the longest that begins with it, else any.
func virtualHost(table *route.RouteConfiguration, authority string) *route.VirtualHost {
	authority = strings.ToLower(authority)
	if h, _, err := net.SplitHostPort(authority); err == nil && table.GetIgnorePortInHostMatching() {
		authority = h
	}
	var best *route.VirtualHost
	rank := 0
	for _, host := range table.GetVirtualHosts() {
		for _, domain := range host.GetDomains() {
			if r := specificity(strings.ToLower(domain), authority); r > rank {
				best, rank = host, r
			}
		}
	}
	return best
}

// specificity ranks how well a domain fits an authority; 0 is not at all.
func specificity(domain, authority string) int {
	const exact, suffix, prefix, any = 1 << 30, 1 << 20, 1 << 10, 1
	begin, starred := strings.CutSuffix(domain, "*")
	end, stars := strings.CutPrefix(domain, "*")
	switch {
	case domain == "*":
		return any
	case stars && strings.HasSuffix(authority, end) && len(authority) > len(end):
		return suffix + len(end)
	case starred && strings.HasPrefix(authority, begin) && len(authority) > len(begin):
		return prefix + len(begin)
	case domain == authority:
		return exact
	}
	return 0
}

// matches reports whether all conditions hold, or which one is not understood.
func matches(m *route.RouteMatch, r *http.Request) (bool, error) {
	if m.GetRuntimeFraction() != nil || m.GetGrpc() != nil || len(m.GetDynamicMetadata()) > 0 || m.GetTlsContext() != nil {
		return false, fmt.Errorf("a condition is not understood: %v", m)
	}
	if ok, err := matchesPath(m, r.URL.EscapedPath()); !ok || err != nil {
		return false, err
	}
	for _, h := range m.GetHeaders() {
		if ok, err := matchesHeader(h, r); !ok || err != nil {
			return false, err
		}
	}
	for _, q := range m.GetQueryParameters() {
		if ok, err := matchesParameter(q, r.URL.RawQuery); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// matchesParameter looks at the first value, as it was sent: Envoy does not
// decode parameters.
func matchesParameter(m *route.QueryParameterMatcher, query string) (bool, error) {
	value, present := "", false
	for part := range strings.SplitSeq(query, "&") {
		name, v, _ := strings.Cut(part, "=")
		if name == m.GetName() {
			value, present = v, true
			break
		}
	}
	switch s := m.GetQueryParameterMatchSpecifier().(type) {
	case *route.QueryParameterMatcher_PresentMatch:
		return present == s.PresentMatch, nil
	case *route.QueryParameterMatcher_StringMatch:
		if !present {
			return false, nil
		}
		return matchesString(s.StringMatch, value)
	case nil:
		return present, nil
	default:
		return false, fmt.Errorf("a condition on a parameter is not understood: %v", m)
	}
}

func matchesPath(m *route.RouteMatch, path string) (bool, error) {
	fold := func(s string) string { return s }
	if c := m.GetCaseSensitive(); c != nil && !c.GetValue() {
		fold = strings.ToLower
	}
	switch s := m.GetPathSpecifier().(type) {
	case *route.RouteMatch_Prefix:
		return strings.HasPrefix(fold(path), fold(s.Prefix)), nil
	case *route.RouteMatch_Path:
		return fold(path) == fold(s.Path), nil
	case *route.RouteMatch_PathSeparatedPrefix:
		rest, ok := strings.CutPrefix(fold(path), fold(s.PathSeparatedPrefix))
		return ok && (rest == "" || rest[0] == '/'), nil
	case *route.RouteMatch_SafeRegex:
		return matchesRegex(s.SafeRegex, path)
	default:
		return false, fmt.Errorf("a condition on the path is not understood: %v", m)
	}
}

func matchesHeader(m *route.HeaderMatcher, r *http.Request) (bool, error) {
	value, present := header(r, m.GetName())
	if !present && m.GetTreatMissingHeaderAsEmpty() {
		present = true
	}
	ok := present
	switch s := m.GetHeaderMatchSpecifier().(type) {
	case *route.HeaderMatcher_PresentMatch:
		ok = present == s.PresentMatch
	case *route.HeaderMatcher_StringMatch:
		if !present {
			return false, nil // whether it is inverted or not
		}
		var err error
		if ok, err = matchesString(s.StringMatch, value); err != nil {
			return false, err
		}
	case nil:
	default:
		return false, fmt.Errorf("a condition on a header is not understood: %v", m)
	}
	return ok != m.GetInvertMatch(), nil
}

// header is the value of a header; HTTP/2's names for the rest of a request are
// headers to Envoy.
func header(r *http.Request, name string) (string, bool) {
	switch name {
	case ":method":
		return r.Method, true
	case ":authority":
		return r.Host, true
	case ":path":
		return r.URL.RequestURI(), true
	case ":scheme":
		return cmp.Or(r.URL.Scheme, "http"), true
	}
	values := r.Header.Values(name)
	return strings.Join(values, ","), len(values) > 0
}

func matchesString(m *matcher.StringMatcher, value string) (bool, error) {
	fold := func(s string) string { return s }
	if m.GetIgnoreCase() {
		fold = strings.ToLower
	}
	switch s := m.GetMatchPattern().(type) {
	case *matcher.StringMatcher_Exact:
		return fold(value) == fold(s.Exact), nil
	case *matcher.StringMatcher_Prefix:
		return strings.HasPrefix(fold(value), fold(s.Prefix)), nil
	case *matcher.StringMatcher_Suffix:
		return strings.HasSuffix(fold(value), fold(s.Suffix)), nil
	case *matcher.StringMatcher_Contains:
		return strings.Contains(fold(value), fold(s.Contains)), nil
	case *matcher.StringMatcher_SafeRegex:
		return matchesRegex(s.SafeRegex, value)
	default:
		return false, fmt.Errorf("a condition is not understood: %v", m)
	}
}

// matchesRegex looks at the whole value, as Envoy does. Both use RE2.
func matchesRegex(m *matcher.RegexMatcher, value string) (bool, error) {
	re, err := regexp.Compile(`^(?:` + m.GetRegex() + `)$`)
	return err == nil && re.MatchString(value), err
}

func join(host string, port uint32) string {
	return net.JoinHostPort(host, strconv.FormatUint(uint64(port), 10))
}
