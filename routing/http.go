package routing

import (
	"cmp"
	"fmt"
	"slices"

	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// HTTP is the [Renderer] for the http rules of a VirtualService. Make one with [NewHTTP].
// It is safe for concurrent use.
//
// The share of the canary is its part of the summed weights of stable, canary and
// baseline. Other destinations of the same rule keep their share of the whole traffic.
// The weights of a rule keep their former sum if that sum can be divided exactly.
// Otherwise they are the smallest exact integers.
//
// While the canary or the baseline has live traffic, the [OriginalAnnotation] holds the
// weights from before the rollout. When that traffic ends, these weights are restored,
// and added destinations are removed. If somebody changes the weights of other
// destinations meanwhile, the new weights are kept, and at the end stable gets the summed
// weights of the arms. An annotation that cannot be decoded is replaced, and the present
// weights become the original ones.
//
// Istio's types do not tell a weight of 0 from a missing one. At the end, a weight of 0
// is written if the rule had several destinations, and left out if stable was alone.
//
// Read and Render return ErrTaken for a rule to which another target's rollout has given
// live traffic.
//
// While header routes are on, one derived rule for each arm stands before each steered
// rule. While only some methods are mirrored, a copy of the steered rule also stands
// there and mirrors them. The API server makes a derived rule by copying the steered
// rule, including fields that Istio's types do not know. Each match block of the copy
// gets one more condition. So a derived rule takes only requests that the steered rule
// would take, and treats them in the same way. A header route leads to its arm only and
// mirrors nothing.
//
// The names of derived rules begin with "serin/" and the ID. A rule with such a name that
// differs from what its steered rule requires is replaced or removed. Differences in
// fields that Istio's types do not know are not detected.
//
// Every mirror to the canary belongs to the rollout, however it was written. A mirror to
// another destination is left alone. If that is the rule's single mirror, and not in the
// list of mirrors, mirroring to the canary fails with ErrForeignMirror.
type HTTP struct {
	target Target
	id     string
	kept   string // name of the OriginalAnnotation
	prefix string // of the names of the derived rules
	suffix string
	common places
	own    []places // parallel to target.Rules
}

var _ Renderer[networking.VirtualService] = (*HTTP)(nil)

// NewHTTP returns the renderer for a target, or an error with every mistake in the
// target.
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

// virtualServices is the Kind of the objects that HTTP steers.
var virtualServices = Kind{"VirtualService", "networking.istio.io", "virtualservices"}

// Object returns the VirtualService of the target, for use in a Router. The client must
// be one for the target's namespace.
func (h *HTTP) Object(client Client[networking.VirtualService]) Object[networking.VirtualService] {
	return Object[networking.VirtualService]{virtualServices, client, h.target.Namespace, h.target.Name, h, h.id}
}

// Read implements [Renderer]. If a derived rule is missing, superfluous or different from
// what its steered rule requires, Read returns traffic other than last.
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

// traffic returns the traffic that a rule and its derived rules ask for.
func (h *HTTP) traffic(vs *networking.VirtualService, r *steered, last canary.Traffic) canary.Traffic {
	var t canary.Traffic
	t.Canary, t.Baseline = r.shares()
	t.Mirror = r.mirrored()
	openly := t.Mirror != h.mirrorOf(t) // for all methods
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

// unlike returns traffic other than last, for an object whose derived rules are not those
// of last. The result has the shares of a copy, which answers live requests, or no
// derived rules.
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
	for i := len(rules) - 1; i >= 0; i-- { // last first, so that indexes stay valid
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
		return p, fmt.Errorf("%w: the original weights of %d rules take %d bytes, at most %d are allowed", ErrManyRules, len(rules), len(now), maxAnnotation)
	case now != text && (kept || !p.Empty()):
		p.annotate(vs.Annotations, h.kept, now)
	}
	return p, nil
}

// removeBehind appends the removal of the rules after place, and returns the others.
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

// supports returns an error if the rule cannot have the traffic t.
func (h *HTTP) supports(r *steered, t canary.Traffic) error {
	if err := t.Validate(); err != nil {
		return fmt.Errorf("%w: %w", canary.ErrRefused, err)
	}
	switch {
	case t.Cohorts != "":
		return &UnsupportedError{"Cohorts", "http rules cannot serve cohorts"}
	case t.Baseline != 0 && r.places[baseline].full == "":
		return &UnsupportedError{"Baseline", "the target has no baseline destination"}
	case t.Mirror != 0 && r.places[canaryArm].Sets != (Header{}):
		return &UnsupportedError{"Mirror", "the canary is told apart by a header, and mirrored requests have no headers of their own"}
	case t.Mirror != 0 && r.Mirror != nil && !r.isMirror():
		return fmt.Errorf("%w: %s; move that mirror to the rule's list of mirrors to keep both", ErrForeignMirror, r.Mirror.GetHost())
	}
	return nil
}

// rules returns the steered rules of vs, in the order of the object. It returns ErrTaken
// if another target steers one of them.
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
