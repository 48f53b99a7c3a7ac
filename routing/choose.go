package routing

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// find finds the rules of the target, in its order, or in that of the object if it
// names none.
func (h *HTTP) find(vs *networking.VirtualService) ([]steered, error) {
	if len(h.target.Rules) == 0 {
		return h.leading(vs)
	}
	found := make([]steered, 0, len(h.target.Rules))
	for i := range h.target.Rules {
		index, err := namedRule(vs, h.target.Rules[i].Name)
		if err != nil {
			return nil, err
		}
		r, err := h.look(vs, index, &h.own[i])
		if err != nil {
			return nil, err
		}
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
	var found []steered
	for index, rule := range vs.Spec.Http {
		if isOwn(rule.GetName()) || len(rule.GetRoute()) == 0 {
			continue
		}
		r, err := h.look(vs, index, &h.common)
		if err != nil {
			return nil, err
		}
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

// look finds the arms in one rule.
func (h *HTTP) look(vs *networking.VirtualService, index int, p *places) (steered, error) {
	r, err := look(vs.Spec.Http[index], index, p, h.suffix)
	r.key = key(vs, index)
	return r, err
}

// key tells a rule from the others of its object: its name, or else what it
// matches.
func key(vs *networking.VirtualService, index int) string {
	rule := vs.Spec.Http[index]
	if rule.GetName() != "" {
		return rule.GetName()
	}
	one := matches(rule)
	twins := 0
	for _, other := range vs.Spec.Http[:index] {
		if other.GetName() == "" && matches(other) == one {
			twins++
		}
	}
	if twins > 0 {
		return fmt.Sprintf("%s~%d", one, twins)
	}
	return one
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

// noStable is ErrNoStable with where the rules lead instead.
func (h *HTTP) noStable(p *places, rules []*api.HTTPRoute) error {
	want := p[stable].Destination.String()
	if p[stable].full != p[stable].Host {
		want += " (which is " + p[stable].full + ")"
	}
	var there []string
	for _, rule := range rules {
		for _, d := range rule.GetRoute() {
			is := d.GetDestination()
			text := Destination{Host: is.GetHost(), Subset: is.GetSubset(), Port: is.GetPort().GetNumber()}.String()
			if !slices.Contains(there, text) {
				there = append(there, text)
			}
		}
	}
	if there == nil {
		return fmt.Errorf("%w: %s; none of %d http rules routes", ErrNoStable, want, len(rules))
	}
	return fmt.Errorf("%w: %s; there is %s", ErrNoStable, want, strings.Join(there, "; "))
}

// Check tells of rules of other protocols that lead to an arm: they are not steered.
func (h *HTTP) Check(vs *networking.VirtualService) (found []canary.Finding) {
	note := func(kind string, i int, d *api.Destination) {
		for _, p := range append(h.own, h.common) {
			for arm := range p {
				if p[arm].is(d, h.suffix) {
					found = append(found, canary.Finding{Problem: fmt.Sprintf("VirtualService %s/%s: %s[%d] leads to %s as well, %v; %s rules are not steered, so their traffic stays as it is",
						vs.Namespace, vs.Name, kind, i, armNames[arm], p[arm].Destination, kind)})
					return
				}
			}
		}
	}
	for i, rule := range vs.Spec.Tls {
		for _, d := range rule.GetRoute() {
			note("tls", i, d.GetDestination())
		}
	}
	for i, rule := range vs.Spec.Tcp {
		for _, d := range rule.GetRoute() {
			note("tcp", i, d.GetDestination())
		}
	}
	return found
}

// whatElse says what the object has beside http rules that route, and which object
// to steer instead.
func whatElse(vs *networking.VirtualService) string {
	var all []string
	for i, rule := range vs.Spec.Http {
		if d := rule.GetDelegate(); d != nil {
			namespace := cmp.Or(d.GetNamespace(), vs.Namespace)
			all = append(all, fmt.Sprintf("http[%d] is left to the VirtualService %s/%s: steer that one", i, namespace, d.GetName()))
		}
	}
	for kind, n := range map[string]int{"tls": len(vs.Spec.Tls), "tcp": len(vs.Spec.Tcp)} {
		if n > 0 {
			all = append(all, fmt.Sprintf("there are %s rules (%d), which are not steered", kind, n))
		}
	}
	slices.Sort(all)
	return strings.Join(append([]string{""}, all...), "; ")
}

func namedRule(vs *networking.VirtualService, name string) (int, error) {
	index := -1
	for i, r := range vs.Spec.Http {
		if r.GetName() != name {
			continue
		}
		if index >= 0 {
			return 0, fmt.Errorf("%w: http[%d] and http[%d] are both named %q", ErrAmbiguousRule, index, i, name)
		}
		index = i
	}
	if index < 0 {
		return 0, noRule(vs, name)
	}
	return index, nil
}

// noRule is ErrNoRule with the names that there are.
func noRule(vs *networking.VirtualService, name string) error {
	var names []string
	for _, r := range vs.Spec.Http {
		if r.GetName() != "" {
			names = append(names, fmt.Sprintf("%q", r.GetName()))
		}
	}
	if names == nil {
		return fmt.Errorf("%w: %q; none of %d http rules has a name: leave Rules out to steer all that lead to stable", ErrNoRule, name, len(vs.Spec.Http))
	}
	return fmt.Errorf("%w: %q; there is %s", ErrNoRule, name, strings.Join(names, ", "))
}
