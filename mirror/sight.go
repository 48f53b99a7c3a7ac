package mirror

import (
	"strings"

	"google.golang.org/protobuf/proto"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
)

// prefix begins the name of every copy.
const prefix = "serin-mirror"

func copyName(rule string) string {
	if rule == "" {
		return prefix
	}
	return prefix + "-" + rule
}

func isCopy(rule *api.HTTPRoute) bool {
	name := rule.GetName()
	return name == prefix || strings.HasPrefix(name, prefix+"-")
}

// sight is a VirtualService seen in the ways in which the inner renderer is
// shown it. It shares what it does not change with the object.
type sight struct {
	copies  []int                      // indexes in spec.http
	clean   *networking.VirtualService // without the copies
	united  *networking.VirtualService // and with their mirrors in the originals
	swapped *networking.VirtualService // with the copies in the place of the originals
	pairs   []pair                     // parallel to the rules of clean
}

// pair is a rule and its copy, nil if it has none directly before it.
type pair struct{ rule, copy *api.HTTPRoute }

func look(vs *networking.VirtualService) sight {
	var s sight
	var clean, united, swapped []*api.HTTPRoute
	for i, rule := range vs.Spec.Http {
		if isCopy(rule) {
			s.copies = append(s.copies, i)
			continue
		}
		p := pair{rule: rule}
		if i > 0 && vs.Spec.Http[i-1].GetName() == copyName(rule.GetName()) {
			p.copy = vs.Spec.Http[i-1]
		}
		s.pairs = append(s.pairs, p)
		clean = append(clean, rule)
		united = append(united, p.united())
		swapped = append(swapped, p.swapped())
	}
	s.clean, s.united, s.swapped = with(vs, clean), with(vs, united), with(vs, swapped)
	return s
}

// with returns vs with other http rules.
func with(vs *networking.VirtualService, http []*api.HTTPRoute) *networking.VirtualService {
	other := &networking.VirtualService{TypeMeta: vs.TypeMeta, ObjectMeta: vs.ObjectMeta}
	other.Spec.Hosts, other.Spec.Gateways, other.Spec.ExportTo = vs.Spec.Hosts, vs.Spec.Gateways, vs.Spec.ExportTo
	other.Spec.Http, other.Spec.Tls, other.Spec.Tcp = http, vs.Spec.Tls, vs.Spec.Tcp
	return other
}

// united returns the rule with the mirror of its copy, if it has none itself.
func (p pair) united() *api.HTTPRoute {
	if p.copy == nil || p.rule.Mirror != nil {
		return p.rule
	}
	rule := p.rule.DeepCopy()
	rule.Mirror, rule.MirrorPercentage = p.copy.Mirror, p.copy.MirrorPercentage
	return rule
}

// swapped returns the copy under the name of the rule.
func (p pair) swapped() *api.HTTPRoute {
	if p.copy == nil {
		return p.rule
	}
	rule := p.copy.DeepCopy()
	rule.Name = p.rule.Name
	return rule
}

// fits reports whether every steered rule, and no other, has the copy that
// split makes of it. The mirror itself is for the inner renderer to judge.
func (r *Renderer) fits(s *sight) (bool, error) {
	steered, err := r.inner.Steered(s.clean)
	if err != nil || len(steered) != len(s.copies) {
		return false, err
	}
	for _, i := range steered {
		p := s.pairs[i]
		if p.copy == nil || p.copy.Mirror == nil || p.rule.Mirror != nil {
			return false, nil
		}
		want := p.rule.DeepCopy()
		want.Name = copyName(p.rule.Name)
		want.Match = narrow(p.rule.Match, r.methods)
		want.Mirror, want.MirrorPercentage = p.copy.Mirror, p.copy.MirrorPercentage
		if !proto.Equal(want, p.copy) {
			return false, nil
		}
	}
	return true, nil
}
