package routing

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/canary"
)

// The rules in the object are compared with the rules to derive, field by field. This costs
// a tenth of deriving them. Every field of Istio's types is compared.

// fits reports whether a rule is what d derives from the present r.
func (h *HTTP) fits(rule *api.HTTPRoute, r *steered, d derived) bool {
	if rule.GetName() != d.name || !sameRest(rule, r.HTTPRoute) {
		return false
	}
	if d.arm == everywhere {
		return h.hasMethods(rule.Match, r.Match) && slices.EqualFunc(rule.Route, r.Route, sameShare) && r.isMirroredBy(rule, d.mirror)
	}
	return h.hasHeader(rule.Match, r.Match, armNames[d.arm]) && len(rule.Route) == 1 && r.isLone(rule.Route[0], d.arm) && !mirrors(rule)
}

// sameRest compares everything in two rules but name, match, destinations and mirrors.
func sameRest(a, b *api.HTTPRoute) bool {
	return same(a.Redirect, b.Redirect) && same(a.DirectResponse, b.DirectResponse) && same(a.Delegate, b.Delegate) &&
		same(a.Rewrite, b.Rewrite) && same(a.Timeout, b.Timeout) && same(a.Retries, b.Retries) &&
		same(a.Fault, b.Fault) && same(a.CorsPolicy, b.CorsPolicy) && sameHeaders(a.Headers, b.Headers, Header{})
}

// same compares two messages, which may be nil.
func same[M interface {
	comparable
	proto.Message
}](a, b M) bool {
	return a == b || proto.Equal(a, b)
}

// hasHeader reports whether blocks are others with one more condition each: the arm's
// header.
func (h *HTTP) hasHeader(blocks, others []*api.HTTPMatchRequest, arm string) bool {
	if len(others) == 0 {
		others = []*api.HTTPMatchRequest{{}}
	}
	return slices.EqualFunc(blocks, others, func(block, other *api.HTTPMatchRequest) bool {
		return sameBlock(block, other) && sameMatch(block.GetMethod(), other.GetMethod()) &&
			len(block.GetHeaders()) == len(other.GetHeaders())+1 && isExactly(block.GetHeaders()[h.target.Header], arm) && contains(block.GetHeaders(), other.GetHeaders())
	})
}

// sameMatch is same without the cost of reflection on a oneof.
func sameMatch(a, b *api.StringMatch) bool {
	if a == nil || b == nil {
		return a == b
	}
	return kindOf(a) == kindOf(b) && a.GetExact() == b.GetExact() && a.GetPrefix() == b.GetPrefix() && a.GetRegex() == b.GetRegex()
}

func kindOf(m *api.StringMatch) int {
	switch m.GetMatchType().(type) {
	case *api.StringMatch_Exact:
		return 1
	case *api.StringMatch_Prefix:
		return 2
	case *api.StringMatch_Regex:
		return 3
	}
	return 0
}

func isExactly(m *api.StringMatch, value string) bool {
	exact, ok := m.GetMatchType().(*api.StringMatch_Exact)
	return ok && exact.Exact == value
}

// hasMethods reports whether blocks are others restricted to the mirrored methods.
func (h *HTTP) hasMethods(blocks, others []*api.HTTPMatchRequest) bool {
	if len(others) == 0 {
		others = []*api.HTTPMatchRequest{{}}
	}
	for _, other := range others {
		methods := h.target.Mirror.In(other.GetMethod())
		if len(methods) == 0 {
			continue
		}
		if len(blocks) == 0 || !sameBlock(blocks[0], other) || !sameMatches(blocks[0].GetHeaders(), other.GetHeaders()) || !isOneOf(blocks[0].GetMethod(), methods) {
			return false
		}
		blocks = blocks[1:]
	}
	return len(blocks) == 0
}

func isOneOf(m *api.StringMatch, methods []string) bool {
	if len(methods) == 1 {
		return isExactly(m, methods[0])
	}
	regex, ok := m.GetMatchType().(*api.StringMatch_Regex)
	return ok && regex.Regex == strings.Join(methods, "|")
}

// sameBlock compares everything in two match blocks but method and headers.
func sameBlock(a, b *api.HTTPMatchRequest) bool {
	return a.GetName() == b.GetName() && sameMatch(a.GetUri(), b.GetUri()) && sameMatch(a.GetScheme(), b.GetScheme()) && sameMatch(a.GetAuthority(), b.GetAuthority()) &&
		a.GetPort() == b.GetPort() && a.GetIgnoreUriCase() == b.GetIgnoreUriCase() &&
		a.GetStatPrefix() == b.GetStatPrefix() &&
		sameMatches(a.GetQueryParams(), b.GetQueryParams()) && sameMatches(a.GetWithoutHeaders(), b.GetWithoutHeaders()) &&
		sameSource(a, b)
}

// sameSource compares for which clients and gateways two match blocks are.
func sameSource(a, b *api.HTTPMatchRequest) bool {
	return a.GetSourceNamespace() == b.GetSourceNamespace() && maps.Equal(a.GetSourceLabels(), b.GetSourceLabels()) && slices.Equal(a.GetGateways(), b.GetGateways())
}

func sameMatches(a, b map[string]*api.StringMatch) bool {
	return len(a) == len(b) && contains(a, b)
}

// contains reports whether all has every entry of some.
func contains(all, some map[string]*api.StringMatch) bool {
	for name, m := range some {
		if is, ok := all[name]; !ok || !sameMatch(is, m) {
			return false
		}
	}
	return true
}

// sameShare compares destinations with their weights.
func sameShare(a, b *api.HTTPRouteDestination) bool {
	return a.GetWeight() == b.GetWeight() && same(a.GetDestination(), b.GetDestination()) && sameHeaders(a.GetHeaders(), b.GetHeaders(), Header{})
}

// isLone reports whether d is the arm of r without a weight: the arm's destination in r,
// or stable's destination with the arm's address if r has no destination for the arm.
func (r *steered) isLone(d *api.HTTPRouteDestination, arm int) bool {
	if d.GetWeight() != 0 {
		return false
	}
	if j := r.at[arm]; j >= 0 {
		return same(d.GetDestination(), r.Route[j].GetDestination()) && sameHeaders(d.GetHeaders(), r.Route[j].GetHeaders(), Header{})
	}
	var headers *api.Headers
	if s := r.at[stable]; s >= 0 {
		headers = r.Route[s].GetHeaders()
	}
	return r.leadsTo(d.GetDestination(), arm) && sameHeaders(d.GetHeaders(), headers, r.places[arm].Sets)
}

// leadsTo reports whether d is written as r writes the arm.
func (r *steered) leadsTo(d *api.Destination, arm int) bool {
	to := r.destination(arm)
	return d.GetHost() == to.Host && d.GetSubset() == to.Subset && d.GetPort().GetNumber() == to.Port
}

// sameHeaders reports whether a has the operations of b and also sets the header sets,
// unless that is zero.
func sameHeaders(a, b *api.Headers, sets Header) bool {
	return sameOperations(a.GetRequest(), b.GetRequest(), sets) && sameOperations(a.GetResponse(), b.GetResponse(), Header{})
}

func sameOperations(a, b *api.Headers_HeaderOperations, sets Header) bool {
	if !maps.Equal(a.GetAdd(), b.GetAdd()) || !slices.Equal(a.GetRemove(), b.GetRemove()) {
		return false
	}
	if sets == (Header{}) {
		return maps.Equal(a.GetSet(), b.GetSet())
	}
	want := len(b.GetSet())
	if _, ok := b.GetSet()[sets.Name]; !ok {
		want++
	}
	for name, value := range b.GetSet() {
		if name != sets.Name && a.GetSet()[name] != value {
			return false
		}
	}
	return len(a.GetSet()) == want && a.GetSet()[sets.Name] == sets.Value
}

// mirrors reports whether a rule has a mirror or a mirror percentage.
func mirrors(rule *api.HTTPRoute) bool {
	return rule.Mirror != nil || rule.MirrorPercentage != nil || hasPercent(rule) || len(rule.Mirrors) > 0
}

// isMirroredBy reports whether rule, a copy of r, mirrors the share w to the canary in
// addition to the mirrors of r.
func (r *steered) isMirroredBy(rule *api.HTTPRoute, w canary.Weight) bool {
	n := len(r.Mirrors)
	if n == 0 {
		return r.isOnlyMirror(rule, w)
	}
	if len(rule.Mirrors) != n+1 || !slices.EqualFunc(rule.Mirrors[:n], r.Mirrors, same) {
		return false
	}
	//lint:ignore SA1019 people still write it
	rest := same(rule.MirrorPercent, r.MirrorPercent) && same(rule.MirrorPercentage, r.MirrorPercentage) && same(rule.Mirror, r.Mirror)
	return rest && r.isCanaryShare(rule.Mirrors[n].GetDestination(), rule.Mirrors[n].GetPercentage(), w)
}

// isOnlyMirror is isMirroredBy for a rule without a list of mirrors.
func (r *steered) isOnlyMirror(rule *api.HTTPRoute, w canary.Weight) bool {
	free := r.Mirror == nil || r.isMirror()
	return free && len(rule.Mirrors) == 0 && !hasPercent(rule) && r.isCanaryShare(rule.Mirror, rule.MirrorPercentage, w)
}

// hasPercent reports whether a rule has the deprecated field mirrorPercent.
func hasPercent(rule *api.HTTPRoute) bool {
	//lint:ignore SA1019 people still write it
	return rule.MirrorPercent != nil
}

// isCanaryShare reports whether a mirror leads to the canary of r with the share w.
func (r *steered) isCanaryShare(d *api.Destination, p *api.Percent, w canary.Weight) bool {
	return d != nil && r.leadsTo(d, canaryArm) && p != nil && p.GetValue() == percentage(w)
}
