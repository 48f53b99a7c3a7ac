package routing

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	api "istio.io/api/networking/v1"
)

// A derived rule is told twice: as Istio's types show it, to be compared with what is
// there, and as a patch that has the API server copy the steered rule, so that what
// the types do not know is in it as well.

// typed returns the rule derived from r as it is.
func (h *HTTP) typed(r *steered, d derived) *api.HTTPRoute {
	rule := shallow(r.HTTPRoute)
	rule.Name = d.name
	if d.arm == everywhere {
		rule.Match = h.narrow(r.Match)
		r.typedMirror(rule, d.mirror)
		return rule
	}
	rule.Match = h.withHeader(r.Match, armNames[d.arm])
	rule.Route = []*api.HTTPRouteDestination{r.typedRoute(d.arm)}
	rule.Mirror, rule.MirrorPercentage, rule.Mirrors = nil, nil, nil
	//lint:ignore SA1019 people still write it
	rule.MirrorPercent = nil
	return rule
}

// add appends the patch that derives d from the rule that stands at from, and puts it
// at a place before that.
func (h *HTTP) add(p *Patch, r *steered, d derived, from, at int) {
	path := rulePath(at, "")
	p.Copy(rulePath(from, ""), path)
	p.Add(path+"/name", appendQuoted(nil, d.name))
	if d.arm == everywhere {
		h.addMethods(p, r, path+"/match")
		r.addMirror(p, path, d.mirror)
		return
	}
	h.addHeader(p, r, path+"/match", armNames[d.arm])
	r.addLone(p, at, d.arm)
	if r.Mirror != nil || d.mirror != 0 {
		p.Clear(path + "/mirror")
		p.Clear(path + "/mirrorPercentage")
	}
	if len(r.Mirrors) > 0 {
		p.Clear(path + "/mirrors")
	}
	clearMirror(p, path, r.HTTPRoute)
}

// shallow returns a copy of a message that shares what its fields hold.
func shallow[M proto.Message](m M) M {
	from := m.ProtoReflect()
	to := from.New()
	from.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		to.Set(f, v)
		return true
	})
	to.SetUnknown(from.GetUnknown())
	return to.Interface().(M)
}

// withHeader returns match blocks that ask for an arm's header as well.
func (h *HTTP) withHeader(blocks []*api.HTTPMatchRequest, arm string) []*api.HTTPMatchRequest {
	if len(blocks) == 0 {
		blocks = []*api.HTTPMatchRequest{{}}
	}
	asking := make([]*api.HTTPMatchRequest, len(blocks))
	for k, block := range blocks {
		asking[k] = shallow(block)
		asking[k].Headers = with(block.GetHeaders(), h.target.Header, exactly(arm))
	}
	return asking
}

// addHeader appends what asks for an arm's header in each match block at path.
func (h *HTTP) addHeader(p *Patch, r *steered, path, arm string) {
	value := append(appendQuoted([]byte(`{"exact":`), arm), '}')
	headers := append(append(append(appendQuoted([]byte("{"), h.target.Header), ':'), value...), '}')
	if len(r.Match) == 0 {
		p.Add(path, append(append([]byte(`[{"headers":`), headers...), "}]"...))
	}
	for k, block := range r.Match {
		member := path + "/" + strconv.Itoa(k) + "/headers"
		if len(block.GetHeaders()) == 0 {
			p.Add(member, headers)
		} else {
			p.Add(member+"/"+h.target.Header, value)
		}
	}
}

// with returns a copy of m with one more entry.
func with[V any](m map[string]V, key string, value V) map[string]V {
	more := make(map[string]V, len(m)+1)
	maps.Copy(more, m)
	more[key] = value
	return more
}

func exactly(value string) *api.StringMatch {
	return &api.StringMatch{MatchType: &api.StringMatch_Exact{Exact: value}}
}

// narrow returns match blocks with the methods that are mirrored only. Those that let
// none of them through are left out.
func (h *HTTP) narrow(blocks []*api.HTTPMatchRequest) []*api.HTTPMatchRequest {
	if len(blocks) == 0 {
		return []*api.HTTPMatchRequest{{Method: oneOf(h.target.Mirror.Names())}}
	}
	var narrowed []*api.HTTPMatchRequest
	for _, block := range blocks {
		if methods := h.target.Mirror.In(block.GetMethod()); len(methods) > 0 {
			block = shallow(block)
			block.Method = oneOf(methods)
			narrowed = append(narrowed, block)
		}
	}
	return narrowed
}

// addMethods is narrow for the match blocks at path.
func (h *HTTP) addMethods(p *Patch, r *steered, path string) {
	if len(r.Match) == 0 {
		p.Add(path, append(append([]byte(`[{"method":`), encodeOneOf(h.target.Mirror.Names())...), "}]"...))
	}
	for k, block := range slices.Backward(r.Match) {
		at := path + "/" + strconv.Itoa(k)
		if methods := h.target.Mirror.In(block.GetMethod()); len(methods) == 0 {
			p.Remove(at)
		} else {
			p.Add(at+"/method", encodeOneOf(methods))
		}
	}
}

// oneOf matches any of the methods. One alone is matched exactly, which is what a
// user would write.
func oneOf(methods []string) *api.StringMatch {
	if len(methods) == 1 {
		return exactly(methods[0])
	}
	return &api.StringMatch{MatchType: &api.StringMatch_Regex{Regex: strings.Join(methods, "|")}}
}

func encodeOneOf(methods []string) []byte {
	kind := `{"regex":`
	if len(methods) == 1 {
		kind = `{"exact":`
	}
	return append(appendQuoted([]byte(kind), strings.Join(methods, "|")), '}')
}

// typedRoute returns a lone destination that is an arm of r: the one that is there, or
// what stable's would be with another address.
func (r *steered) typedRoute(arm int) *api.HTTPRouteDestination {
	if j := r.at[arm]; j >= 0 {
		d := shallow(r.Route[j])
		d.Weight = 0
		return d
	}
	d := &api.HTTPRouteDestination{}
	if s := r.at[stable]; s >= 0 {
		d = shallow(r.Route[s])
		d.Weight = 0
	}
	d.Destination = r.destination(arm).typed()
	if h := r.places[arm].Sets; h != (Header{}) {
		d.Headers = h.typed(d.Headers)
	}
	return d
}

// addLone appends what leaves of the rule that was copied to at, with its
// destinations as they are then, the arm alone.
func (r *steered) addLone(p *Patch, at, arm int) {
	j := r.then[arm]
	if j < 0 {
		j = r.then[stable]
	}
	if j < 0 {
		p.Add(rulePath(at, "/route"), append(r.appendRoute([]byte("["), arm, noWeight), ']'))
		return
	}
	for k := r.count - 1; k >= 0; k-- {
		if k != j {
			p.Remove(routePath(at, k, ""))
		}
	}
	p.Clear(routePath(at, 0, "/weight"))
	if r.then[arm] < 0 {
		r.readdress(p, routePath(at, 0, ""), arm)
	}
}

// typed returns d as Istio's types have it.
func (d Destination) typed() *api.Destination {
	t := &api.Destination{Host: d.Host, Subset: d.Subset}
	if d.Port != 0 {
		t.Port = &api.PortSelector{Number: d.Port}
	}
	return t
}
