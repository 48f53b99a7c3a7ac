package routing

import (
	"fmt"

	"github.com/serin-go/serin/canary"
)

// render appends the patch that brings the weights of r to t, and returns what
// the rule was before the rollout.
func (r *steered) render(p *Patch, known []original, t canary.Traffic) (original, error) {
	o, found := original{}, false
	for i := range known {
		if known[i].Rule == r.Name {
			o, found = known[i].follow(r), true
		}
	}
	if !found {
		if r.at[stable] < 0 {
			return o, fmt.Errorf("%w: %v", ErrNoStable, r.places[stable].Destination)
		}
		o = r.original()
	}
	var d division
	if t.Canary == 0 && t.Baseline == 0 {
		if c, b := r.shares(); !found && c == 0 && b == 0 {
			return o, nil // never touched
		}
		d = o.restore()
	} else {
		var err error
		if d, err = o.divide(t); err != nil {
			return o, err
		}
	}
	o.Sum = d.sum
	r.write(p, d)
	return o, nil
}

// write appends the operations that bring the rule from what it is to d:
// weights first, then destinations to add, then those to remove, last first,
// so that indexes stay true.
func (r *steered) write(p *Patch, d division) {
	k := 0
	for j := range r.Route {
		if r.foreign(j) {
			r.setWeight(p, j, d.foreign[k])
			k++
		}
	}
	for arm, w := range d.arms {
		switch j := r.at[arm]; {
		case j >= 0 && w != noDestination:
			r.setWeight(p, j, w)
		case j < 0 && (w > 0 || arm == stable):
			p.Add(rulePath(r.index, "/route/-"), r.appendRoute(nil, arm, w))
		}
	}
	for j := len(r.Route) - 1; j >= 0; j-- {
		for arm, at := range r.at {
			if at == j && d.arms[arm] == noDestination {
				p.Remove(routePath(r.index, j, ""))
			}
		}
	}
}
