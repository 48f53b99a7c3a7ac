package routing

import (
	"fmt"
	"slices"
	"strings"

	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// Derived rules stand before their steered rule and take a part of its requests. A
// header route leads requests with a header to one arm. A copy of the steered rule
// mirrors requests with certain methods. Derived rules follow each change of the steered
// rule. Their names begin with the target's prefix.

// ownPrefix is the prefix of the names of all rules that Serin adds.
const ownPrefix = "serin/"

func isOwn(name string) bool { return strings.HasPrefix(name, ownPrefix) }

// derived describes one derived rule.
type derived struct {
	name string
	arm  int // of a header route; everywhere for a copy
	// mirror is the share that a copy mirrors. For a header route, it is the share that
	// the steered rule mirrors.
	mirror canary.Weight
}

// everywhere is the arm of a copy, which keeps the destinations of its rule.
const everywhere = -1

// derive returns the derived rules of r for t, in their order. Requests with the header
// are not mirrored.
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

// mirrorOf returns the share that a steered rule mirrors itself. It is 0 unless all
// methods are mirrored.
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

// derivedOf returns the indexes of this target's derived rules directly before the rule,
// and the index of the first derived rule there, of any target.
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

// strays returns the indexes of this target's derived rules that do not stand before a
// steered rule.
func (h *HTTP) strays(vs *networking.VirtualService, rules []steered) []int {
	var all []int
	next := 0 // index into rules, which are in the order of the object
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

// fitting returns how many of the derived rules of r fit, counted up to the first that
// does not.
func (h *HTTP) fitting(vs *networking.VirtualService, r *steered, want []derived) (n int) {
	for n < min(len(want), len(r.own)) && h.fits(vs.Spec.Http[r.own[n]], r, want[n]) {
		n++
	}
	return n
}

// canDerive returns an error if d cannot be derived from r.
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

// letsThrough reports whether a rule with this match accepts any of the mirrored methods.
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

// isCatchAll reports whether a match block matches everything, by the rule of Istio's
// IsCatchAllRoute.
func isCatchAll(block *api.HTTPMatchRequest) bool {
	uri := block.GetUri()
	everywhere := uri == nil || uri.GetPrefix() == "/" || uri.GetRegex() == ".*"
	more := len(block.GetHeaders()) + len(block.GetWithoutHeaders()) + len(block.GetQueryParams())
	return everywhere && more == 0 && block.GetMethod() == nil && block.GetScheme() == nil && block.GetAuthority() == nil
}

// isDelegate reports whether vs is a delegate of another VirtualService, which is so if
// it has no hosts.
func isDelegate(vs *networking.VirtualService) bool { return len(vs.Spec.Hosts) == 0 }

// headerIsFree returns ErrHeaderTaken if the rule matches on the header of the header
// routes: they would match other requests than the rule does.
func (h *HTTP) headerIsFree(r *steered) error {
	for k, block := range r.Match {
		for _, headers := range []map[string]*api.StringMatch{block.GetHeaders(), block.GetWithoutHeaders()} {
			for name := range headers {
				if strings.EqualFold(name, h.target.Header) {
					return fmt.Errorf("match %d: %w: %s; set another Target.Header", k, ErrHeaderTaken, name)
				}
			}
		}
	}
	return nil
}

// renderDerived appends the patch after which r has the derived rules for t. The patch
// for the rule itself is already appended, and changed says whether that was anything.
// Rules are rendered last first, so the indexes of later rules no longer matter.
func (h *HTTP) renderDerived(p *Patch, vs *networking.VirtualService, r *steered, t canary.Traffic, changed bool) error {
	want := h.derive(r, t)
	n := h.fitting(vs, r, want)
	switch {
	case r.moved:
		n = 0
	case changed && n > 0 && want[n-1].arm == everywhere:
		n-- // a copy has the same weights as its rule
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
