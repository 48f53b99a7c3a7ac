package rules

import (
	"errors"
	"fmt"
	"math"

	networking "istio.io/api/networking/v1alpha3"
)

// Destination names a cluster: a host, a subset and a port.
type Destination struct {
	// Host is a full name, and Subset "" for all pods.
	Host, Subset string
	// Port is 0 where the rule does not say it.
	Port uint32
}

// Share is a destination and its part of the requests.
type Share struct {
	// To is where they are sent.
	To Destination
	// Weight is of the Total of the rule.
	Weight uint64
	// Changes are those of the headers; nil for none.
	Changes *Changes
}

// Mirror is a destination of copies.
type Mirror struct {
	// To is where they are sent.
	To Destination
	// PPM is how many requests are copied, in parts per million.
	PPM uint64
}

// compileSplit drops destinations of weight 0, and gives everything to a lone
// destination whatever its weight. The changes of a lone one join those of the
// rule.
func compileSplit(to []*networking.HTTPRouteDestination, rule *Changes) (split []Share, refused, err error) {
	if len(to) == 0 {
		return nil, nil, errors.New("no destination")
	}
	for i, d := range to {
		if d.Weight < 0 {
			return nil, nil, fmt.Errorf("weight %d is negative", d.Weight)
		}
		own, bad := compileHeaders(d.Headers)
		s := Share{compileDestination(d.Destination), uint64(d.Weight), nil}
		switch {
		case len(to) == 1:
			s.Weight = 1
			rule.join(own)
		case d.Weight == 0:
			continue
		case d.Headers != nil:
			s.Changes = &own
			bad = errors.Join(bad, own.tooMany())
		}
		refused = errors.Join(refused, place(fmt.Sprintf("route %d", i), bad))
		split = append(split, s)
	}
	switch sum := Total(split); {
	case sum == 0:
		return nil, nil, errors.New("the weights sum to 0")
	case sum > math.MaxUint32:
		refused = errors.Join(refused, fmt.Errorf("the weights sum to %d, more than %d", sum, uint32(math.MaxUint32)))
	}
	return split, refused, nil
}

// Total returns the sum of the weights.
func Total(split []Share) uint64 {
	var sum uint64
	for _, s := range split {
		sum += s.Weight
	}
	return sum
}

func compileDestination(d *networking.Destination) Destination {
	return Destination{d.GetHost(), d.GetSubset(), d.GetPort().GetNumber()}
}

// Million parts per million are all.
const Million = 1_000_000

// partsPerMillion truncates as Istio does: 0.57 % is 5699.
func partsPerMillion(p *networking.Percent) uint64 {
	return uint64(math.Max(0, math.Min(p.GetValue()*10_000, Million)))
}

func compileMirrors(r *networking.HTTPRoute) []Mirror {
	var mirrors []Mirror
	add := func(d *networking.Destination, ppm uint64) {
		if ppm > 0 {
			mirrors = append(mirrors, Mirror{compileDestination(d), ppm})
		}
	}
	if r.Mirror != nil {
		add(r.Mirror, mirrorShare(r))
	}
	for _, m := range r.Mirrors {
		ppm := uint64(Million)
		if m.Percentage != nil {
			ppm = partsPerMillion(m.Percentage)
		}
		add(m.Destination, ppm)
	}
	return mirrors
}

// mirrorShare reads the share of the field mirror, in parts per million:
// mirrorPercentage beats the older mirrorPercent, and neither is all.
func mirrorShare(r *networking.HTTPRoute) uint64 {
	switch {
	case r.MirrorPercentage != nil:
		return partsPerMillion(r.MirrorPercentage)
	//lint:ignore SA1019 people still write it, and Istio still obeys it
	case r.MirrorPercent != nil:
		//lint:ignore SA1019 as above
		return min(uint64(r.MirrorPercent.Value)*10_000, Million)
	}
	return Million
}
