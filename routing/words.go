package routing

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// String returns the quoted name, or the match as JSON.
func (r Rule) String() string {
	if r.Match == nil {
		return fmt.Sprintf("%q", r.Name)
	}
	b, _ := json.Marshal(r.Match) // what was decoded, or written in Go, can be encoded
	return "match " + string(b)
}

// is reports whether r selects a rule of the object.
func (r *Rule) is(rule *api.HTTPRoute) bool {
	if r.Match == nil {
		return rule.GetName() == r.Name
	}
	return !isOwn(rule.GetName()) && slices.ContainsFunc(rule.GetMatch(), func(block *api.HTTPMatchRequest) bool {
		return proto.Equal(block, r.Match)
	})
}

// find returns the index of the selected rule in an object.
func (r *Rule) find(vs *networking.VirtualService) (int, error) {
	index := -1
	for i, rule := range vs.Spec.Http {
		if !r.is(rule) {
			continue
		}
		if index >= 0 {
			return 0, fmt.Errorf("%w: http[%d] and http[%d] both fit %v", ErrAmbiguousRule, index, i, r)
		}
		index = i
	}
	if index < 0 {
		return 0, r.isMissing(vs)
	}
	return index, nil
}

// isMissing returns ErrNoRule with the rules that exist.
func (r *Rule) isMissing(vs *networking.VirtualService) error {
	if r.Match != nil {
		return fmt.Errorf("%w: %v; none of %d http rules has it", ErrNoRule, r, len(vs.Spec.Http))
	}
	var names []string
	for _, rule := range vs.Spec.Http {
		if rule.GetName() != "" {
			names = append(names, fmt.Sprintf("%q", rule.GetName()))
		}
	}
	if names == nil {
		return fmt.Errorf("%w: %q; none of %d http rules has a name: leave Target.Rules empty to steer every rule that leads to stable", ErrNoRule, r.Name, len(vs.Spec.Http))
	}
	return fmt.Errorf("%w: %q; the named rules are %s", ErrNoRule, r.Name, strings.Join(names, ", "))
}

// noStable returns ErrNoStable with the destinations that the rules have.
func (h *HTTP) noStable(p *places, rules []*api.HTTPRoute) error {
	want := p[stable].Destination.String()
	if p[stable].full != p[stable].Host {
		want += " (in full: " + p[stable].full + ")"
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
		return fmt.Errorf("%w: %s; none of %d http rules has destinations", ErrNoStable, want, len(rules))
	}
	return fmt.Errorf("%w: %s; the destinations are %s", ErrNoStable, want, strings.Join(there, "; "))
}

// Check reports the tls and tcp rules that lead to an arm. These rules are not steered.
func (h *HTTP) Check(vs *networking.VirtualService) (found []canary.Finding) {
	note := func(kind string, i int, d *api.Destination) {
		for _, p := range append(h.own, h.common) {
			for arm := range p {
				if p[arm].is(d, h.suffix) {
					found = append(found, canary.Finding{Problem: fmt.Sprintf("VirtualService %s/%s: %s[%d] also leads to %s (%v); %s rules are not steered, so their traffic does not change",
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

// whatElse says which rules the object has besides http rules with destinations, and
// which object to steer instead.
func whatElse(vs *networking.VirtualService) string {
	var all []string
	for i, rule := range vs.Spec.Http {
		if d := rule.GetDelegate(); d != nil {
			namespace := cmp.Or(d.GetNamespace(), vs.Namespace)
			all = append(all, fmt.Sprintf("http[%d] delegates to VirtualService %s/%s: steer that object instead", i, namespace, d.GetName()))
		}
	}
	for kind, n := range map[string]int{"tls": len(vs.Spec.Tls), "tcp": len(vs.Spec.Tcp)} {
		if n > 0 {
			all = append(all, fmt.Sprintf("%d %s rules are not steered", n, kind))
		}
	}
	slices.Sort(all)
	return strings.Join(append([]string{""}, all...), "; ")
}
