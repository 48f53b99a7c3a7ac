package fake

import (
	"errors"
	"fmt"
	"math"
	"net/http"

	networking "istio.io/api/networking/v1alpha3"
)

// route is what one match block of an http rule leads to, or a whole rule
// without match blocks.
type route struct {
	block
	action *action
}

// action is what is done with a request that a rule matches.
type action struct {
	abort   fault
	answer  *answer // a redirect or a direct response: nothing is sent on
	split   []share
	mirrors []mirror
}

// fault is a share of requests, in parts per million, that get a status.
type fault struct {
	ppm  uint64
	code int
}

// answer is given by the proxy itself.
type answer struct {
	code           int
	body, location string
}

// destination names a cluster: the fully qualified host, the subset and the
// port, which is 0 where the rule does not say it.
type destination struct {
	host, subset string
	port         uint32
}

// share is a destination and its part of the requests.
type share struct {
	to     destination
	weight uint64
}

// mirror is a destination and the parts per million of the requests that it
// gets a copy of.
type mirror struct {
	to  destination
	ppm uint64
}

// decodeRules takes over the http rules of a VirtualService of namespace ns, or
// tells what Istio's validation would refuse.
func decodeRules(rules []*networking.HTTPRoute, ns string) ([]rule, error) {
	decoded := make([]rule, len(rules))
	var errs []error
	for i, r := range rules {
		qualifyRule(r, ns)
		routes, err := compileRule(r)
		if r.Mirror != nil && len(r.Mirrors) > 0 {
			err = errors.Join(err, errors.New("mirror and mirrors together"))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("http rule %d %q: %w", i, r.Name, err))
		}
		decoded[i] = rule{r, routes}
	}
	return decoded, errors.Join(errs...)
}

// compileRule makes an http rule ready whose names are qualified.
func compileRule(r *networking.HTTPRoute) ([]route, error) {
	what, err := compileAction(r)
	if err != nil {
		return nil, err
	}
	if len(r.Match) == 0 {
		return []route{{block{open: true}, what}}, nil
	}
	routes := make([]route, len(r.Match))
	for i, m := range r.Match {
		b, err := compileBlock(m)
		if err != nil {
			return nil, err
		}
		routes[i] = route{b, what}
	}
	return routes, nil
}

func compileAction(r *networking.HTTPRoute) (*action, error) {
	a := &action{abort: compileAbort(r.Fault.GetAbort()), mirrors: compileMirrors(r)}
	var err error
	switch {
	case r.Redirect != nil:
		a.answer = compileRedirect(r.Redirect)
	case r.DirectResponse != nil:
		a.answer = &answer{code: int(r.DirectResponse.Status), body: r.DirectResponse.Body.GetString_()}
	case r.Delegate == nil:
		a.split, err = compileSplit(r.Route)
	}
	return a, err
}

func compileRedirect(r *networking.HTTPRedirect) *answer {
	a := &answer{code: int(r.RedirectCode)}
	if a.code == 0 {
		a.code = http.StatusMovedPermanently
	}
	if r.Authority != "" {
		a.location = "//" + r.Authority
		if r.Scheme != "" {
			a.location = r.Scheme + ":" + a.location
		}
	}
	a.location += r.Uri
	return a
}

func compileAbort(a *networking.HTTPFaultInjection_Abort) fault {
	if a == nil {
		return fault{}
	}
	ppm := uint64(million)
	if a.Percentage != nil {
		ppm = partsPerMillion(a.Percentage)
	}
	return fault{ppm, int(a.GetHttpStatus())}
}

// compileSplit drops destinations of weight 0, and gives everything to a lone
// destination whatever its weight.
func compileSplit(to []*networking.HTTPRouteDestination) ([]share, error) {
	if len(to) == 0 {
		return nil, errors.New("no destination")
	}
	var split []share
	for _, d := range to {
		if d.Weight < 0 {
			return nil, fmt.Errorf("weight %d is negative", d.Weight)
		}
		weight := uint64(d.Weight)
		if len(to) == 1 {
			weight = 1
		}
		if weight > 0 {
			split = append(split, share{compileDestination(d.Destination), weight})
		}
	}
	if len(split) == 0 {
		return nil, errors.New("the weights sum to 0")
	}
	return split, nil
}

func compileDestination(d *networking.Destination) destination {
	return destination{d.GetHost(), d.GetSubset(), d.GetPort().GetNumber()}
}

const million = 1_000_000

// partsPerMillion truncates as Istio does: 0.57 % is 5699.
func partsPerMillion(p *networking.Percent) uint64 {
	return uint64(math.Max(0, math.Min(p.GetValue()*10_000, million)))
}

func compileMirrors(r *networking.HTTPRoute) []mirror {
	var mirrors []mirror
	add := func(d *networking.Destination, ppm uint64) {
		if ppm > 0 {
			mirrors = append(mirrors, mirror{compileDestination(d), ppm})
		}
	}
	if r.Mirror != nil {
		add(r.Mirror, mirrorShare(r))
	}
	for _, m := range r.Mirrors {
		ppm := uint64(million)
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
		return min(uint64(r.MirrorPercent.Value)*10_000, million)
	}
	return million
}
