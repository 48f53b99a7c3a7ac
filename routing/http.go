package routing

import (
	"fmt"

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
// A mirror to the canary belongs to the rollout, whoever wrote it and however. A
// mirror to somewhere else is left alone; if it is the rule's only one, and not one
// of a list, it refuses one to the canary.
type HTTP struct {
	target Target
	id     string
	kept   string // the annotation of what the rules were
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
	h := &HTTP{target: t, id: t.id(), kept: OriginalAnnotation(t.id()), suffix: t.suffix(), common: t.Arms.places(t.suffix())}
	h.target.Rules = append([]Rule(nil), t.Rules...)
	for _, r := range t.Rules {
		if r.Arms == (Arms{}) {
			r.Arms = t.Arms
		}
		h.own = append(h.own, r.Arms.places(h.suffix))
	}
	return h, nil
}

// Target returns what NewHTTP was given.
func (h *HTTP) Target() Target {
	t := h.target
	t.Rules = append([]Rule(nil), t.Rules...)
	return t
}

// virtualServices are the objects that HTTP steers.
var virtualServices = Kind{"VirtualService", "networking.istio.io", "virtualservices"}

// Object returns the VirtualService of the target, to be reached by client.
func (h *HTTP) Object(client Client[networking.VirtualService]) Object[networking.VirtualService] {
	return Object[networking.VirtualService]{virtualServices, client, h.target.Namespace, h.target.Name, h, h.id}
}

// Steered returns the indexes in spec.http of the steered rules of vs, in the
// order of the target.
func (h *HTTP) Steered(vs *networking.VirtualService) ([]int, error) {
	rules, err := h.rules(vs)
	if err != nil {
		return nil, h.wrap(err)
	}
	indexes := make([]int, len(rules))
	for i := range rules {
		indexes[i] = rules[i].index
	}
	return indexes, nil
}

// Read implements [Renderer].
func (h *HTTP) Read(vs *networking.VirtualService, last canary.Traffic) (canary.Traffic, error) {
	rules, err := h.rules(vs)
	if err != nil {
		return canary.Traffic{}, h.wrap(err)
	}
	for i := range rules {
		if t := h.traffic(&rules[i]); t != last || i == len(rules)-1 {
			return t, nil
		}
	}
	return last, nil
}

func (h *HTTP) traffic(r *steered) canary.Traffic {
	var t canary.Traffic
	t.Canary, t.Baseline = r.shares()
	t.Mirror = r.mirrored(h.suffix)
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
	next := make([]original, 0, len(rules))
	for i := range rules {
		o, err := h.renderRule(&p, &rules[i], known, t)
		if err != nil {
			return p, fmt.Errorf("%v: %w", &rules[i], err)
		}
		next = append(next, o)
	}
	if !isLive(t) {
		p.unannotate(vs.Annotations, h.kept)
	} else if kept || !p.Empty() {
		if now := encodeOriginals(next); now != text {
			p.annotate(vs.Annotations, h.kept, now)
		}
	}
	return p, nil
}

func (h *HTTP) renderRule(p *Patch, r *steered, known []original, t canary.Traffic) (original, error) {
	if err := h.supports(r, t); err != nil {
		return original{}, err
	}
	r.renderMirror(p, t.Mirror, h.suffix)
	return r.render(p, known, t)
}

// supports refuses what the rule cannot be made to do.
func (h *HTTP) supports(r *steered, t canary.Traffic) error {
	if err := t.Validate(); err != nil {
		return fmt.Errorf("%w: %w", canary.ErrRefused, err)
	}
	switch {
	case t.Cohorts != "":
		return &UnsupportedError{"Cohorts", "this renderer opens no cohorts"}
	case t.HeaderRoutes:
		return &UnsupportedError{"HeaderRoutes", "this renderer has no header routes"}
	case t.Baseline != 0 && r.places[baseline].full == "":
		return &UnsupportedError{"Baseline", "the target has no baseline destination"}
	case t.Mirror != 0 && r.places[canaryArm].Sets != (Header{}):
		return &UnsupportedError{"Mirror", "the canary is told by a header, and copies have none of their own"}
	case t.Mirror != 0 && r.Mirror != nil && !r.isMirror(h.suffix):
		return fmt.Errorf("%w: %s; it can stay beside the rollout's in a list of mirrors", ErrForeignMirror, r.Mirror.GetHost())
	}
	return nil
}

// rules finds the steered rules of vs, in the order of the target, if no other
// target steers them.
func (h *HTTP) rules(vs *networking.VirtualService) ([]steered, error) {
	rules, err := h.find(vs)
	if err == nil {
		err = h.claim(vs, rules)
	}
	return rules, err
}

func (h *HTTP) wrap(err error) error {
	return fmt.Errorf("routing: VirtualService %s/%s: %w", h.target.Namespace, h.target.Name, err)
}
