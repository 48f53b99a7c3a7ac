package rules

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// Rewriter makes a new path, without query, of one that a match block accepted.
type Rewriter func(path string) string

// Rewrite gives a request another path; a query stays.
func (f Rewriter) Rewrite(r *http.Request) {
	whole := r.URL.RequestURI()
	path, query, asked := strings.Cut(whole, "?")
	path = f(path)
	if asked {
		path += "?" + query
	}
	r.Header.Set("X-Envoy-Original-Path", whole)
	r.RequestURI = path
	to, err := url.ParseRequestURI(path)
	if err != nil { // no server takes it, but a handler may
		to = &url.URL{Path: path}
	}
	to.Scheme, to.Host = r.URL.Scheme, r.URL.Host
	r.URL = to
}

// compileRewrite returns nil if the path stays as it is. The errors say what no
// Envoy takes, but for bad, which Istio's validation refuses.
func compileRewrite(r *networking.HTTPRewrite, m *networking.HTTPMatchRequest) (path Rewriter, refused, bad error) {
	refused = errors.Join(place("rewrite.uri", badText(r.GetUri())), place("rewrite.authority", badText(r.GetAuthority())))
	if x := r.GetUriRegexRewrite(); x != nil {
		pattern, err := regexp.Compile(x.Match)
		if err != nil {
			return nil, nil, fmt.Errorf("rewrite.uriRegexRewrite: %w", err)
		}
		err = errors.Join(badPattern(x.Match), badText(x.Rewrite))
		return substitute(pattern, x.Rewrite), errors.Join(refused, place("rewrite.uriRegexRewrite", err)), nil
	}
	if r.GetUri() == "" {
		return nil, refused, nil
	}
	return replace(m, r.Uri), refused, nil
}

// replace puts uri in the place of what a match block asks for: a prefix, or else
// the whole path. A block that asks for no path asks for the prefix "/".
func replace(m *networking.HTTPMatchRequest, uri string) Rewriter {
	length := len("/")
	switch match := m.GetUri().GetMatchType().(type) {
	case *networking.StringMatch_Prefix:
		length = len(match.Prefix)
	case *networking.StringMatch_Exact, *networking.StringMatch_Regex:
		return func(string) string { return uri }
	}
	return func(path string) string { return uri + path[min(length, len(path)):] }
}

// substitute replaces every match of a pattern as RE2 does: \1 is a group, \\ a
// backslash. What follows any other backslash is dropped, and where a group is
// meant that the pattern does not have, the path stays as it is.
func substitute(pattern *regexp.Regexp, text string) Rewriter {
	groups := regexp.MustCompile(`\\([0-9])`).FindAllStringSubmatch(text, -1)
	if slices.ContainsFunc(groups, func(m []string) bool { return int(m[1][0]-'0') > pattern.NumSubexp() }) {
		return func(path string) string { return path }
	}
	return func(path string) string {
		var b strings.Builder
		end := 0
		for _, at := range pattern.FindAllStringSubmatchIndex(path, -1) {
			b.WriteString(path[end:at[0]])
			expand(&b, text, path, at)
			end = at[1]
		}
		return b.String() + path[end:]
	}
}

func expand(b *strings.Builder, text, path string, at []int) {
	for text != "" {
		literal, rest, found := strings.Cut(text, `\`)
		b.WriteString(literal)
		if !found || rest == "" {
			return
		}
		switch c := rest[0]; {
		case c == '\\':
			b.WriteByte(c)
		case '0' <= c && c <= '9':
			if group := 2 * int(c-'0'); at[group] >= 0 {
				b.WriteString(path[at[group]:at[group+1]])
			}
		default:
			return
		}
		text = rest[1:]
	}
}

// Redirect is where a client is sent. What is empty is as in the request.
type Redirect struct {
	scheme, authority string
	uri               string // with a query, that of the request is dropped
	prefix            Rewriter
	port              uint32
	samePort          bool // the port that the request came in by
	anyPort           bool // the rule says something about the port
}

func compileRedirect(r *networking.HTTPRedirect, m *networking.HTTPMatchRequest) (*Answer, error) {
	a := &Answer{Code: int(cmp.Or(r.RedirectCode, http.StatusMovedPermanently))}
	a.Redirect = &Redirect{
		scheme: r.Scheme, authority: r.Authority, uri: r.Uri, port: r.GetPort(), anyPort: r.RedirectPort != nil,
		samePort: r.RedirectPort != nil && r.GetPort() == 0 && r.GetDerivePort() == networking.HTTPRedirect_FROM_REQUEST_PORT,
	}
	if r.PrefixRewrite != "" {
		a.Redirect.prefix = replace(m, r.PrefixRewrite)
	}
	errs := []error{
		place("redirect.authority", badText(r.Authority)), place("redirect.uri", badText(r.Uri)),
		place("redirect.prefixRewrite", badText(r.PrefixRewrite)),
	}
	if !slices.Contains([]int{301, 302, 303, 307, 308}, a.Code) {
		errs = append(errs, fmt.Errorf("redirect.redirectCode %d is not supported: istiod writes a route without an action", a.Code))
	}
	return a, errors.Join(errs...)
}

// Location returns the URL for the client of a request that came in by a port.
func (d *Redirect) Location(r *http.Request, scheme string, port uint32) string {
	was, port := scheme, d.portOf(scheme, port)
	scheme = cmp.Or(d.scheme, was)
	host := cmp.Or(d.authority, hostFor(r.Host, was, scheme, port != 0))
	if port != 0 {
		host += ":" + strconv.Itoa(int(port))
	}
	path := d.path(r.URL)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return scheme + "://" + host + path
}

// portOf returns the port to name in the URL, 0 for none: istiod leaves out the
// port that the scheme has anyway.
func (d *Redirect) portOf(scheme string, entry uint32) uint32 {
	port := d.port
	if d.samePort {
		port = entry
	}
	scheme = cmp.Or(d.scheme, scheme)
	if d.anyPort && (port == 80 && scheme == "http" || port == 443 && scheme == "https") {
		return 0
	}
	return port
}

// hostFor takes the port off a Host if there is another one, or if it is the
// usual one of a scheme that changes.
func hostFor(host, was, scheme string, another bool) string {
	at := strings.LastIndexByte(host, ':')
	if at < 0 || strings.HasSuffix(host, "]") {
		return host
	}
	port := host[at:]
	if another || was != scheme && (was == "https" && port == ":443" || was == "http" && port == ":80") {
		return host[:at]
	}
	return host
}

func (d *Redirect) path(u *url.URL) string {
	path, query, asked := strings.Cut(u.RequestURI(), "?")
	switch {
	case d.uri != "":
		path = d.uri
	case d.prefix != nil:
		path = d.prefix(path)
	}
	if asked && !strings.Contains(d.uri, "?") {
		path += "?" + query
	}
	return path
}
