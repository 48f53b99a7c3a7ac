package routing

import (
	"fmt"
	"math"
	"strconv"

	api "istio.io/api/networking/v1"

	"github.com/serin-go/serin/canary"
)

// steered is a rule of an object that a rollout steers.
type steered struct {
	*api.HTTPRoute
	index  int           // in spec.http
	key    string        // unique in the object
	places *places       // of its arms
	suffix string        // of hosts without dots
	at     [armCount]int // indexes of the arms in route, -1 for none
	own    []int         // indexes of its derived rules in spec.http
	front  int           // index of the first derived rule, of any target

	// The rule after rendering: the indexes of the arms, the number of destinations, and
	// whether a destination was added or removed.
	then  [armCount]int
	count int
	moved bool
}

// String names the rule: by its name, or by its index if it has no name.
func (r *steered) String() string {
	if r.Name == "" {
		return fmt.Sprintf("http[%d]", r.index)
	}
	return fmt.Sprintf("rule %q", r.Name)
}

// look finds the arms among the destinations of a rule.
func look(rule *api.HTTPRoute, index int, p *places, suffix string) (steered, error) {
	r := steered{HTTPRoute: rule, index: index, places: p, suffix: suffix, at: [armCount]int{-1, -1, -1}}
	if kind := otherThanRoute(rule); kind != "" {
		return r, fmt.Errorf("%v: %w: it has a %s", &r, ErrNotRouting, kind)
	}
	for j, d := range rule.Route {
		for arm := range p {
			if !p[arm].serves(d, suffix) {
				continue
			}
			if r.at[arm] >= 0 {
				return r, fmt.Errorf("%v: %w: %s %v", &r, ErrTwice, armNames[arm], p[arm].Destination)
			}
			r.at[arm] = j
		}
	}
	r.then, r.count = r.at, len(rule.Route)
	return r, nil
}

func otherThanRoute(rule *api.HTTPRoute) string {
	switch {
	case rule.Redirect != nil:
		return "redirect"
	case rule.DirectResponse != nil:
		return "directResponse"
	case rule.Delegate != nil:
		return "delegate"
	}
	return ""
}

// foreign reports whether the destination j does not belong to the rollout.
func (r *steered) foreign(j int) bool {
	return j != r.at[stable] && j != r.at[canaryArm] && j != r.at[baseline]
}

// weight returns the weight of a destination. A negative weight, which only a cluster
// without Istio's webhook accepts, counts as 0.
func (r *steered) weight(j int) int64 { return max(0, int64(r.Route[j].GetWeight())) }

// arms returns the weights of the arms, 0 for an arm without a destination, and their
// sum.
func (r *steered) arms() (weights [armCount]int64, sum int64) {
	for arm, j := range r.at {
		if j >= 0 {
			weights[arm] = r.weight(j)
			sum += weights[arm]
		}
	}
	return weights, sum
}

// shares returns the shares of canary and baseline in the summed weights of the arms,
// rounded to one part per million. A share above 0 is never rounded to 0, and a share
// below 100 % is never rounded to 100 %.
func (r *steered) shares() (canaryShare, baselineShare canary.Weight) {
	if len(r.Route) == 1 { // a lone destination gets everything, with any weight
		if r.at[canaryArm] == 0 {
			return canary.Full, 0
		}
		return 0, 0
	}
	w, sum := r.arms()
	if sum == 0 {
		return 0, 0
	}
	c, b := part(w[canaryArm], sum), part(w[baseline], sum)
	most := canary.Full
	if w[stable] > 0 {
		most-- // rounding does not reduce stable to 0
	}
	if over := c + b - most; over > 0 && c >= b {
		c -= over
	} else if over > 0 {
		b -= over
	}
	return c, b
}

func part(w, sum int64) canary.Weight {
	if w == 0 {
		return 0
	}
	ppm := math.Round(float64(w) * float64(canary.Full) / float64(sum))
	return max(1, canary.Weight(ppm))
}

// setWeight appends the patch that gives the destination j the weight w.
func (r *steered) setWeight(p *Patch, j int, w int64) {
	path := routePath(r.index, j, "/weight")
	switch is := int64(r.Route[j].GetWeight()); {
	case w == noWeight && (is != 0 || len(r.Route) > 1):
		p.Clear(path) // Istio's types do not tell a weight of 0 from a missing one
	case w >= 0 && is != w:
		p.addInt(path, w)
	}
}

// appendRoute appends the JSON of an arm with its weight.
func (r *steered) appendRoute(b []byte, arm int, w int64) []byte {
	b = append(b, `{"destination":`...)
	b = r.appendDestination(b, arm)
	if h := r.places[arm].Sets; h != (Header{}) {
		b = append(h.appendSet(append(b, `,"headers":`...), `{"request":{"set":`), "}}"...)
	}
	if w >= 0 {
		b = strconv.AppendInt(append(b, `,"weight":`...), w, 10)
	}
	return append(b, '}')
}

// destination returns an arm's destination. Without a port of its own it has stable's.
func (r *steered) destination(arm int) Destination {
	d := r.places[arm].Destination
	if s := r.at[stable]; d.Port == 0 && s >= 0 {
		d.Port = r.Route[s].GetDestination().GetPort().GetNumber()
	}
	return d
}

// appendDestination appends the JSON of an arm's destination.
func (r *steered) appendDestination(b []byte, arm int) []byte {
	d := r.destination(arm)
	b = appendQuoted(append(b, `{"host":`...), d.Host)
	if d.Subset != "" {
		b = appendQuoted(append(b, `,"subset":`...), d.Subset)
	}
	if d.Port != 0 {
		b = strconv.AppendUint(append(b, `,"port":{"number":`...), uint64(d.Port), 10)
		b = append(b, '}')
	}
	return append(b, '}')
}
