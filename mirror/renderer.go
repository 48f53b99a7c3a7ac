package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// ErrNoMethod: a rule matches none of the methods that are to be mirrored. It
// wraps canary.ErrRefused.
var ErrNoMethod = fmt.Errorf("the rule matches none of the methods to mirror: %w", canary.ErrRefused)

// Inner is a renderer that can say which rules it steers. *routing.HTTP is one.
type Inner interface {
	routing.Renderer[networking.VirtualService]
	Steered(vs *networking.VirtualService) ([]int, error)
}

// Renderer is a [routing.Renderer] that mirrors requests of some methods only.
// Make one with [Safe] or [Methods]. It is safe for concurrent use if the
// renderer that it decorates is.
//
// Istio mirrors per rule, so while there is a mirror each steered rule stands
// there twice: once for the methods to mirror, with the mirror, and directly
// behind that as it was, without. Both answer live requests, with the same
// weights and everything else that the rule has. The API server makes the copy,
// so it has also those fields that no type here knows.
//
// The copy's name is that of the rule with "serin-mirror" before it; rules named
// so belong to Serin. A copy that does not fit its rule any more, because
// somebody changed either, counts as no mirror: it is drift, and the next Render
// makes the copy anew. Without a mirror, the copies are removed.
type Renderer struct {
	inner   Inner
	methods []string
}

var _ routing.Renderer[networking.VirtualService] = (*Renderer)(nil)

// Safe returns a renderer that mirrors GET, HEAD and OPTIONS.
func Safe(inner Inner) *Renderer {
	return &Renderer{inner, []string{"GET", "HEAD", "OPTIONS"}}
}

// Methods returns a renderer that mirrors requests of the given methods, which
// are upper case.
func Methods(inner Inner, methods ...string) (*Renderer, error) {
	if len(methods) == 0 {
		return nil, errors.New("mirror: no methods")
	}
	for i, m := range methods {
		if !isToken(m) || slices.Contains(methods[:i], m) {
			return nil, fmt.Errorf("mirror: method %d: %q is named twice or not a method in upper case", i, m)
		}
	}
	return &Renderer{inner, slices.Clone(methods)}, nil
}

// Read implements [routing.Renderer].
func (r *Renderer) Read(vs *networking.VirtualService, last canary.Traffic) (canary.Traffic, error) {
	s := look(vs)
	t, err := r.inner.Read(s.united, last)
	if err != nil || t != last || len(s.copies) == 0 && last.Mirror == 0 {
		return t, err
	}
	// Copies answer live requests, so their weights count as well.
	if t, err = r.inner.Read(s.swapped, last); err != nil || t != last {
		return t, err
	}
	if fits, err := r.fits(&s); err != nil || !fits {
		t.Mirror = 0
		return t, err
	}
	return t, nil
}

// Render implements [routing.Renderer].
func (r *Renderer) Render(vs *networking.VirtualService, t canary.Traffic) (routing.Patch, error) {
	s := look(vs)
	if t.Mirror == 0 && len(s.copies) == 0 {
		return r.inner.Render(vs, t)
	}
	if done, err := r.done(&s, t); err != nil || done {
		return routing.Patch{}, err
	}
	var p routing.Patch
	for _, i := range slices.Backward(s.copies) {
		p.Remove(rulePath(i))
	}
	inner, err := r.inner.Render(s.clean, t)
	if err != nil {
		return routing.Patch{}, err
	}
	p.Append(inner)
	if t.Mirror == 0 {
		return p, nil
	}
	if err := r.splitAll(&p, s.clean); err != nil {
		return routing.Patch{}, err
	}
	return p, nil
}

// Check is what the inner renderer has to say of the object.
func (r *Renderer) Check(vs *networking.VirtualService) []canary.Finding {
	if c, ok := r.inner.(interface {
		Check(vs *networking.VirtualService) []canary.Finding
	}); ok {
		return c.Check(vs)
	}
	return nil
}

// splitAll appends what splits the steered rules, from the end, so that indexes
// stay true.
func (r *Renderer) splitAll(p *routing.Patch, vs *networking.VirtualService) error {
	if routing.IsDelegate(vs) {
		return fmt.Errorf("mirror: VirtualService %s/%s: %w", vs.Namespace, vs.Name, routing.ErrDelegate)
	}
	steered, err := r.inner.Steered(vs)
	if err != nil {
		return err
	}
	slices.Sort(steered)
	for _, i := range slices.Backward(steered) {
		if err := r.split(p, vs, i); err != nil {
			return fmt.Errorf("mirror: VirtualService %s/%s: %w", vs.Namespace, vs.Name, err)
		}
	}
	return nil
}

// done reports whether the object asks for t already.
func (r *Renderer) done(s *sight, t canary.Traffic) (bool, error) {
	if t.Mirror == 0 {
		return false, nil
	}
	if fits, err := r.fits(s); err != nil || !fits {
		return false, err
	}
	if is, err := r.inner.Read(s.united, t); err != nil || is != t {
		return false, err
	}
	t.Mirror = 0
	p, err := r.inner.Render(s.clean, t)
	return err == nil && p.Empty(), err
}

// split appends what copies the rule i, which has the mirror, and takes the
// mirror out of the original.
func (r *Renderer) split(p *routing.Patch, vs *networking.VirtualService, i int) error {
	rule := vs.Spec.Http[i]
	if len(narrow(rule.Match, r.methods)) == 0 {
		return fmt.Errorf("rule %q: %w", rule.Name, ErrNoMethod)
	}
	if len(rule.Mirrors) > 0 {
		return fmt.Errorf("rule %q: %w: its list of mirrors cannot be split by methods", rule.Name, routing.ErrForeignMirror)
	}
	first, second := rulePath(i), rulePath(i+1)
	name, _ := json.Marshal(copyName(rule.Name)) // a string always has an encoding
	p.Copy(first, first)
	p.Add(first+"/name", name)
	if len(rule.Match) == 0 {
		p.Add(first+"/match", slices.Concat([]byte(`[{"method":`), encodeCondition(r.methods), []byte("}]")))
	}
	for k, block := range slices.Backward(rule.Match) {
		path := first + "/match/" + strconv.Itoa(k)
		if pass := allowed(block.GetMethod(), r.methods); len(pass) == 0 {
			p.Remove(path)
		} else {
			p.Add(path+"/method", encodeCondition(pass))
		}
	}
	p.Clear(second + "/mirror")
	p.Clear(second + "/mirrorPercentage")
	return nil
}

func rulePath(i int) string { return "/spec/http/" + strconv.Itoa(i) }
