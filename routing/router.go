package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/serin-go/serin/canary/phase"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
)

// fieldManager is the name under which the API server books our changes.
const fieldManager = "serin"

// Router is a [canary.Router] for objects of any kind. It keeps the State in a
// [StateAnnotation] of its lead, beside the traffic, and changes both in one
// patch. Concurrent use is safe if it is safe for its Clients.
//
// The traffic of one service may depend on further objects, such as a
// VirtualService for a gateway and one for the mesh. These are followers: they get the same
// traffic after the lead, each in a patch of its own. Before anything is
// written, the patches of all are rendered, so that an object which cannot show
// the traffic stops the write of all, but for the way back: stable only goes to
// every object that takes it. A driver that lost the race for the lead writes no
// follower.
//
// If the write of a follower fails, the lead has changed, and with it the State:
// Write returns an error that does not wrap canary.ErrConflict, and Read reports
// the traffic of that follower until a Write mends it. A follower that cannot be
// read is the Trouble of the Reading.
type Router struct{ objects []Resource } // the lead first

var _ canary.Router = (*Router)(nil)

// NewRouter returns a Router that keeps its State in lead. Objects may be of
// different kinds.
func NewRouter(lead Resource, followers ...Resource) *Router {
	return &Router{append([]Resource{lead}, followers...)}
}

// Validate reports what is missing of each object. canary.NewRunner asks for it.
func (r *Router) Validate() error {
	var errs []error
	for _, o := range r.objects {
		if o == nil {
			errs = append(errs, errors.New("routing: an object is nil"))
		} else {
			errs = append(errs, o.validate())
		}
	}
	return errors.Join(errs...)
}

func (r *Router) lead() Resource { return r.objects[0] }

// id is that of the target.
func (r *Router) id() string { return cmp.Or(r.lead().id(), "rollout") }

// Read implements [canary.Router]. The Version of the Reading is a
// []metav1.Object: the objects as read, the lead first, nil for a follower that
// could not be. They may be looked at, but not changed. Traffic is that of the
// lead, or of the first follower that does not show what the State says.
func (r *Router) Read(ctx context.Context) (canary.Reading, error) {
	lead, err := r.lead().get(ctx)
	if err != nil {
		return canary.Reading{}, err
	}
	reading := canary.Reading{Object: string(lead.GetUID()), Abort: abort(lead.GetAnnotations(), r.id())}
	var badState error
	if reading.State, badState = state(lead.GetAnnotations(), r.id()); badState != nil {
		badState = r.wrap(badState)
	}
	want := reading.State.Traffic
	if reading.Traffic, err = r.lead().read(lead, want); err != nil {
		return canary.Reading{}, err
	}
	objects := []metav1.Object{lead}
	var trouble []error
	for _, f := range r.objects[1:] {
		o, t, err := follower(ctx, f, want)
		switch {
		case apierrors.IsNotFound(err) && want == canary.Traffic{HeaderRoutes: want.HeaderRoutes} && reading.State.Outcome != phase.Idle:
			// It is the end, and what is not there sends nobody to the canary.
		case err != nil:
			trouble = append(trouble, err)
		case reading.Traffic == want:
			reading.Traffic = t
		}
		objects = append(objects, o)
	}
	reading.Version, reading.Trouble = objects, errors.Join(trouble...)
	return reading, badState
}

// follower returns a follower with its traffic, or nil.
func follower(ctx context.Context, f Resource, want canary.Traffic) (metav1.Object, canary.Traffic, error) {
	o, err := f.get(ctx)
	if err != nil {
		return nil, canary.Traffic{}, err
	}
	t, err := f.read(o, want)
	if err != nil {
		return nil, canary.Traffic{}, err
	}
	return o, t, nil
}

// Write implements [canary.Router]. The zero State removes its annotation.
func (r *Router) Write(ctx context.Context, reading canary.Reading, t canary.Traffic, s canary.State) error {
	objects, ok := reading.Version.([]metav1.Object)
	if !ok || len(objects) != len(r.objects) {
		return r.wrap(ErrForeignReading)
	}
	patches, owed := make([]Patch, len(objects)), []error(nil)
	if asFound := t == reading.Traffic && t != s.Traffic; !asFound {
		var err error
		if patches, owed, err = r.render(objects, t, isBack(t, reading)); err != nil {
			return err
		}
	}
	have := objects[0].GetAnnotations()
	if err := putState(&patches[0], have, r.id(), s); err != nil {
		return r.wrap(err)
	}
	if reading.Abort != "" {
		patches[0].unannotate(have, AbortAnnotation(r.id()))
	}
	written, err := r.lead().patch(ctx, objects[0], patches[0])
	if err != nil {
		return err
	}
	return r.followAll(ctx, objects, patches, t, written.GetResourceVersion(), owed)
}

// isBack reports whether stable gets everything, and nothing is put up.
func isBack(t canary.Traffic, reading canary.Reading) bool {
	return t == canary.Traffic{HeaderRoutes: t.HeaderRoutes && reading.Traffic.HeaderRoutes}
}

// render returns the patches of all objects. On the way back, a follower that
// cannot show the traffic keeps no other from it: that is owed, and what cannot have
// its header routes any more goes back without.
func (r *Router) render(objects []metav1.Object, t canary.Traffic, back bool) (patches []Patch, owed []error, err error) {
	patches = make([]Patch, len(objects))
	for i, o := range objects {
		if o == nil {
			continue // the Reading told it
		}
		patches[i], err = r.objects[i].render(o, t)
		if err != nil && back && t.HeaderRoutes {
			patches[i], err = r.objects[i].render(o, canary.Traffic{})
		}
		switch {
		case err == nil:
		case i == 0 || !back:
			return nil, nil, err
		default:
			owed = append(owed, err)
		}
	}
	return patches, owed, nil
}

// followAll writes the patches of the followers, and tells what is owed.
func (r *Router) followAll(ctx context.Context, objects []metav1.Object, patches []Patch, t canary.Traffic, version string, owed []error) error {
	for i, f := range r.objects[1:] {
		o, p := objects[1+i], patches[1+i]
		if o == nil || p.Empty() {
			continue
		}
		if err := r.follow(ctx, f, o, p, t, version); err != nil {
			owed = append(owed, err)
		}
	}
	if err := errors.Join(owed...); err != nil {
		return fmt.Errorf("%w (%v has changed already)", err, r.lead())
	}
	return nil
}

// attempts bounds how often a follower that others change is tried.
const attempts = 3

// follow patches a follower. If somebody else has changed it, it is brought to t
// from what it is now, as long as the lead is at the version that was written
// with t: if not, a later Write has taken over.
func (r *Router) follow(ctx context.Context, f Resource, o metav1.Object, p Patch, t canary.Traffic, version string) error {
	var err error
	for range attempts {
		if _, err = f.patch(ctx, o, p); !errors.Is(err, canary.ErrConflict) {
			return err
		}
		lead, e := r.lead().get(ctx)
		if e != nil {
			return e
		}
		if lead.GetResourceVersion() != version {
			return nil
		}
		if o, e = f.get(ctx); e != nil {
			return e
		}
		if p, e = f.render(o, t); e != nil || p.Empty() {
			return e
		}
	}
	return errors.New(err.Error()) // canary.ErrConflict would promise that nothing was changed
}

func (r *Router) wrap(err error) error { return fmt.Errorf("routing: %v: %w", r.lead(), err) }

// putState appends what stores s beside the traffic.
func putState(p *Patch, have map[string]string, id string, s canary.State) error {
	b, err := s.MarshalJSON()
	if err != nil {
		return err
	}
	key := StateAnnotation(id)
	switch text := string(b); text {
	case zeroState:
		p.unannotate(have, key)
	case have[key]: // as it is already
	default:
		p.annotate(have, key, text)
	}
	return nil
}

// zeroState is the encoded zero State.
var zeroState = func() string {
	b, _ := canary.State{}.MarshalJSON() // it has an encoding
	return string(b)
}()
