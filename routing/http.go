package routing

import (
	"cmp"
	"fmt"
	"slices"

	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// HTTP is the Renderer for http rules. Make one with [NewHTTP].
//
// The share of the canary is its part of what the arms of the rollout have
// together; other destinations of the same rule keep their part of the whole.
// Weights stay at the sum that the rule had before, if that sum can be divided
// exactly, and are the smallest integers that are exact otherwise.
//
// While canary or baseline have live traffic, what the rules were before is
// kept in an [OriginalAnnotation]. When that traffic is over, the weights are as they
// were, and a destination that had to be added is gone. If somebody changes the
// other destinations meanwhile, those numbers are kept, and stable has at the
// end what the arms had together. An annotation that cannot be understood is
// replaced: then the numbers of the moment are the original.
//
// One thing cannot be seen through Istio's types: whether a weight of 0 is
// written or left out. It is written at the end if the rule had several
// destinations, and left out if stable was alone.
//
// A rule that the rollout of another target has given live traffic is not touched,
// and not read either: what it shows is of no concern here.
//
// While header routes stand there is a rule for each arm before each steered one, and
// while some methods are mirrored one that does so: the steered rule, copied by the API
// server with what Istio's types do not know, with one more condition in each of its
// match blocks. Header routes lead to their arm alone and mirror nothing. So a request
// must match the steered rule as well, gets what that does to requests, and is one that
// the steered rule would get. Rules so derived have names that begin with "serin/" and
// the ID; what of that name does not fit is made anew or removed. A change of what the
// types do not know is not seen.
//
// A mirror to the canary belongs to the rollout, whoever wrote it and however. A
// mirror to somewhere else is left alone; if it is the rule's only one, and not one
// of a list, it refuses one to the canary.
type HTTP struct {
	target Target
	id     string
	kept   string // the annotation of what the rules were
	prefix string // of the names of derived rules
	suffix string
	common places
	own    []places // parallel to target.Rules
}

var _ Renderer[networking.VirtualService] = (*HTTP)(nil)

// NewHTTP returns the renderer for a target, or every mistake in it.
func NewHTTP(t Target) (*HTTP, error) {
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("routing: target %s/%s: %w", t.Namespace, t.Name, err)
	}
	id := t.id()
	h := &HTTP{target: t, id: id, kept: OriginalAnnotation(id), prefix: ownPrefix + id + "/", suffix: t.suffix(), common: t.Arms.places(t.suffix())}
	h.target.Rules, h.target.Mirror = slices.Clone(t.Rules), slices.Clone(t.Mirror)
	h.target.Header = cmp.Or(t.Header, ArmHeader)
	for _, r := range h.target.Rules {
		if r.Arms == (Arms{}) {
			r.Arms = t.Arms
		}
		h.own = append(h.own, r.Arms.places(h.suffix))
	}
	return h, nil
}

// virtualServices are the objects that HTTP steers.
var virtualServices = Kind{"VirtualService", "networking.istio.io", "virtualservices"}

// Object returns the VirtualService of the target, to be reached by client.
func (h *HTTP) Object(client Client[networking.VirtualService]) Object[networking.VirtualService] {
	return Object[networking.VirtualService]{virtualServices, client, h.target.Namespace, h.target.Name, h, h.id}
}

// Read implements [Renderer]. Derived rules that are not as they should be, given the
// steered rule as it is, are no traffic that was ever asked for.
func (h *HTTP) Read(vs *networking.VirtualService, last canary.Traffic) (canary.Traffic, error) {
	rules, err := h.rules(vs)
	if err != nil {
		return canary.Traffic{}, h.wrap(err)
	}
	for i := range rules {
		if t := h.traffic(vs, &rules[i], last); t != last {
			return t, nil
		}
	}
	if strays := h.strays(vs, rules); len(strays) > 0 {
		return h.unlike(vs, strays, rules[0].places, last), nil
	}
	return last, nil
}

// traffic returns what a rule and those derived from it ask for.
func (h *HTTP) traffic(vs *networking.VirtualService, r *steered, last canary.Traffic) canary.Traffic {
	var t canary.Traffic
	t.Canary, t.Baseline = r.shares()
	t.Mirror = r.mirrored()
	openly := t.Mirror != h.mirrorOf(t) // whatever the method
	for _, i := range r.own {
		if !h.isCopy(vs.Spec.Http[i]) {
			t.HeaderRoutes = true
		} else if c, err := look(vs.Spec.Http[i], i, r.places, h.suffix); err == nil {
			t.Mirror = c.mirrored()
		}
	}
	want := h.derive(r, t)
	n := h.fitting(vs, r, want)
	if n == len(want) && n == len(r.own) && !openly {
		return t
	}
	if n < len(want) && want[n].arm != everywhere {
		t.HeaderRoutes = false
	}
	if t != last {
		return t
	}
	return h.unlike(vs, r.own, r.places, last)
}

// unlike returns traffic other than last, for an object whose derived rules are not
// what last makes them: with the shares of a copy, which answers live requests, or
// with none of them.
func (h *HTTP) unlike(vs *networking.VirtualService, indexes []int, p *places, last canary.Traffic) canary.Traffic {
	t := last
	for _, i := range indexes {
		if c, err := look(vs.Spec.Http[i], i, p, h.suffix); err == nil && h.isCopy(c.HTTPRoute) {
			if t.Canary, t.Baseline = c.shares(); t != last {
				return t
			}
		}
	}
	t.Mirror, t.HeaderRoutes = 0, false
	if t == last {
		t.HeaderRoutes = true
	}
	return t
}

// Render implements [Renderer].
func (h *HTTP) Render(vs *networking.VirtualService, t canary.Traffic) (Patch, error) {
	p, err := h.render(vs, t)
	if err != nil {
		return Patch{}, h.wrap(err)
	}
	return p, nil
}

func (h *HTTP) render(vs *networking.VirtualService, t canary.Traffic) (Patch, error) {
	var p Patch
	rules, err := h.rules(vs)
	if err != nil {
		return p, err
	}
	text, kept := vs.Annotations[h.kept]
	known, _ := h.known(vs)
	next := make([]original, len(rules))
	strays := h.strays(vs, rules)
	for i := len(rules) - 1; i >= 0; i-- { // last first, so that indexes stay true
		r := &rules[i]
		strays = removeBehind(&p, strays, r.index)
		if next[i], err = h.renderRule(&p, vs, r, known, t); err != nil {
			return p, fmt.Errorf("%v: %w", r, err)
		}
	}
	removeBehind(&p, strays, -1)
	if !isLive(t) {
		p.unannotate(vs.Annotations, h.kept)
		return p, nil
	}
	now := encodeOriginals(next)
	switch {
	case len(now) > maxAnnotation:
		return p, fmt.Errorf("%w: %d, whose originals take %d bytes of %d", ErrManyRules, len(rules), len(now), maxAnnotation)
	case now != text && (kept || !p.Empty()):
		p.annotate(vs.Annotations, h.kept, now)
	}
	return p, nil
}

// removeBehind appends what removes the rules behind a place, and returns the rest.
func removeBehind(p *Patch, rules []int, place int) []int {
	for len(rules) > 0 && rules[len(rules)-1] > place {
		p.Remove(rulePath(rules[len(rules)-1], ""))
		rules = rules[:len(rules)-1]
	}
	return rules
}

func (h *HTTP) renderRule(p *Patch, vs *networking.VirtualService, r *steered, known []original, t canary.Traffic) (original, error) {
	if err := h.supports(r, t); err != nil {
		return original{}, err
	}
	before := len(p.ops)
	r.renderMirror(p, h.mirrorOf(t))
	o, err := r.render(p, known, t)
	if err != nil {
		return o, err
	}
	return o, h.renderDerived(p, vs, r, t, len(p.ops) > before)
}

// supports refuses what the rule cannot be made to do.
func (h *HTTP) supports(r *steered, t canary.Traffic) error {
	if err := t.Validate(); err != nil {
		return fmt.Errorf("%w: %w", canary.ErrRefused, err)
	}
	switch {
	case t.Cohorts != "":
		return &UnsupportedError{"Cohorts", "this renderer opens no cohorts"}
	case t.Baseline != 0 && r.places[baseline].full == "":
		return &UnsupportedError{"Baseline", "the target has no baseline destination"}
	case t.Mirror != 0 && r.places[canaryArm].Sets != (Header{}):
		return &UnsupportedError{"Mirror", "the canary is told by a header, and copies have none of their own"}
	case t.Mirror != 0 && r.Mirror != nil && !r.isMirror():
		return fmt.Errorf("%w: %s; it can stay beside the rollout's in a list of mirrors", ErrForeignMirror, r.Mirror.GetHost())
	}
	return nil
}

// rules finds the steered rules of vs, in their order there, if no other target
// steers them.
func (h *HTTP) rules(vs *networking.VirtualService) ([]steered, error) {
	rules, err := h.find(vs)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rules, func(a, b steered) int { return a.index - b.index })
	for i := range rules {
		rules[i].own, rules[i].front = h.derivedOf(vs, rules[i].index)
	}
	return rules, h.claim(vs, rules)
}

func (h *HTTP) wrap(err error) error {
	return fmt.Errorf("routing: VirtualService %s/%s: %w", h.target.Namespace, h.target.Name, err)
}
