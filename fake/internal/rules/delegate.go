package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// Delegated returns the routes of a delegate's rule below a rule that has the
// delegate. There are none if one of them goes beyond that.
func (r Rule) Delegated(below Rule) []Route {
	match, ok := narrowed(r.Match, below.Match)
	if !ok || below.Delegate != nil {
		return nil
	}
	compiled, err := compileRule(inheriting(r.HTTPRoute, below.HTTPRoute, match))
	if err != nil { // the parts have been compiled before
		return nil
	}
	return compiled
}

// Title names the rule of an index in errors.
func Title(i int, r Rule) string { return fmt.Sprintf("http rule %d %q", i, r.Name) }

// Append adds routes, and to what is refused of them where it is.
func Append(all []Route, where string, routes []Route) []Route {
	for _, r := range routes {
		r.Refused = place(where, r.Refused)
		all = append(all, r)
	}
	return all
}

// inheriting returns a delegate's rule with another match, and with what only
// its root says.
func inheriting(root, below *networking.HTTPRoute, match []*networking.HTTPMatchRequest) *networking.HTTPRoute {
	merged := &networking.HTTPRoute{
		Match: match, Route: below.Route, Redirect: below.Redirect,
		DirectResponse: or(below.DirectResponse, root.DirectResponse),
		Fault:          or(below.Fault, root.Fault),
		Rewrite:        or(below.Rewrite, root.Rewrite),
		Headers:        or(below.Headers, root.Headers),
		Timeout:        or(below.Timeout, root.Timeout),
		Retries:        or(below.Retries, root.Retries),
		CorsPolicy:     or(below.CorsPolicy, root.CorsPolicy),
		Mirror:         or(below.Mirror, root.Mirror),
		Mirrors:        below.Mirrors,
		//lint:ignore SA1019 people still write it, and Istio still obeys it
		MirrorPercent:    or(below.MirrorPercent, root.MirrorPercent),
		MirrorPercentage: or(below.MirrorPercentage, root.MirrorPercentage),
	}
	if merged.Mirrors == nil {
		merged.Mirrors = root.Mirrors
	}
	return merged
}

func or[T any](first, second *T) *T {
	if first != nil {
		return first
	}
	return second
}

// narrowed returns the match blocks of a delegate's rule below those of its root.
// Istio drops the whole rule if one of its blocks may go beyond every block of
// the root; then ok is false.
func narrowed(root, below []*networking.HTTPMatchRequest) (match []*networking.HTTPMatchRequest, ok bool) {
	switch {
	case len(root) == 0:
		return below, true
	case len(below) == 0:
		return root, true
	}
	for _, b := range below {
		inside := false
		for _, r := range root {
			if !beyond(r, b) {
				match, inside = append(match, both(r, b)), true
			}
		}
		if !inside {
			return nil, false
		}
	}
	return match, true
}

// both is the block of a delegate and that of its root in one.
func both(root, below *networking.HTTPMatchRequest) *networking.HTTPMatchRequest {
	m := &networking.HTTPMatchRequest{
		Uri: or(below.Uri, root.Uri), Scheme: or(below.Scheme, root.Scheme),
		Method: or(below.Method, root.Method), Authority: or(below.Authority, root.Authority),
		Headers:         union(root.Headers, below.Headers),
		WithoutHeaders:  union(root.WithoutHeaders, below.WithoutHeaders),
		QueryParams:     union(root.QueryParams, below.QueryParams),
		SourceLabels:    union(root.SourceLabels, below.SourceLabels),
		SourceNamespace: below.SourceNamespace, Port: below.Port, Gateways: below.Gateways,
		IgnoreUriCase: below.IgnoreUriCase,
	}
	if m.SourceNamespace == "" {
		m.SourceNamespace = root.SourceNamespace
	}
	if m.Port == 0 {
		m.Port = root.Port
	}
	if len(m.Gateways) == 0 {
		m.Gateways = root.Gateways
	}
	return m
}

// union has the entries of both maps; those of below count.
func union[V any](root, below map[string]V) map[string]V {
	all := map[string]V{}
	maps.Copy(all, root)
	maps.Copy(all, below)
	return all
}

// beyond reports whether a delegate's block may hold where its root's does not,
// as Istio judges it.
func beyond(root, below *networking.HTTPMatchRequest) bool {
	return textBeyond(root.Uri, below.Uri) || textBeyond(root.Scheme, below.Scheme) ||
		textBeyond(root.Method, below.Method) || textBeyond(root.Authority, below.Authority) ||
		anyBeyond(root.Headers, below.Headers, textBeyond) ||
		anyBeyond(root.WithoutHeaders, below.WithoutHeaders, textBeyond) ||
		anyBeyond(root.QueryParams, below.QueryParams, textBeyond) ||
		anyBeyond(root.SourceLabels, below.SourceLabels, func(r, b string) bool { return r != b }) ||
		root.IgnoreUriCase != below.IgnoreUriCase ||
		root.Port != 0 && below.Port != 0 && root.Port != below.Port ||
		root.SourceNamespace != "" && root.SourceNamespace != below.SourceNamespace ||
		gatewaysBeyond(root.Gateways, below.Gateways)
}

// anyBeyond looks at the names that both have.
func anyBeyond[V any](root, below map[string]V, beyond func(root, below V) bool) bool {
	for name, b := range below {
		if r, ok := root[name]; ok && beyond(r, b) {
			return true
		}
	}
	return false
}

func textBeyond(root, below *networking.StringMatch) bool {
	if root == nil || below == nil {
		return false
	}
	if exact := root.GetExact(); exact != "" {
		return below.GetExact() != exact
	}
	text := below.GetExact() + below.GetPrefix() // it has one of them at most
	return root.GetPrefix() == "" || text == "" || !strings.HasPrefix(text, root.GetPrefix())
}

func gatewaysBeyond(root, below []string) bool {
	return len(root) > 0 && len(below) > 0 && (len(root) < len(below) ||
		slices.ContainsFunc(below, func(g string) bool { return !slices.Contains(root, g) }))
}
