package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	networking "istio.io/client-go/pkg/apis/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
)

// Client reads and patches objects of one kind in one namespace. The typed
// clients of istio.io/client-go satisfy it: VirtualServiceInterface is a
// Client[networking.VirtualService]. Objects that Get returns are never changed,
// so it may be answered by an informer; a patch that does not fit an object newer
// than the informer's is then told as a refusal, not as a conflict.
type Client[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*T, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (*T, error)
}

// fieldManager is the name under which the API server books our changes.
const fieldManager = "serin"

// Object is one VirtualService in a cluster and the way to steer it.
type Object struct {
	// Client is one for Namespace.
	Client    Client[networking.VirtualService]
	Namespace string
	Name      string
	Renderer  Renderer
	// ID is that of the target, under which a lead keeps the State; "" is
	// "rollout".
	ID string
}

// Object returns the VirtualService of the target, to be reached by client.
func (h *HTTP) Object(client Client[networking.VirtualService]) Object {
	return Object{client, h.target.Namespace, h.target.Name, h, h.id}
}

// Router is a [canary.Router] for VirtualServices. It keeps the State in a
// [StateAnnotation] of its lead, beside the traffic, and changes both in one
// patch. Concurrent use is safe if it is safe for its Clients.
//
// The traffic of one service may depend on further VirtualServices, such as one
// for a gateway and one for the mesh. These are followers: they get the same
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
type Router struct {
	lead      Object
	followers []Object
}

var _ canary.Router = (*Router)(nil)

// NewRouter returns a Router that keeps its State in lead.
func NewRouter(lead Object, followers ...Object) *Router {
	lead.ID = cmp.Or(lead.ID, "rollout")
	return &Router{lead, append([]Object(nil), followers...)}
}

// Read implements [canary.Router]. The Version of the Reading is a
// []*networking.VirtualService: the objects as read, the lead first. They may be
// looked at, but not changed. Traffic is that of the lead, or of the first
// follower that does not show what the State says.
func (r *Router) Read(ctx context.Context) (canary.Reading, error) {
	lead, err := r.lead.get(ctx)
	if err != nil {
		return canary.Reading{}, err
	}
	reading := canary.Reading{Object: string(lead.UID), Abort: abort(lead.Annotations, r.lead.ID)}
	var badState error
	if reading.State, badState = state(lead.Annotations, r.lead.ID); badState != nil {
		badState = r.lead.wrap(badState)
	}
	want := reading.State.Traffic
	if reading.Traffic, err = r.lead.Renderer.Read(lead, want); err != nil {
		return canary.Reading{}, err
	}
	objects := []*networking.VirtualService{lead}
	var trouble []error
	for _, f := range r.followers {
		vs, t, err := f.read(ctx, want)
		switch {
		case apierrors.IsNotFound(err) && want == canary.Traffic{} && reading.State.Outcome != canary.Idle:
			// It is the end, and what is not there sends nobody to the canary.
		case err != nil:
			trouble = append(trouble, err)
		case reading.Traffic == want:
			reading.Traffic = t
		}
		objects = append(objects, vs)
	}
	reading.Version, reading.Trouble = objects, errors.Join(trouble...)
	return reading, badState
}

// read returns the object with its traffic, or nil.
func (o *Object) read(ctx context.Context, want canary.Traffic) (*networking.VirtualService, canary.Traffic, error) {
	vs, err := o.get(ctx)
	if err != nil {
		return nil, canary.Traffic{}, err
	}
	t, err := o.Renderer.Read(vs, want)
	if err != nil {
		return nil, canary.Traffic{}, err
	}
	return vs, t, nil
}

// Write implements [canary.Router]. The zero State removes its annotation.
func (r *Router) Write(ctx context.Context, reading canary.Reading, t canary.Traffic, s canary.State) error {
	objects, ok := reading.Version.([]*networking.VirtualService)
	if !ok || len(objects) != 1+len(r.followers) {
		return r.lead.wrap(ErrForeignReading)
	}
	patches := make([]Patch, len(objects))
	var owed []error // by followers, on the way back
	for i, vs := range objects {
		if vs == nil {
			continue // the Reading told it
		}
		var err error
		if patches[i], err = r.object(i).Renderer.Render(vs, t); err == nil {
			continue
		}
		if i == 0 || t != (canary.Traffic{}) {
			return err
		}
		owed = append(owed, err)
	}
	if err := putState(&patches[0], objects[0].Annotations, r.lead.ID, s); err != nil {
		return r.lead.wrap(err)
	}
	if reading.Abort != "" {
		patches[0].unannotate(objects[0].Annotations, AbortAnnotation(r.lead.ID))
	}
	written, err := r.lead.patch(ctx, objects[0], patches[0])
	if err != nil {
		return err
	}
	for i := 1; i < len(objects); i++ {
		if objects[i] == nil || patches[i].Empty() {
			continue
		}
		if err := r.follow(ctx, r.object(i), objects[i], patches[i], t, written.ResourceVersion); err != nil {
			owed = append(owed, err)
		}
	}
	if err := errors.Join(owed...); err != nil {
		return fmt.Errorf("%w (VirtualService %s/%s has changed already)", err, r.lead.Namespace, r.lead.Name)
	}
	return nil
}

// object returns the i-th object, the lead first.
func (r *Router) object(i int) *Object {
	if i == 0 {
		return &r.lead
	}
	return &r.followers[i-1]
}

// attempts bounds how often a follower that others change is tried.
const attempts = 3

// follow patches a follower. If somebody else has changed it, it is brought to t
// from what it is now, as long as the lead is at the version that was written
// with t: if not, a later Write has taken over.
func (r *Router) follow(ctx context.Context, o *Object, vs *networking.VirtualService, p Patch, t canary.Traffic, version string) error {
	var err error
	for range attempts {
		if _, err = o.patch(ctx, vs, p); !errors.Is(err, canary.ErrConflict) {
			return err
		}
		lead, e := r.lead.get(ctx)
		if e != nil {
			return e
		}
		if lead.ResourceVersion != version {
			return nil
		}
		if vs, e = o.get(ctx); e != nil {
			return e
		}
		if p, e = o.Renderer.Render(vs, t); e != nil || p.Empty() {
			return e
		}
	}
	return errors.New(err.Error()) // canary.ErrConflict would promise that nothing was changed
}

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

func (o *Object) get(ctx context.Context) (*networking.VirtualService, error) {
	vs, err := o.Client.Get(ctx, o.Name, metav1.GetOptions{})
	switch {
	case refused(err):
		return nil, o.wrap(refusalOf(err))
	case err != nil:
		return nil, o.wrap(err)
	}
	return vs, nil
}

// patch writes p if vs was not changed since it was read.
func (o *Object) patch(ctx context.Context, vs *networking.VirtualService, p Patch) (*networking.VirtualService, error) {
	after, err := send(ctx, o.Client, vs, p)
	if err != nil {
		return nil, o.wrap(err)
	}
	return after, nil
}

func (o *Object) wrap(err error) error {
	return fmt.Errorf("routing: VirtualService %s/%s: %w", o.Namespace, o.Name, err)
}
