package apiserver

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/wrapperspb"
	networking "istio.io/api/networking/v1alpha3"
)

// rule checks one http rule. With delegate, the rule belongs to a delegate
// VirtualService.
func (m *mistakes) rule(r *networking.HTTPRoute, delegate bool) {
	m.action(r, delegate)
	for _, match := range r.Match {
		m.match(match)
	}
	m.headers(r.Headers)
	m.fault(r.Fault)
	m.mirror(r)
	m.redirect(r.Redirect, r.Match)
	if r.DirectResponse != nil {
		m.status(int32(r.DirectResponse.Status))
	}
	m.retries(r.Retries)
	m.rewrite(r.Rewrite)
	m.authority(r.Rewrite, r.Headers.GetRequest())
	for _, d := range r.Route {
		m.headers(d.Headers)
	}
	m.destinations(destinationsOf(r.Route))
	m.duration(r.Timeout)
}

// action checks that a rule does exactly one thing with a request.
func (m *mistakes) action(r *networking.HTTPRoute, delegate bool) {
	redirect, direct, route := r.Redirect != nil, r.DirectResponse != nil, len(r.Route) > 0
	if r.Delegate != nil && !delegate {
		m.add(redirect, "root HTTP route %s must not specify redirect", r.Name)
		m.add(r.Route != nil, "root HTTP route %s must not specify route", r.Name)
		return
	}
	m.add(r.Delegate != nil, "delegate HTTP route cannot contain delegate")
	m.add(redirect && direct, "HTTP route rule cannot contain both direct_response and redirect")
	m.add(!redirect && !direct && !route, "HTTP route, redirect or direct_response is required")
	for name, is := range map[string]bool{"redirect": redirect, "direct_response": direct} {
		m.add(is && route, "HTTP route cannot contain both route and %s", name)
		m.add(is && r.Fault != nil, "HTTP route cannot contain both fault and %s", name)
		m.add(is && r.Rewrite != nil, "HTTP route rule cannot contain both rewrite and %s", name)
	}
	m.add(r.Mirror != nil && len(r.Mirrors) > 0, "HTTP route cannot contain both mirror and mirrors")
}

var (
	headerNames = regexp.MustCompile("^[!#$%&'*+\\-.^_`|~0-9A-Za-z]+$")
	claims      = regexp.MustCompile(`^(?i:@request\.auth\.claims)(\..+|\[.+\])$`)
	pseudo      = []string{":method", ":scheme", ":authority", ":path", ":status"}
)

// match checks one match block.
func (m *mistakes) match(match *networking.HTTPMatchRequest) {
	for name, value := range match.Headers {
		m.matchedHeader(name)
		m.text("headers", value)
	}
	for name, value := range match.WithoutHeaders {
		m.matchedHeader(name)
		if value.GetRegex() != "*" {
			m.text("withoutHeaders", value)
		}
	}
	for _, value := range match.QueryParams {
		m.text("queryParams", value)
	}
	m.text("scheme", match.Scheme)
	m.text("method", match.Method)
	m.text("authority", match.Authority)
	if _, prefix := match.Uri.GetMatchType().(*networking.StringMatch_Prefix); !prefix {
		m.text("uri", match.Uri)
	}
	m.add(match.Port > maxPort, badPort, match.Port)
	m.podLabels(match.SourceLabels)
	m.gateways(match.Gateways)
	m.add(match.SourceNamespace != "" && !isLabel(match.SourceNamespace), "sourceNamespace match %s is invalid", match.SourceNamespace)
}

func (m *mistakes) matchedHeader(name string) {
	m.add(!headerNames.MatchString(name) && !claims.MatchString(name) && !slices.Contains(pseudo, name), "header name %s is not a valid header name", name)
}

// text checks a condition on a string.
func (m *mistakes) text(where string, match *networking.StringMatch) {
	switch match.GetMatchType().(type) {
	case *networking.StringMatch_Prefix:
		m.add(match.GetPrefix() == "", "%q: prefix string match should not be empty", where)
	case *networking.StringMatch_Regex:
		m.add(match.GetRegex() == "", "%q: regex string match should not be empty", where)
		m.regex(where, match.GetRegex())
	}
}

func (m *mistakes) regex(where, text string) {
	m.add(len(text) > 1024, "%q: regex is too large, max length allowed is 1024", where)
	_, err := regexp.Compile(text)
	m.add(err != nil, "%q: %v; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)", where, err)
}

func (m *mistakes) fault(f *networking.HTTPFaultInjection) {
	if f == nil {
		return
	}
	m.add(f.Abort == nil && f.Delay == nil, "HTTP fault injection must have an abort and/or a delay")
	for _, share := range []*networking.Percent{f.GetAbort().GetPercentage(), f.GetDelay().GetPercentage()} {
		n := share.GetValue()
		m.add(n < 0 || n > 100 || n > 0 && n < 0.0001, "percentage %v is neither 0.0, nor in range [0.0001, 100.0]", n)
	}
	if abort, ok := f.GetAbort().GetErrorType().(*networking.HTTPFaultInjection_Abort_HttpStatus); ok {
		m.status(abort.HttpStatus)
	}
	m.duration(f.GetDelay().GetFixedDelay())
}

func (m *mistakes) status(code int32) {
	m.add(code < 200 || code > 600, "HTTP status %d is not in range 200-599", code)
}

// mirrorPercent is deprecated, but VirtualServices still use it.
var mirrorPercent = (&networking.HTTPRoute{}).ProtoReflect().Descriptor().Fields().ByName("mirror_percent")

func (m *mistakes) mirror(r *networking.HTTPRoute) {
	percent, _ := r.ProtoReflect().Get(mirrorPercent).Message().Interface().(*wrapperspb.UInt32Value)
	m.add(percent.GetValue() > 100, "mirror_percent must have a max value of 100 (it has %d)", percent.GetValue())
	m.share("mirror_percentage", r.MirrorPercentage)
	m.destination(r.Mirror)
	for _, mirror := range r.Mirrors {
		m.add(mirror.Destination == nil, "destination is required for mirrors")
		m.destination(mirror.Destination)
		m.share("mirror percentage", mirror.Percentage)
	}
}

func (m *mistakes) share(name string, p *networking.Percent) {
	m.add(p.GetValue() > 100, "%s must have a max value of 100 (it has %f)", name, p.GetValue())
	m.add(p.GetValue() < 0, "%s must have a min value of 0 (it has %f)", name, p.GetValue())
}

func (m *mistakes) redirect(r *networking.HTTPRedirect, matches []*networking.HTTPMatchRequest) {
	if r == nil {
		return
	}
	m.add(r.Uri != "" && r.PrefixRewrite != "", "redirect may only specify one of uri or prefix_rewrite")
	for _, match := range matches {
		_, prefix := match.Uri.GetMatchType().(*networking.StringMatch_Prefix)
		m.add(r.PrefixRewrite != "" && match.Uri != nil && !prefix, "redirect prefix_rewrite requires all URI matches to use prefix match type")
	}
	m.add(cmp.Or(r.Uri, r.PrefixRewrite, r.Authority, r.Scheme) == "" && r.RedirectPort == nil, "redirect must specify URI, authority, scheme, or port")
	m.add(r.RedirectCode != 0 && (r.RedirectCode < 300 || r.RedirectCode > 399), "%d is not a valid redirect code, must be 3xx", r.RedirectCode)
	m.add(!slices.Contains([]string{"", "http", "https"}, r.Scheme), `invalid redirect scheme, must be "http" or "https"`)
	m.add(r.GetPort() > maxPort, badPort, r.GetPort())
}

// conditions are the retry conditions of Envoy and gRPC. A status code is a condition
// too.
var conditions = []string{
	"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx", "refused-stream", "retriable-status-codes",
	"retriable-headers", "envoy-ratelimited", "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
}

func (m *mistakes) retries(r *networking.HTTPRetry) {
	if r == nil {
		return
	}
	m.add(r.Attempts < 0, "attempts cannot be negative")
	m.add(r.Attempts == 0 && (r.PerTryTimeout != nil || r.RetryOn != "" || r.RetryRemoteLocalities != nil),
		"http retry policy configured when attempts are set to 0 (disabled)")
	m.duration(r.PerTryTimeout)
	m.duration(r.Backoff)
	for _, condition := range strings.Split(r.RetryOn, ",") {
		code, _ := strconv.Atoi(condition)
		m.add(r.RetryOn != "" && http.StatusText(code) == "" && !slices.Contains(conditions, condition), "%q is not a valid retryOn policy", condition)
	}
}

func (m *mistakes) rewrite(r *networking.HTTPRewrite) {
	if r == nil {
		return
	}
	regex := r.UriRegexRewrite
	m.add(r.Uri != "" && regex != nil, "rewrite may only contain one of URI or UriRegexRewrite")
	m.add(r.Uri == "" && regex == nil && r.Authority == "", "rewrite must specify at least one of URI, UriRegexRewrite, or authority")
	if regex != nil {
		m.add(regex.Match == "" || regex.Rewrite == "", "UriRegexRewrite requires both Rewrite and Match fields to be specified")
		m.regex("HTTPRewrite.UriRegexRewrite.Match", regex.Match)
	}
}

// destinationsOf are the destinations of a http rule, without their headers.
func destinationsOf(route []*networking.HTTPRouteDestination) []*networking.RouteDestination {
	var all []*networking.RouteDestination
	for _, d := range route {
		all = append(all, &networking.RouteDestination{Destination: d.Destination, Weight: d.Weight})
	}
	return all
}

func (m *mistakes) destinations(all []*networking.RouteDestination) {
	total := int32(0) // as in Istio: weights that overflow to 0 are refused
	for _, d := range all {
		m.add(d.Destination == nil, "destination is required")
		m.destination(d.Destination)
		m.add(d.Weight < 0, "weight %d < 0", d.Weight)
		total += d.Weight
	}
	m.add(len(all) > 1 && total == 0, "total destination weight = 0")
}

const (
	maxPort = 65535
	badPort = "port number %d must be in the range 1..65535"
)

func (m *mistakes) destination(d *networking.Destination) {
	if d == nil {
		return
	}
	m.add(d.Host == "*", "invalid destination host %s", d.Host)
	m.domain(d.Host)
	if d.Subset != "" {
		m.subset(d.Subset)
	}
	if d.Port != nil {
		m.add(d.Port.Number < 1 || d.Port.Number > maxPort, badPort, d.Port.Number)
	}
}
