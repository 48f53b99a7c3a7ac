package routing

import (
	"math"
	"slices"
	"strconv"

	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/canary"
)

// isMirror reports whether the rule mirrors to its canary.
func (r *steered) isMirror() bool {
	return r.Mirror != nil && r.places[canaryArm].Sets == (Header{}) && r.places[canaryArm].is(r.Mirror, r.suffix)
}

// mirrored returns the share of requests that the rule mirrors to its canary, in any
// spelling.
func (r *steered) mirrored() canary.Weight {
	if !r.isMirror() {
		var sum canary.Weight
		for _, k := range r.mirrors() {
			sum += ofPolicy(r.Mirrors[k])
		}
		return min(canary.Full, sum)
	}
	switch {
	case r.MirrorPercentage != nil:
		return ofPercentage(r.MirrorPercentage.Value)
	//lint:ignore SA1019 people still write it, and Istio still obeys it
	case r.MirrorPercent != nil:
		//lint:ignore SA1019 as above
		return min(canary.Full, canary.Weight(r.MirrorPercent.Value)*canary.Percent)
	}
	return canary.Full
}

// mirrors returns the indexes of the mirrors to the canary in the rule's list of mirrors.
func (r *steered) mirrors() (to []int) {
	for k, m := range r.Mirrors {
		if r.places[canaryArm].Sets == (Header{}) && r.places[canaryArm].is(m.GetDestination(), r.suffix) {
			to = append(to, k)
		}
	}
	return to
}

func ofPolicy(m *api.HTTPMirrorPolicy) canary.Weight {
	if m.GetPercentage() == nil {
		return canary.Full
	}
	return ofPercentage(m.GetPercentage().GetValue())
}

// percentage returns the number that Istio reads as w. Istio multiplies it by 10 000 and
// truncates (translatePercentToFractionalPercent in its route translation), so that 0.57
// would become 5 699 parts per million. The next greater float64 does not.
func percentage(w canary.Weight) float64 {
	p := float64(w) / float64(canary.Percent)
	if ofPercentage(p) < w {
		p = math.Nextafter(p, math.Inf(1))
	}
	return p
}

// ofPercentage reads a percentage as Istio does.
func ofPercentage(p float64) canary.Weight {
	if !(p > 0) { // also NaN
		return 0
	}
	return canary.Weight(min(p, 100) * float64(canary.Percent))
}

// renderMirror appends the patch that makes the rule mirror the share w: in its list of
// mirrors, if it has one, and otherwise as its single mirror.
func (r *steered) renderMirror(p *Patch, w canary.Weight) {
	to := r.mirrors()
	if r.mirrored() == w && len(to) <= 1 {
		return
	}
	if len(r.Mirrors) > 0 {
		r.renderMirrors(p, w, to)
		return
	}
	r.clearPercentages(p)
	if w == 0 {
		p.Remove(rulePath(r.index, "/mirror"))
		return
	}
	if !r.isMirror() {
		p.Add(rulePath(r.index, "/mirror"), r.appendDestination(nil, canaryArm))
	}
	p.Add(rulePath(r.index, "/mirrorPercentage"), mirrorPercentage(w))
}

// renderMirrors is renderMirror for a rule with a list of mirrors, in which to are the
// indexes of the mirrors to the canary.
func (r *steered) renderMirrors(p *Patch, w canary.Weight, to []int) {
	list := rulePath(r.index, "/mirrors")
	if w == 0 && len(to) == len(r.Mirrors) {
		p.Remove(list)
		return
	}
	for i, k := range slices.Backward(to) {
		if path := list + "/" + strconv.Itoa(k); w == 0 || i > 0 {
			p.Remove(path)
		} else {
			p.Add(path+"/percentage", mirrorPercentage(w))
		}
	}
	if w > 0 && len(to) == 0 {
		p.Add(list+"/-", mirrorPolicy(r.appendDestination(nil, canaryArm), w))
	}
}

// addMirror makes the copy of r at path also mirror the share w to the canary. The copy
// was made after the mirror of r itself was removed.
func (r *steered) addMirror(p *Patch, path string, w canary.Weight) {
	to := r.appendDestination(nil, canaryArm)
	if gone := r.mirrors(); len(r.Mirrors) > 0 && (len(gone) < len(r.Mirrors) || r.mirrored() == 0 && len(gone) <= 1) {
		p.Add(path+"/mirrors/-", mirrorPolicy(to, w))
		return
	}
	clearMirror(p, path, r.HTTPRoute)
	p.Add(path+"/mirror", to)
	p.Add(path+"/mirrorPercentage", mirrorPercentage(w))
}

// mirrorPolicy returns the JSON of an entry in a list of mirrors.
func mirrorPolicy(to []byte, w canary.Weight) []byte {
	b := append([]byte(`{"destination":`), to...)
	return append(append(append(b, `,"percentage":`...), mirrorPercentage(w)...), '}')
}

// clearPercentages appends the removal of the rule's mirror percentage, in either field.
func (r *steered) clearPercentages(p *Patch) {
	clearMirror(p, rulePath(r.index, ""), r.HTTPRoute)
}

// clearMirror removes the mirror percentage of the rule at path, in either field and
// either spelling of protobuf's JSON.
func clearMirror(p *Patch, path string, rule *api.HTTPRoute) {
	if rule.MirrorPercentage != nil {
		p.Clear(path + "/mirrorPercentage")
		p.Clear(path + "/mirror_percentage")
	}
	//lint:ignore SA1019 people still write it
	if rule.MirrorPercent != nil {
		p.Clear(path + "/mirrorPercent")
		p.Clear(path + "/mirror_percent")
	}
}

// mirrorPercentage returns w as the JSON of mirrorPercentage in an http rule.
func mirrorPercentage(w canary.Weight) []byte {
	b := strconv.AppendFloat([]byte(`{"value":`), percentage(w), 'f', -1, 64)
	return append(b, '}')
}
