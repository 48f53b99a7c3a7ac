package routing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// DoorHeader is the header by which a request chooses its arm, unless
// DoorsConfig says another.
const DoorHeader = "x-serin-arm"

// DoorsConfig is what Doors is made of.
type DoorsConfig struct {
	// Client is one for the namespace of the target of Rules.
	Client Client[networking.VirtualService]
	// Rules says which rules of which VirtualService are steered, and between
	// which arms.
	Rules *HTTP
	// Header is the name of the header by which a request chooses its arm, in
	// lower case; "" is DoorHeader.
	Header string
	// Settle is how long a change of the doors takes until all proxies know it.
	// The zero value is not at all.
	Settle time.Duration
}

// Doors is a [canary.Prerequisite] of rules by which a request chooses its arm: one
// with the header "x-serin-arm: canary" goes to the canary, whatever the weights
// are. The other doors are "stable" and, if there is one, "baseline".
//
// They are a preview for people, and they keep all arms in the routes while the
// weights move. gRPC clients without a proxy need that: they lose calls while a
// destination enters or leaves the routes, as it does with its weight.
//
// Ensure adds a rule for each arm before every steered rule. It is that rule, as
// the API server copies it, with the header in each of its match blocks, with
// the destination of the arm alone, and without mirrors. So a request must match
// the steered rule, too, and gets its rewrites, retries, faults and so on; and
// rules that stand before the steered one still come first. Remove removes the
// doors, and answers Yes when that has settled: what they lead to may go then.
//
// The names of the doors begin with "serin-door-". Rules so named belong to
// Serin, and doors are put before other rules of Serin. Doors that do not fit
// their rule any more, because somebody changed either, are made anew by the
// next Ensure, which comes before the next step. What Istio's types do not know
// is copied, but a later change of that is not seen.
//
// Which rollout the doors belong to is kept in the annotation DoorsAnnotation, as
// [Subsets] does. A VirtualService takes part in one rollout at a time. Both
// write to an object of the Router, so they answer Wait after a write: what the
// Router read before that is stale. A rollout that ends with the canary in
// service leaves its doors standing, until the next one takes them over, or
// somebody calls Remove with State.Fence.
//
// Who can send the header can reach the canary. Calls through a door count as
// calls of its arm. Concurrent use is safe if it is safe for the Client. The time
// is time.Now.
type Doors struct {
	rules  *HTTP
	object Object[networking.VirtualService]
	header string
	settle time.Duration
}

var _ canary.Prerequisite = (*Doors)(nil)

// NewDoors returns the Prerequisite, or every mistake in c.
func NewDoors(c DoorsConfig) (*Doors, error) {
	var errs []error
	if c.Header == "" {
		c.Header = DoorHeader
	}
	if !isHeader(c.Header) {
		errs = append(errs, fmt.Errorf("%q is not a header in lower case that Istio matches", c.Header))
	}
	if c.Client == nil {
		errs = append(errs, errors.New("client is missing"))
	}
	if c.Settle < 0 {
		errs = append(errs, fmt.Errorf("settle is %v", c.Settle))
	}
	if c.Rules == nil {
		errs = append(errs, errors.New("rules are missing"))
		return nil, fmt.Errorf("routing: doors: %w", errors.Join(errs...))
	}
	t := c.Rules.target
	for _, r := range t.Rules {
		if isOwn(r.Name) {
			errs = append(errs, fmt.Errorf("rule %q: names that begin with %q are those of Serin's rules", r.Name, ownPrefix))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("routing: doors of VirtualService %s/%s: %w", t.Namespace, t.Name, err)
	}
	return &Doors{c.Rules, c.Rules.Object(c.Client), c.Header, c.Settle}, nil
}

// isHeader reports whether Istio can match on a header of that name: it takes
// lower case alone, and other things for headers of these four names.
func isHeader(name string) bool {
	reserved := []string{"uri", "scheme", "method", "authority"}
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && !slices.Contains(reserved, name)
}

// Ensure implements [canary.Prerequisite]. Traffic that is stable only needs
// nothing. A steered rule that matches on the header already is ErrHeaderTaken.
func (d *Doors) Ensure(ctx context.Context, q canary.Question) (canary.Answer, error) {
	f := q.Fence
	if q.Traffic == (canary.Traffic{}) {
		return canary.Answer{Reply: canary.Yes}, nil
	}
	vs, m, err := d.get(ctx, f)
	if err != nil {
		return canary.Answer{}, err
	}
	p, err := d.open(vs)
	if err != nil {
		return canary.Answer{}, d.object.wrap(err)
	}
	now := time.Now()
	if p.Empty() && m.Up && m.Rollout == f.Rollout {
		return d.settled(m, now, canary.Answer{Reply: canary.Yes}), nil
	}
	if !p.Empty() || !m.Up {
		m.At = now
	}
	m.Fence, m.Up = f, true
	return d.write(ctx, vs, p, m, now)
}

// Cleanup implements [canary.Prerequisite].
func (d *Doors) Cleanup(ctx context.Context, q canary.Question) (canary.Answer, error) {
	f := q.Fence
	vs, m, err := d.get(ctx, f)
	if err != nil {
		return canary.Answer{}, err
	}
	now := time.Now()
	if !m.Up && m.Rollout == f.Rollout {
		return d.settled(m, now, canary.Answer{Reply: canary.Yes}), nil
	}
	p := shut(vs)
	if m = (mark{Fence: f}); !p.Empty() {
		m.At = now
	}
	return d.write(ctx, vs, p, m, now)
}

// get reads the object and what is remembered there, and refuses a Fence that
// does not come after that.
func (d *Doors) get(ctx context.Context, f canary.Fence) (*networking.VirtualService, mark, error) {
	object, err := d.object.get(ctx)
	if err != nil {
		return nil, mark{}, err
	}
	vs := object.(*networking.VirtualService)
	m, err := readMark(vs.Annotations, DoorsAnnotation)
	if err == nil {
		err = f.After(m.Fence)
	}
	if err != nil {
		return nil, mark{}, d.object.wrap(err)
	}
	return vs, m, nil
}

// write writes the doors with their mark.
func (d *Doors) write(ctx context.Context, vs *networking.VirtualService, p Patch, m mark, now time.Time) (canary.Answer, error) {
	m.At = m.At.Round(0).UTC()
	p.annotate(vs.Annotations, DoorsAnnotation, m.String())
	if _, err := d.object.patch(ctx, vs, p); err != nil {
		return canary.Answer{}, err
	}
	return d.settled(m, now, canary.Waiting("the doors of VirtualService %s/%s were written", vs.Namespace, vs.Name)), nil
}

// settled is the answer for doors that were changed at m.At, then when they have
// settled.
func (d *Doors) settled(m mark, now time.Time, then canary.Answer) canary.Answer {
	if at := m.At.Add(d.settle); !m.At.IsZero() && now.Before(at) {
		return canary.Waiting("the doors of VirtualService %s/%s settle until %s",
			d.object.Namespace, d.object.Name, at.Format(time.TimeOnly))
	}
	return then
}
