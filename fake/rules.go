package fake

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// route is what one match block of an http rule leads to, or a whole rule
// without match blocks.
type route struct {
	block
	action *action
	// refused is why no Envoy takes the route, nil if all do.
	refused error
}

// action is what is done with a request that a rule matches.
type action struct {
	abort   fault
	delay   pause
	answer  *answer // a redirect or a direct response: nothing is sent on
	split   []share
	mirrors []mirror
	changes *changes // nil for none
	path    rewriter // nil keeps it
	timeout time.Duration
	retry   *retries
}

// answer is given by the proxy itself.
type answer struct {
	code     int
	body     string
	redirect *redirect // nil for a direct response
}

// destination names a cluster: the fully qualified host, the subset and the
// port, which is 0 where the rule does not say it.
type destination struct {
	host, subset string
	port         uint32
}

// share is a destination and its part of the requests.
type share struct {
	to      destination
	weight  uint64
	changes *changes // nil for none
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
			errs = append(errs, place(ruleName(i, rule{HTTPRoute: r}), err))
		}
		decoded[i] = rule{r, routes}
	}
	return decoded, errors.Join(errs...)
}

// compileRule makes an http rule ready whose names are qualified.
func compileRule(r *networking.HTTPRoute) ([]route, error) {
	blocks := r.Match
	if len(blocks) == 0 {
		blocks = []*networking.HTTPMatchRequest{{}}
	}
	what, refused, err := compileAction(r)
	if err != nil {
		return nil, err
	}
	routes := make([]route, len(blocks))
	for i, m := range blocks {
		b, badMatch, err := compileBlock(m)
		if err != nil {
			return nil, err
		}
		own, badPath, err := what.below(r, m)
		if err != nil {
			return nil, err
		}
		routes[i] = route{b, own, errors.Join(place(fmt.Sprintf("match %d", i), badMatch), badPath, refused)}
	}
	return routes, nil
}

// compileAction makes ready what does not depend on the match block. It returns
// what no Envoy takes, and what Istio's validation refuses.
func compileAction(r *networking.HTTPRoute) (a *action, refused, err error) {
	a = &action{mirrors: compileMirrors(r), delay: compileDelay(r.Fault.GetDelay()), timeout: max(0, r.Timeout.AsDuration())}
	a.abort, refused = compileAbort(r.Fault.GetAbort())
	of, bad := compileHeaders(r.Headers)
	refused = errors.Join(refused, bad, badOrigins(r.CorsPolicy))
	of.authority = cmp.Or(r.Rewrite.GetAuthority(), of.authority)
	switch {
	case r.Redirect != nil:
	case r.DirectResponse != nil:
		a.answer, bad = compileDirect(r.DirectResponse)
		refused = errors.Join(refused, bad)
	case r.Delegate == nil:
		a.retry = compileRetries(r.Retries)
		a.split, bad, err = compileSplit(r.Route, &of)
		refused = errors.Join(refused, bad)
	}
	refused = errors.Join(refused, of.tooMany()) // with those of its only destination
	if r.Headers != nil || of.authority != "" || len(r.Route) == 1 && r.Route[0].Headers != nil {
		a.changes = &of
	}
	return a, refused, err
}

// below returns a with what depends on a match block.
func (a *action) below(r *networking.HTTPRoute, m *networking.HTTPMatchRequest) (own *action, refused, err error) {
	if r.Redirect == nil && (r.Rewrite == nil || a.answer != nil) {
		return a, nil, nil
	}
	copied := *a
	if r.Redirect != nil {
		copied.answer, refused = compileRedirect(r.Redirect, m)
		return &copied, refused, nil
	}
	copied.path, refused, err = compileRewrite(r.Rewrite, m)
	return &copied, refused, err
}

func compileDirect(d *networking.HTTPDirectResponse) (*answer, error) {
	a := &answer{code: int(d.Status), body: d.Body.GetString_()}
	if b := d.Body.GetBytes(); b != nil {
		a.body = string(b)
	}
	return a, place("directResponse.status", badStatus(a.code))
}

// compileSplit drops destinations of weight 0, and gives everything to a lone
// destination whatever its weight. The changes of a lone one join those of the
// rule.
func compileSplit(to []*networking.HTTPRouteDestination, rule *changes) (split []share, refused, err error) {
	if len(to) == 0 {
		return nil, nil, errors.New("no destination")
	}
	for i, d := range to {
		if d.Weight < 0 {
			return nil, nil, fmt.Errorf("weight %d is negative", d.Weight)
		}
		own, bad := compileHeaders(d.Headers)
		s := share{compileDestination(d.Destination), uint64(d.Weight), nil}
		switch {
		case len(to) == 1:
			s.weight = 1
			rule.join(own)
		case d.Weight == 0:
			continue
		case d.Headers != nil:
			s.changes = &own
			bad = errors.Join(bad, own.tooMany())
		}
		refused = errors.Join(refused, place(fmt.Sprintf("route %d", i), bad))
		split = append(split, s)
	}
	switch sum := total(split); {
	case sum == 0:
		return nil, nil, errors.New("the weights sum to 0")
	case sum > math.MaxUint32:
		refused = errors.Join(refused, fmt.Errorf("the weights sum to %d, more than %d", sum, uint32(math.MaxUint32)))
	}
	return split, refused, nil
}

func total(split []share) uint64 {
	var sum uint64
	for _, s := range split {
		sum += s.weight
	}
	return sum
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
