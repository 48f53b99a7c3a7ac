package routing

import (
	"fmt"
	"slices"
	"strings"

	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// Rules that are derived from a steered rule stand before it, and take a part of
// its requests: header routes lead those with a header to one arm, and a copy of the
// rule mirrors those with some methods. They are made of the steered rule as it is,
// so they change when it does. Their names begin with the target's prefix.

// ownPrefix begins the names of all rules that Serin adds.
const ownPrefix = "serin/"

func isOwn(name string) bool { return strings.HasPrefix(name, ownPrefix) }

// derived is one such rule.
type derived struct {
	name string
	arm  int // of a header route; the copy has everywhere
	// mirror is what the copy mirrors, or what the steered rule of a header route does.
	mirror canary.Weight
}

// everywhere is where the copy leads: to the destinations of its rule.
const everywhere = -1

// derive returns the derived rules of r for t, in their order. Requests with the
// header are not mirrored.
func (h *HTTP) derive(r *steered, t canary.Traffic) []derived {
	if t.Mirror == 0 && !t.HeaderRoutes {
		return nil
	}
	all := make([]derived, 0, armCount+1)
	itself := h.mirrorOf(t)
	for arm := range r.places {
		if t.HeaderRoutes && r.places[arm].full != "" {
			all = append(all, derived{h.nameOf(armNames[arm], r), arm, itself})
		}
	}
	if t.Mirror != itself {
		all = append(all, derived{h.nameOf("mirror", r), everywhere, t.Mirror})
	}
	return all
}

// mirrorOf returns what a steered rule mirrors itself: nothing, unless all requests
// are mirrored.
func (h *HTTP) mirrorOf(t canary.Traffic) canary.Weight {
	if h.target.Mirror.Every() {
		return t.Mirror
	}
	return 0
}

func (h *HTTP) nameOf(kind string, r *steered) string {
	return strings.TrimSuffix(h.prefix+kind+"/"+r.Name, "/")
}

// isCopy reports whether a derived rule of this target is a copy.
func (h *HTTP) isCopy(rule *api.HTTPRoute) bool {
	kind, _, _ := strings.Cut(strings.TrimPrefix(rule.GetName(), h.prefix), "/")
	return kind == "mirror"
}

// derivedOf returns the indexes of the derived rules of this target that stand before
// the rule, with nothing but derived rules in between, and where those begin.
func (h *HTTP) derivedOf(vs *networking.VirtualService, index int) (own []int, front int) {
	front = index
	for front > 0 && isOwn(vs.Spec.Http[front-1].GetName()) {
		front--
	}
	for i := front; i < index; i++ {
		if strings.HasPrefix(vs.Spec.Http[i].GetName(), h.prefix) {
			own = append(own, i)
		}
	}
	return own, front
}

// strays returns the indexes of the derived rules of this target that do not stand
// before a steered rule.
func (h *HTTP) strays(vs *networking.VirtualService, rules []steered) []int {
	var all []int
	next := 0 // of rules, which are in the order of the object
	for i, rule := range vs.Spec.Http {
		if next < len(rules) && rules[next].index == i {
			next++
		}
		if strings.HasPrefix(rule.GetName(), h.prefix) && (next == len(rules) || !slices.Contains(rules[next].own, i)) {
			all = append(all, i)
		}
	}
	return all
}

// fitting returns how many of the derived rules of r, in vs, are what they should be,
// counted from the first.
func (h *HTTP) fitting(vs *networking.VirtualService, r *steered, want []derived) (n int) {
	for n < min(len(want), len(r.own)) && h.fits(vs.Spec.Http[r.own[n]], r, want[n]) {
		n++
	}
	return n
}

// canDerive refuses what cannot be derived.
func (h *HTTP) canDerive(vs *networking.VirtualService, r *steered, d derived) error {
	switch {
	case isDelegate(vs):
		return ErrDelegate
	case !h.target.Exclusive && takesFromOthers(vs, r):
		return ErrShared
	case d.arm != everywhere:
		return h.headerIsFree(r)
	case !h.letsThrough(r.Match):
		return fmt.Errorf("%w: %s", ErrNoMethod, strings.Join(h.target.Mirror.Names(), ", "))
	}
	return nil
}

// letsThrough reports whether a rule lets any of the methods that are mirrored through.
func (h *HTTP) letsThrough(match []*api.HTTPMatchRequest) bool {
	return len(match) == 0 || slices.ContainsFunc(match, func(block *api.HTTPMatchRequest) bool {
		return len(h.target.Mirror.In(block.GetMethod())) > 0
	})
}

// takesFromOthers reports whether a rule matches everything at a gateway.
func takesFromOthers(vs *networking.VirtualService, r *steered) bool {
	named := func(gateways []string) bool {
		return slices.ContainsFunc(gateways, func(g string) bool { return g != "mesh" })
	}
	if len(r.Match) == 0 {
		return named(vs.Spec.Gateways)
	}
	return slices.ContainsFunc(r.Match, func(block *api.HTTPMatchRequest) bool {
		gateways := block.GetGateways()
		if len(gateways) == 0 {
			gateways = vs.Spec.Gateways
		}
		return named(gateways) && isCatchAll(block)
	})
}

// isCatchAll reports whether Istio counts a match block as one of everything, as its
// IsCatchAllRoute does.
func isCatchAll(block *api.HTTPMatchRequest) bool {
	uri := block.GetUri()
	everywhere := uri == nil || uri.GetPrefix() == "/" || uri.GetRegex() == ".*"
	more := len(block.GetHeaders()) + len(block.GetWithoutHeaders()) + len(block.GetQueryParams())
	return everywhere && more == 0 && block.GetMethod() == nil && block.GetScheme() == nil && block.GetAuthority() == nil
}

// isDelegate reports whether the rules of vs are part of those of another
// VirtualService: it has no hosts of its own.
func isDelegate(vs *networking.VirtualService) bool { return len(vs.Spec.Hosts) == 0 }

// headerIsFree refuses a rule that matches on the header itself: its header routes
// would not do what the rule does.
func (h *HTTP) headerIsFree(r *steered) error {
	for k, block := range r.Match {
		for _, headers := range []map[string]*api.StringMatch{block.GetHeaders(), block.GetWithoutHeaders()} {
			for name := range headers {
				if strings.EqualFold(name, h.target.Header) {
					return fmt.Errorf("match %d: %w: %s", k, ErrHeaderTaken, name)
				}
			}
		}
	}
	return nil
}

// renderDerived appends the patch after which r has the derived rules for t. What
// the rule itself needs is appended already, and changed says whether that is
// anything; where later rules stand is of no concern any more.
func (h *HTTP) renderDerived(p *Patch, vs *networking.VirtualService, r *steered, t canary.Traffic, changed bool) error {
	want := h.derive(r, t)
	n := h.fitting(vs, r, want)
	switch {
	case r.moved:
		n = 0
	case changed && n > 0 && want[n-1].arm == everywhere:
		n-- // a copy divides its requests as the rule does
	}
	index, at := r.index, r.front
	if n > 0 {
		at = r.own[n-1] + 1
	}
	for _, k := range slices.Backward(r.own[n:]) {
		p.Remove(rulePath(k, ""))
		index--
	}
	for _, d := range want[n:] {
		if err := h.canDerive(vs, r, d); err != nil {
			return err
		}
		if d.arm == everywhere {
			at = index
		}
		h.add(p, r, d, index, at)
		index++
		at++
	}
	return nil
}
