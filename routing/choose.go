package routing

import (
	"fmt"
	"hash/fnv"
	"slices"

	"google.golang.org/protobuf/proto"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
)

// find finds the rules of the target, in its order, or in that of the object if it
// names none.
func (h *HTTP) find(vs *networking.VirtualService) ([]steered, error) {
	if len(h.target.Rules) == 0 {
		return h.leading(vs)
	}
	found := make([]steered, 0, len(h.target.Rules))
	keys := keysOf(vs)
	for i := range h.target.Rules {
		index, err := h.target.Rules[i].find(vs)
		if err != nil {
			return nil, err
		}
		r, err := look(vs.Spec.Http[index], index, &h.own[i], h.suffix)
		if err != nil {
			return nil, err
		}
		r.key = keys[index]
		// A stable destination that was there before the rollout can be put back.
		if r.at[stable] < 0 && (r.at[canaryArm] < 0 || !h.isUnder(vs)) {
			return nil, fmt.Errorf("%v: %w", &r, h.noStable(&h.own[i], vs.Spec.Http[index:index+1]))
		}
		found = append(found, r)
	}
	return found, nil
}

// leading finds the rules that lead to stable. While there is live traffic, they are
// those that did so when it began, and those that divide it: a rule that somebody
// adds meanwhile is left alone, as is one that leads to the canary only.
func (h *HTTP) leading(vs *networking.VirtualService) ([]steered, error) {
	known, under := h.known(vs)
	keys := keysOf(vs)
	var found []steered
	for index, rule := range vs.Spec.Http {
		if isOwn(rule.GetName()) || len(rule.GetRoute()) == 0 {
			continue
		}
		r, err := look(rule, index, &h.common, h.suffix)
		if err != nil {
			return nil, err
		}
		r.key = keys[index]
		if r.isChosen(known, under) {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w%s", h.noStable(&h.common, vs.Spec.Http), whatElse(vs))
	}
	return found, nil
}

// isChosen reports whether a rule is one of those that lead to stable, given what is
// known of them.
func (r *steered) isChosen(known []original, under bool) bool {
	hasStable, hasCanary := r.at[stable] >= 0, r.at[canaryArm] >= 0
	switch {
	case hasStable && (hasCanary || r.at[baseline] >= 0):
		return true // it divides
	case !under:
		return hasStable
	case known != nil && !slices.ContainsFunc(known, func(o original) bool { return o.Rule == r.key }):
		return false
	}
	return hasStable || hasCanary
}

// known is what the rules were before the rollout, if it is under way with live
// traffic; nil if that is so, and what they were cannot be understood. The originals
// of a rollout that went in another direction are none of this one's.
func (h *HTTP) known(vs *networking.VirtualService) (known []original, under bool) {
	text, under := vs.Annotations[h.kept]
	if !under {
		return nil, false
	}
	all, err := decodeOriginals(text)
	if err != nil || len(all) == 0 {
		return nil, true
	}
	known = slices.DeleteFunc(all, func(o original) bool { return !h.isStable(o.Stable) })
	return known, len(known) > 0
}

// isUnder reports whether the rollout is under way with live traffic.
func (h *HTTP) isUnder(vs *networking.VirtualService) bool {
	_, under := h.known(vs)
	return under
}

// isStable reports whether a key is that of a stable destination of the target.
func (h *HTTP) isStable(key string) bool {
	return h.common[stable].key == key || slices.ContainsFunc(h.own, func(p places) bool { return p[stable].key == key })
}

// keysOf returns what tells each rule from the others of its object: its name, or else
// what it matches.
func keysOf(vs *networking.VirtualService) []string {
	keys := make([]string, len(vs.Spec.Http))
	var twins map[string]int
	for i, rule := range vs.Spec.Http {
		if keys[i] = rule.GetName(); keys[i] != "" {
			continue
		}
		if twins == nil {
			twins = map[string]int{}
		}
		one := matches(rule)
		if keys[i] = one; twins[one] > 0 {
			keys[i] = fmt.Sprintf("%s~%d", one, twins[one])
		}
		twins[one]++
	}
	return keys
}

// matches is a digest of what a rule matches; "" if that is everything.
func matches(rule *api.HTTPRoute) string {
	if len(rule.GetMatch()) == 0 {
		return ""
	}
	digest := fnv.New64a()
	for _, block := range rule.GetMatch() {
		b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(block) // what was decoded can be encoded
		digest.Write(append(b, 0))
	}
	return fmt.Sprintf("#%x", digest.Sum64())
}
