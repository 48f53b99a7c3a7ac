package routing

import (
	"math"
	"strconv"

	"github.com/serin-go/serin/canary"
)

// isMirror reports whether the rule mirrors to its canary.
func (r *steered) isMirror(suffix string) bool {
	return r.Mirror != nil && r.places[canaryArm].is(r.Mirror, suffix)
}

// mirrored returns the share of requests that the rule copies to its canary.
func (r *steered) mirrored(suffix string) canary.Weight {
	if !r.isMirror(suffix) {
		return 0
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

// percentage returns the number that Istio takes for w. Istio multiplies it by
// 10 000 and cuts off what follows the point (translatePercentToFractionalPercent
// in its route translation), so that 0.57 would become 5 699 parts per million;
// the next greater number does not.
func percentage(w canary.Weight) float64 {
	p := float64(w) / float64(canary.Percent)
	if ofPercentage(p) < w {
		p = math.Nextafter(p, math.Inf(1))
	}
	return p
}

// ofPercentage reads a percentage as Istio does.
func ofPercentage(p float64) canary.Weight {
	if !(p > 0) { // also not a number
		return 0
	}
	return canary.Weight(min(p, 100) * float64(canary.Percent))
}

// renderMirror appends the patch that makes the rule copy the share w.
func (r *steered) renderMirror(p *Patch, w canary.Weight, suffix string) {
	if r.mirrored(suffix) == w {
		return
	}
	if w == 0 {
		p.Remove(rulePath(r.index, "/mirror"))
		if r.MirrorPercentage != nil {
			p.Remove(rulePath(r.index, "/mirrorPercentage"))
		}
		return
	}
	if !r.isMirror(suffix) {
		p.Add(rulePath(r.index, "/mirror"), r.appendDestination(nil, canaryArm))
	}
	p.Add(rulePath(r.index, "/mirrorPercentage"), mirrorPercentage(w))
}

// mirrorPercentage returns w as the JSON of mirrorPercentage in an http rule.
func mirrorPercentage(w canary.Weight) []byte {
	b := strconv.AppendFloat([]byte(`{"value":`), percentage(w), 'f', -1, 64)
	return append(b, '}')
}
