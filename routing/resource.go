package routing

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
)

// Client reads and patches objects of one kind in one namespace. The typed clients of
// client-go and istio.io/client-go satisfy it: VirtualServiceInterface is a
// Client[networking.VirtualService]. Objects from Get are never changed, so an informer
// may serve Get. If the informer is behind, a patch that does not fit the newer object is
// reported as canary.ErrRefused instead of canary.ErrConflict.
type Client[T any] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*T, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (*T, error)
}

// A Renderer reads the traffic that an object asks for, and renders the patch that makes
// the object ask for other traffic. Read and Render are pure: they do no I/O, do not
// change their arguments, and are safe for concurrent use.
//
// A Renderer may also have a method Check(object *T) []canary.Finding, which [Router.Check]
// calls, and a method Hosts(object *T) []string for Reading.Hosts.
type Renderer[T any] interface {
	// Read returns the traffic that the steered parts of the object ask for. The argument
	// last is the traffic that was written last. If every part asks for last, Read
	// returns last. Otherwise it returns the traffic of the first part that asks for
	// something else.
	Read(object *T, last canary.Traffic) (canary.Traffic, error)
	// Render returns the patch after which all steered parts ask for t. The patch is
	// empty if nothing needs to change.
	Render(object *T, t canary.Traffic) (Patch, error)
}

// Kind names a kind of objects as the API server does: {"VirtualService",
// "networking.istio.io", "virtualservices"}.
type Kind struct{ Name, Group, Resource string }

// Object is one object in a cluster and its Renderer. T is the Go type of the object,
// such as networking.VirtualService.
type Object[T any] struct {
	Kind Kind
	// Client must be a client for Namespace.
	Client    Client[T]
	Namespace string
	Name      string
	Renderer  Renderer[T]
	// ID names the StateAnnotation if the object is the lead of a Router; "" means
	// "rollout".
	ID string
}

// Resource is an Object[T] with any T.
type Resource interface {
	// String names the object: "VirtualService prod/reviews".
	fmt.Stringer
	id() string
	get(ctx context.Context) (metav1.Object, error)
	read(o metav1.Object, last canary.Traffic) (canary.Traffic, error)
	render(o metav1.Object, t canary.Traffic) (Patch, error)
	patch(ctx context.Context, o metav1.Object, p Patch) (metav1.Object, error)
	check(o metav1.Object) []canary.Finding
	hosts(o metav1.Object) []string
	rights() []authorizationv1.ResourceAttributes
	validate() error
}

var _ Resource = Object[metav1.PartialObjectMetadata]{}

// String implements [Resource].
func (o Object[T]) String() string { return o.Kind.Name + " " + o.Namespace + "/" + o.Name }

func (o Object[T]) id() string { return o.ID }

// validate reports every missing field.
func (o Object[T]) validate() error {
	var errs []error
	if isNil(o.Client) {
		errs = append(errs, errors.New("client is missing"))
	}
	if isNil(o.Renderer) {
		errs = append(errs, errors.New("renderer is missing"))
	}
	if o.Namespace == "" || o.Name == "" {
		errs = append(errs, errors.New("namespace or name is missing"))
	}
	if err := errors.Join(errs...); err != nil {
		return o.wrap(err)
	}
	return nil
}

// isNil reports whether v is nil or holds a nil pointer.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return v == nil || r.Kind() == reflect.Pointer && r.IsNil()
}

func (o Object[T]) wrap(err error) error { return fmt.Errorf("routing: %v: %w", o, err) }

func (o Object[T]) get(ctx context.Context) (metav1.Object, error) {
	read, err := o.Client.Get(ctx, o.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, o.wrap(missing{err})
	case refused(err):
		return nil, o.wrap(refusalOf(err))
	case err != nil:
		return nil, o.wrap(err)
	}
	object, ok := any(read).(metav1.Object)
	if !ok {
		return nil, o.wrap(fmt.Errorf("%w: %T is not a type of Kubernetes objects", canary.ErrRefused, read))
	}
	if is := object.GetNamespace(); is != o.Namespace {
		return nil, o.wrap(fmt.Errorf("%w: the client is for namespace %q, not %q", canary.ErrRefused, is, o.Namespace))
	}
	return object, nil
}

func (o Object[T]) read(object metav1.Object, last canary.Traffic) (canary.Traffic, error) {
	return o.Renderer.Read(any(object).(*T), last)
}

func (o Object[T]) render(object metav1.Object, t canary.Traffic) (Patch, error) {
	return o.Renderer.Render(any(object).(*T), t)
}

func (o Object[T]) check(object metav1.Object) []canary.Finding {
	if c, ok := o.Renderer.(interface {
		Check(object *T) []canary.Finding
	}); ok {
		return c.Check(any(object).(*T))
	}
	return nil
}

// patch writes p. It returns canary.ErrConflict if the object has changed since it was
// read.
func (o Object[T]) patch(ctx context.Context, object metav1.Object, p Patch) (metav1.Object, error) {
	after, err := send(ctx, o.Client, object, p)
	if err != nil {
		return nil, o.wrap(err)
	}
	return any(after).(metav1.Object), nil
}

// rights are the rights to get and to patch the object.
func (o Object[T]) rights() []authorizationv1.ResourceAttributes {
	return o.Kind.toSteer(o.Namespace, o.Name)
}
