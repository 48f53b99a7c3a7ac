package routing

import (
	"fmt"
	"hash/fnv"
	"slices"

	"google.golang.org/protobuf/proto"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
)

// find returns the steered rules: in the order of Target.Rules, or in the order of the
// object if Target.Rules is empty.
func (h *HTTP) find(vs *networking.VirtualService) ([]steered, error) {
	if len(h.target.Rules) == 0 {
		return h.leading(vs)
	}
	found := make([]steered, 0, len(h.target.Rules))
	keys := keysOf(vs)
	for i := range h.target.Rules {
		index, err := h.target.Rules[i].find(vs)
		if err != nil {
			if index = h.dividing(vs, i); index < 0 {
				return nil, err
			}
		}
		if twin := slices.IndexFunc(found, func(r steered) bool { return r.index == index }); twin >= 0 {
			return nil, fmt.Errorf("%w: the target's rules %v and %v are both http[%d]", ErrAmbiguousRule, &h.target.Rules[twin], &h.target.Rules[i], index)
		}
		r, err := look(vs.Spec.Http[index], index, &h.own[i], h.suffix)
		if err != nil {
			return nil, err
		}
		r.key = keys[index]
		// A stable destination that was removed during the rollout can be restored.
		if r.at[stable] < 0 && (r.at[canaryArm] < 0 || !h.isUnder(vs)) {
			return nil, fmt.Errorf("%v: %w", &r, h.noStable(&h.own[i], vs.Spec.Http[index:index+1]))
		}
		found = append(found, r)
	}
	return found, nil
}

// dividing returns the index of the rule that gives live traffic to the canary or
// baseline of the current rollout, other than the rules that fit the other entries of
// Target.Rules. It finds a rule whose name or match somebody has changed. It returns -1
// if there is no such rule, or more than one.
func (h *HTTP) dividing(vs *networking.VirtualService, i int) int {
	only := -1
	if !h.isUnder(vs) {
		return only
	}
	for index, rule := range vs.Spec.Http {
		r, err := look(rule, index, &h.own[i], h.suffix)
		c, b := r.shares()
		switch {
		case err != nil || c+b == 0 || isOwn(rule.GetName()) || h.isOther(rule, i):
		case only >= 0:
			return -1
		default:
			only = index
		}
	}
	return only
}

// isOther reports whether a rule of the object fits an entry of Target.Rules other than
// the i-th.
func (h *HTTP) isOther(rule *api.HTTPRoute, i int) bool {
	for j := range h.target.Rules {
		if j != i && h.target.Rules[j].is(rule) {
			return true
		}
	}
	return false
}

// leading returns the rules that lead to stable. While there is live traffic, these are
// the rules that led to stable when the traffic began, and the rules that divide it. A
// rule added meanwhile is left alone, and so is a rule that leads to the canary only.
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

// isChosen reports whether leading returns the rule. known is what the rules were before
// the rollout, and under says whether the rollout has live traffic.
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

// known returns what the rules were before the rollout, and whether the rollout has live
// traffic. known is nil if the annotation cannot be decoded. Originals with another
// stable destination, from a rollout in the other direction, are left out.
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

// isUnder reports whether the rollout has live traffic.
func (h *HTTP) isUnder(vs *networking.VirtualService) bool {
	_, under := h.known(vs)
	return under
}

// isStable reports whether key is the key of a stable destination of the target.
func (h *HTTP) isStable(key string) bool {
	return h.common[stable].key == key || slices.ContainsFunc(h.own, func(p places) bool { return p[stable].key == key })
}

// keysOf returns a unique key for each rule of the object: its name, or a digest of its
// match if it has no name. A key that is already used gets a number.
func keysOf(vs *networking.VirtualService) []string {
	keys := make([]string, len(vs.Spec.Http))
	var seen map[string]bool // only if a linear search would take longer
	if len(keys) > 32 {
		seen = make(map[string]bool, len(keys))
	}
	for i, rule := range vs.Spec.Http {
		one := rule.GetName()
		if one == "" {
			one = matches(rule)
		}
		keys[i] = one
		for n := 1; seen[keys[i]] || seen == nil && slices.Contains(keys[:i], keys[i]); n++ {
			keys[i] = fmt.Sprintf("%s~%d", one, n)
		}
		if seen != nil {
			seen[keys[i]] = true
		}
	}
	return keys
}

// matches returns a digest of what a rule matches; "" if it matches everything.
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
