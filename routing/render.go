package routing

import (
	"fmt"

	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/canary"
)

// render appends the patch that changes the weights of r to t, and returns what the rule
// was before the rollout.
func (r *steered) render(p *Patch, known []original, t canary.Traffic) (original, error) {
	o, kept := r.find(known)
	if !kept {
		if r.at[stable] < 0 {
			return o, fmt.Errorf("%w: %v", ErrNoStable, r.places[stable].Destination)
		}
		o = r.original()
	}
	var d division
	if isLive(t) {
		var err error
		if d, err = o.divide(t); err != nil {
			return o, err
		}
	} else {
		if c, b := r.shares(); !kept && c == 0 && b == 0 {
			return o, nil // never touched
		}
		d = o.restore()
	}
	o.Sum = d.sum
	r.writeWeights(p, d)
	r.writeDestinations(p, d)
	return o, nil
}

// isLive reports whether the canary or the baseline answers live requests.
func isLive(t canary.Traffic) bool { return t.Canary != 0 || t.Baseline != 0 }

// find returns the known original of the rule, adapted to changes of other destinations.
func (r *steered) find(known []original) (o original, ok bool) {
	for i := range known {
		if known[i].Rule == r.key && known[i].Stable == r.places[stable].key {
			return known[i].follow(r), true
		}
	}
	return original{}, false
}

// writeWeights appends the weights of the destinations that exist and stay.
func (r *steered) writeWeights(p *Patch, d division) {
	next := 0
	for j := range r.Route {
		if r.foreign(j) {
			r.setWeight(p, j, d.foreign[next])
			next++
		}
	}
	for arm, w := range d.arms {
		if j := r.at[arm]; j >= 0 && w != noDestination {
			r.setWeight(p, j, w)
		}
	}
}

// addDestination appends the patch that adds the arm as the n-th destination. It copies
// stable's destination except for the address, so that headers and the like are the same.
func (r *steered) addDestination(p *Patch, n, arm int, w int64) {
	s := r.at[stable]
	if s < 0 {
		p.Add(rulePath(r.index, "/route/-"), r.appendRoute(nil, arm, w))
		return
	}
	path := routePath(r.index, n, "")
	p.Copy(routePath(r.index, s, ""), path)
	r.readdress(p, path, arm)
	p.addInt(path+"/weight", w)
}

// readdress appends the patch that turns the copy of stable's destination at path into
// one for the arm.
func (r *steered) readdress(p *Patch, path string, arm int) {
	p.Add(path+"/destination", r.appendDestination(nil, arm))
	if h := r.places[arm].Sets; h != (Header{}) {
		var is *api.Headers
		if s := r.at[stable]; s >= 0 {
			is = r.Route[s].GetHeaders()
		}
		h.render(p, path+"/headers", is)
	}
}

// appendSet appends the text before, and h as a JSON object.
func (h Header) appendSet(b []byte, before string) []byte {
	b = appendQuoted(append(append(b, before...), '{'), h.Name)
	return append(appendQuoted(append(b, ':'), h.Value), '}')
}

// render appends the patch that makes the headers at path also set h. Their present value
// is is.
func (h Header) render(p *Patch, path string, is *api.Headers) {
	switch request := is.GetRequest(); {
	case is == nil:
		p.Add(path, append(h.appendSet(nil, `{"request":{"set":`), "}}"...))
	case request == nil:
		p.Add(path+"/request", append(h.appendSet(nil, `{"set":`), '}'))
	case len(request.GetSet()) == 0:
		p.Add(path+"/request/set", h.appendSet(nil, ""))
	default:
		p.Add(path+"/request/set/"+escapePointer.Replace(h.Name), appendQuoted(nil, h.Value))
	}
}

// writeDestinations appends the additions of destinations, and then the removals, last
// first, so that indexes stay valid. It records the new places of the arms in r.then.
func (r *steered) writeDestinations(p *Patch, d division) {
	for arm, w := range d.arms {
		if r.at[arm] < 0 && (w > 0 || arm == stable) {
			r.addDestination(p, r.count, arm, w)
			r.moved = true
			r.count++
		}
	}
	for j := len(r.Route) - 1; j >= 0; j-- {
		for arm, at := range r.at {
			if at == j && d.arms[arm] == noDestination {
				p.Remove(routePath(r.index, j, ""))
				r.forget(arm)
			}
		}
	}
}

// forget records that an arm's destination is removed.
func (r *steered) forget(arm int) {
	gone := r.then[arm]
	for other, at := range r.then {
		if at > gone {
			r.then[other]--
		}
	}
	r.then[arm], r.moved = -1, true
	r.count--
}
