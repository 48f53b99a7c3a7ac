package routing

import (
	"slices"
	"strconv"
	"strings"
)

// add appends the patch that derives d from the rule at index from, and inserts it at
// index at, which is not greater.
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

// addHeader appends the patch that adds the arm's header to each match block at path.
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

// addMethods appends the patch that restricts the match blocks at path to the mirrored
// methods. Blocks that match none of these methods are removed.
func (h *HTTP) addMethods(p *Patch, r *steered, path string) {
	if len(r.Match) == 0 {
		p.Add(path, append(append([]byte(`[{"method":`), oneOf(h.target.Mirror.Names())...), "}]"...))
	}
	for k, block := range slices.Backward(r.Match) {
		at := path + "/" + strconv.Itoa(k)
		if methods := h.target.Mirror.In(block.GetMethod()); len(methods) == 0 {
			p.Remove(at)
		} else {
			p.Add(at+"/method", oneOf(methods))
		}
	}
}

// oneOf returns the JSON of a match of any of the methods. A single method is matched
// exactly, as a user would write it.
func oneOf(methods []string) []byte {
	kind := `{"regex":`
	if len(methods) == 1 {
		kind = `{"exact":`
	}
	return append(appendQuoted([]byte(kind), strings.Join(methods, "|")), '}')
}

// addLone appends the patch that leaves the arm as the only destination of the rule
// copied to index at.
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
