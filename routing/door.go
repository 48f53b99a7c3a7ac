package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	api "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
)

const (
	// ownPrefix begins the names of all rules that Serin adds, and doorPrefix
	// those of doors.
	ownPrefix  = "serin-"
	doorPrefix = ownPrefix + "door-"
)

func isOwn(name string) bool { return strings.HasPrefix(name, ownPrefix) }

func isDoor(rule *api.HTTPRoute) bool { return strings.HasPrefix(rule.GetName(), doorPrefix) }

// open returns the patch after which vs has the doors of its steered rules, and
// no others. It is empty if there is nothing to do.
func (d *Doors) open(vs *networking.VirtualService) (Patch, error) {
	if IsDelegate(vs) {
		return Patch{}, ErrDelegate
	}
	rest := slices.DeleteFunc(slices.Clone(vs.Spec.Http), isDoor)
	rules, err := d.steered(vs, rest)
	if err != nil {
		return Patch{}, err
	}
	p, want := shut(vs), slices.Clone(rest)
	for i := range slices.Backward(rules) { // last first, so that indexes stay true
		r := &rules[i]
		if err := d.free(r); err != nil {
			return Patch{}, err
		}
		at, from := front(rest, r.index), r.index
		for arm := range slices.Backward(r.places[:]) {
			if r.places[arm].full == "" {
				continue
			}
			want = slices.Insert(want, at, d.door(r, arm))
			d.addDoor(&p, r, arm, from, at)
			from++
		}
	}
	same := func(a, b *api.HTTPRoute) bool { return a == b || proto.Equal(a, b) }
	if slices.EqualFunc(want, vs.Spec.Http, same) {
		return Patch{}, nil
	}
	return p, nil
}

// IsDelegate reports whether the rules of vs are part of those of another
// VirtualService: it has no hosts of its own.
func IsDelegate(vs *networking.VirtualService) bool { return len(vs.Spec.Hosts) == 0 }

// shut returns the patch that removes all doors, last first so that indexes stay
// true.
func shut(vs *networking.VirtualService) Patch {
	var p Patch
	for i, rule := range slices.Backward(vs.Spec.Http) {
		if isDoor(rule) {
			p.Remove(rulePath(i, ""))
		}
	}
	return p
}

// steered finds the steered rules among the rest of the rules of vs, in the
// order in which they stand there. Rules that Serin added are none.
func (d *Doors) steered(vs *networking.VirtualService, rest []*api.HTTPRoute) ([]steered, error) {
	users := &networking.VirtualService{ObjectMeta: vs.ObjectMeta}
	var index []int // in rest
	for i, rule := range rest {
		if !isOwn(rule.GetName()) {
			users.Spec.Http = append(users.Spec.Http, rule)
			index = append(index, i)
		}
	}
	rules, err := d.rules.rules(users)
	if err != nil {
		return nil, err
	}
	for i := range rules {
		rules[i].index = index[rules[i].index]
	}
	slices.SortFunc(rules, func(a, b steered) int { return cmp.Compare(a.index, b.index) })
	return rules, nil
}

// free refuses a rule that matches on the header itself: its doors would not do
// what the rule does.
func (d *Doors) free(r *steered) error {
	for k, block := range r.Match {
		for _, headers := range []map[string]*api.StringMatch{block.GetHeaders(), block.GetWithoutHeaders()} {
			for name := range headers {
				if strings.EqualFold(name, d.header) {
					return fmt.Errorf("%v: match %d: %w: %s", r, k, ErrHeaderTaken, name)
				}
			}
		}
	}
	return nil
}

// front is where the doors of the rule i go: before those rules of Serin's that
// take a part of its requests.
func front(rest []*api.HTTPRoute, i int) int {
	for i > 0 && isOwn(rest[i-1].GetName()) {
		i--
	}
	return i
}

func doorName(arm int, rule string) string {
	if rule == "" {
		return doorPrefix + armNames[arm]
	}
	return doorPrefix + armNames[arm] + "-" + rule
}

// door returns the door to an arm as Istio's types show it.
func (d *Doors) door(r *steered, arm int) *api.HTTPRoute {
	door := r.HTTPRoute.DeepCopy()
	door.Name = doorName(arm, r.Name)
	if len(door.Match) == 0 {
		door.Match = []*api.HTTPMatchRequest{{}}
	}
	for _, block := range door.Match {
		if block.Headers == nil {
			block.Headers = map[string]*api.StringMatch{}
		}
		block.Headers[d.header] = &api.StringMatch{MatchType: &api.StringMatch_Exact{Exact: armNames[arm]}}
	}
	if j := r.at[arm]; j >= 0 {
		door.Route = door.Route[j : j+1]
		door.Route[0].Weight = 0
	} else {
		door.Route = []*api.HTTPRouteDestination{{Destination: r.destination(arm).typed()}}
	}
	door.Mirror, door.MirrorPercentage, door.Mirrors = nil, nil, nil
	//lint:ignore SA1019 people still write it
	door.MirrorPercent = nil
	return door
}

// addDoor appends the patch that copies the rule, which stands at from, to at,
// and makes the copy the door to an arm.
func (d *Doors) addDoor(p *Patch, r *steered, arm, from, at int) {
	path := rulePath(at, "")
	p.Copy(rulePath(from, ""), path)
	p.Add(path+"/name", appendQuoted(nil, doorName(arm, r.Name)))
	d.addCondition(p, r, path+"/match", armNames[arm])
	if j := r.at[arm]; j >= 0 {
		for k := range slices.Backward(r.Route) {
			if k != j {
				p.Remove(routePath(at, k, ""))
			}
		}
		p.Clear(routePath(at, 0, "/weight"))
	} else {
		p.Add(path+"/route", append(r.appendRoute([]byte("["), arm, noWeight), ']'))
	}
	for _, m := range []struct {
		name string
		set  bool
	}{
		{"/mirror", r.Mirror != nil}, {"/mirrors", len(r.Mirrors) > 0},
	} {
		if m.set {
			p.Clear(path + m.name)
		}
	}
	clearMirror(p, path, r.HTTPRoute)
}

// typed returns d as Istio's types have it.
func (d Destination) typed() *api.Destination {
	t := &api.Destination{Host: d.Host, Subset: d.Subset}
	if d.Port != 0 {
		t.Port = &api.PortSelector{Number: d.Port}
	}
	return t
}

// addCondition appends what asks for the header in each match block at path.
func (d *Doors) addCondition(p *Patch, r *steered, path, arm string) {
	value := append(appendQuoted([]byte(`{"exact":`), arm), '}')
	headers := append(append(append(appendQuoted([]byte("{"), d.header), ':'), value...), '}')
	if len(r.Match) == 0 {
		p.Add(path, append(append([]byte(`[{"headers":`), headers...), "}]"...))
	}
	for k, block := range r.Match {
		member := path + "/" + strconv.Itoa(k) + "/headers"
		if len(block.GetHeaders()) == 0 {
			p.Add(member, headers)
		} else {
			p.Add(member+"/"+d.header, value)
		}
	}
}
