package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
)

// fieldManager is the field manager of all patches.
const fieldManager = "serin"

// Router is a [canary.Router] for objects of any kind. It stores the State in the
// [StateAnnotation] of its lead object, and writes State and traffic in one patch. A
// Router is safe for concurrent use if its Clients are.
//
// The traffic of one service may depend on more objects, such as one VirtualService for a
// gateway and one for the mesh. The other objects are followers: they get the same
// traffic after the lead, each in a patch of its own. Write renders the patches of all
// objects before it writes the first. If one object cannot have the traffic, nothing is
// written. The rollback is an exception: it is written to every object that can have it.
// If the patch of the lead fails with a conflict, no follower is written.
//
// If a follower's patch fails, the lead and the State have changed already. Write then
// returns an error that does not wrap canary.ErrConflict, and Read reports the follower's
// traffic until a Write corrects it. If a follower cannot be read, the error is in the
// Trouble of the Reading.
type Router struct{ objects []Resource } // the lead first

var _ canary.Router = (*Router)(nil)

// NewRouter returns a Router that writes the same traffic to lead and to all followers,
// and keeps its State in lead. The objects may be of different kinds. Router says what
// happens if one of the writes fails.
func NewRouter(lead Resource, followers ...Resource) *Router {
	return &Router{append([]Resource{lead}, followers...)}
}

// Validate reports every missing field of each object. canary.NewRunner calls it.
func (r *Router) Validate() error {
	var errs []error
	for _, o := range r.objects {
		if o == nil {
			errs = append(errs, errors.New("routing: the lead or a follower is nil"))
		} else {
			errs = append(errs, o.validate())
		}
	}
	return errors.Join(errs...)
}

func (r *Router) lead() Resource { return r.objects[0] }

// id is the ID of the target.
func (r *Router) id() string { return cmp.Or(r.lead().id(), "rollout") }

// Read implements [canary.Router]. The Version of the Reading is a []metav1.Object: the
// objects as read, the lead first, and nil for a follower that could not be read. Do not
// change these objects. The Traffic is that of the lead, or of the first follower that
// differs from the State. If somebody changed
// the lead so that its traffic cannot be read, while a rollout has users on the canary, the
// Traffic is that of the State, and the error is in the Trouble of the Reading.
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
	var trouble []error
	switch reading.Traffic, err = r.lead().read(lead, want); {
	case err != nil && (badState != nil || !exposed(reading.State)):
		return canary.Reading{}, err
	case err != nil:
		reading.Traffic = want
		trouble = append(trouble, err)
	}
	objects := []metav1.Object{lead}
	for _, f := range r.objects[1:] {
		o, t, err := follower(ctx, f, want)
		switch {
		case apierrors.IsNotFound(err) && want == canary.Traffic{HeaderRoutes: want.HeaderRoutes} && reading.State.Outcome != phase.Idle:
			// The rollout is over, and a missing object sends no requests to the canary.
		case err != nil:
			trouble = append(trouble, err)
		case reading.Traffic == want:
			reading.Traffic = t
		}
		objects = append(objects, o)
	}
	reading.Version, reading.Trouble, reading.Hosts = objects, errors.Join(trouble...), r.hostsOf(objects)
	return reading, badState
}

// exposed reports whether a rollout that goes on has users on the canary.
func exposed(s canary.State) bool {
	return !s.Phase.Final() && (s.Traffic.Canary > 0 || s.Traffic.Cohorts != "")
}

// follower returns a follower and its traffic.
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

// Write implements [canary.Router]. For the zero State, the StateAnnotation is removed.
// It returns ErrForeignReading if the Reading does not come from this Router.
func (r *Router) Write(ctx context.Context, reading canary.Reading, t canary.Traffic, s canary.State) error {
	objects, ok := reading.Version.([]metav1.Object)
	if !ok || len(objects) != len(r.objects) {
		return r.wrap(ErrForeignReading)
	}
	patches, owed := make([]Patch, len(objects)), []error(nil)
	if asFound := t == reading.Traffic && (t != s.Traffic || t == reading.State.Traffic); !asFound {
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

// isBack reports whether t is a rollback: stable gets everything, and no header routes
// are added.
func isBack(t canary.Traffic, reading canary.Reading) bool {
	return t == canary.Traffic{HeaderRoutes: t.HeaderRoutes && reading.Traffic.HeaderRoutes}
}

// render returns the patches of all objects. In a rollback, the error of a follower that
// cannot have the traffic is added to owed, and the others are still patched: so a lead
// whose rules somebody changed keeps a State that says where the rollout is. An object
// that can no longer have header routes is rolled back without them.
func (r *Router) render(objects []metav1.Object, t canary.Traffic, back bool) (patches []Patch, owed []error, err error) {
	patches = make([]Patch, len(objects))
	for i, o := range objects {
		if o == nil {
			continue // its error is in the Trouble of the Reading
		}
		patches[i], err = r.objects[i].render(o, t)
		if err != nil && back && t.HeaderRoutes {
			patches[i], err = r.objects[i].render(o, canary.Traffic{})
		}
		switch {
		case err == nil:
		case !back:
			return nil, nil, err
		default:
			owed = append(owed, err)
		}
	}
	return patches, owed, nil
}

// followAll writes the patches of the followers. It returns their errors and the errors
// in owed.
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
		return fmt.Errorf("%w (%v is already changed)", err, r.lead())
	}
	return nil
}

// attempts is how often Write tries to patch a follower that others change.
const attempts = 3

// follow patches a follower. After a conflict it renders t into the new object and tries
// again, as long as the lead has the version that was written with t. Another version
// means that a later Write has taken over.
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
	return errors.New(err.Error()) // not a canary.ErrConflict, which means that nothing was changed
}

func (r *Router) wrap(err error) error { return fmt.Errorf("routing: %v: %w", r.lead(), err) }

// putState appends the patch that stores s, or removes the annotation if s is zero.
func putState(p *Patch, have map[string]string, id string, s canary.State) error {
	b, err := s.MarshalJSON()
	if err != nil {
		return err
	}
	key := StateAnnotation(id)
	switch text := string(b); text {
	case zeroState:
		p.unannotate(have, key)
	case have[key]: // already stored
	default:
		p.annotate(have, key, text)
	}
	return nil
}

// zeroState is the encoded zero State.
var zeroState = func() string {
	b, _ := canary.State{}.MarshalJSON() // the zero State always has an encoding
	return string(b)
}()
