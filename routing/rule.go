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
	key    string        // that tells it from others
	places *places       // where its arms go
	suffix string        // of hosts without dots
	at     [armCount]int // where the arms are in route, -1 if they are not there
	own    []int         // in spec.http, of the rules that are derived from it
	front  int           // where those begin

	// What rendering makes of it: where the arms that are there are then, among how
	// many destinations, and whether any comes or goes.
	then  [armCount]int
	count int
	moved bool
}

// String names the rule: by its name, or by its place if it has none.
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

// foreign reports whether the destination j is not of the rollout.
func (r *steered) foreign(j int) bool {
	return j != r.at[stable] && j != r.at[canaryArm] && j != r.at[baseline]
}

// weight returns the weight of a destination. A negative one, which only a
// cluster without Istio's webhook accepts, counts as none.
func (r *steered) weight(j int) int64 { return max(0, int64(r.Route[j].GetWeight())) }

// arms returns the weights of the arms, 0 for those that are not there, and
// their sum.
func (r *steered) arms() (weights [armCount]int64, sum int64) {
	for arm, j := range r.at {
		if j >= 0 {
			weights[arm] = r.weight(j)
			sum += weights[arm]
		}
	}
	return weights, sum
}

// shares returns what the canary and the baseline get of the traffic that the
// arms divide. A share between two parts per million is the nearer one, but
// never none or all if it is not that.
func (r *steered) shares() (canaryShare, baselineShare canary.Weight) {
	if len(r.Route) == 1 { // a lone destination gets everything, whatever its weight
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
		most-- // rounding does not take the last part of stable
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

// setWeight appends what gives the destination j the weight w.
func (r *steered) setWeight(p *Patch, j int, w int64) {
	path := routePath(r.index, j, "/weight")
	switch is := int64(r.Route[j].GetWeight()); {
	case w == noWeight && (is != 0 || len(r.Route) > 1):
		p.Clear(path) // Istio's types do not tell a weight of 0 from none
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

// destination returns an arm's destination, by the port of stable if it has none
// of its own.
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
