package workload

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
)

// Floor keeps at least a number of replicas of one Deployment. [Replicas] and [Autoscaler]
// return Floors. For what belongs to something else, such as the ScaledObject of KEDA, fill in
// a [Field]. The methods are safe to call from several processes.
type Floor interface {
	// Bounds returns the least and the most replicas that are kept now. A most of zero is
	// no bound.
	Bounds(ctx context.Context) (least, most int32, err error)
	// Raise makes n the least, unless it is that or more already, and remembers what it was.
	// It answers Wait if n cannot be had, with the reason. With an n of zero it only
	// remembers. It reads, calls q.Current, and writes only if that returns nil.
	Raise(ctx context.Context, q canary.Question, n int32) (canary.Answer, error)
	// Release makes the least what it was before Raise, unless somebody has changed it
	// since. A Deployment that serves loses no replicas by that. An object that does not
	// exist any more is no error.
	Release(ctx context.Context, q canary.Question, serves bool) error
}

// Objects reads and patches objects of one kind in one namespace. The typed clients of
// client-go are Objects.
type Objects[T metav1.Object] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error)
}

// Field is a [Floor]: a field of an object that holds the least number of replicas. It writes
// the field, and the annotation serin-go.github.io/scaling, which remembers what the owner had
// there, by one JSON patch with the resourceVersion that was read. If somebody sets the field
// back, it is raised again three times, and then Raise says so: two tools do not fight over a
// field. A tool that replaces the whole object removes the annotation as well, and with it the
// number of times: have that tool leave the field and the annotation alone.
//
// The field manager of the writes is "serin", also after the rollout. So a server-side apply that
// changes the number later is a conflict until it is forced once.
type Field[T metav1.Object] struct {
	// Objects is the client for the kind and the namespace of the object.
	Objects Objects[T]
	// Kind is for people. Group and Resource name the kind in a Role.
	Kind, Group, Resource string
	// Namespace and Name are those of the object.
	Namespace, Name string
	// Pointer leads to the field (RFC 6901), as "/spec/minReplicas". All but its last part
	// must exist.
	Pointer string
	// Read returns the field, nil if the object lacks it, and the most replicas that the
	// object allows; zero is no bound.
	Read func(T) (least *int32, most int32)
	// Exact: the field is the number of replicas itself. So it is not given back while the
	// Deployment serves.
	Exact bool
	// Wrong says why a rollout must not raise the field, and what helps; "" if it may. The
	// function may be nil.
	Wrong func(T) string

	deployment string // the name of what is scaled; "" if that is not known
	idles      bool   // what is scaled to zero stays so, whatever the field says
}

// Replicas returns the Floor of a Deployment that nothing else scales: its number of replicas.
func Replicas(c Objects[*appsv1.Deployment], namespace, name string) Field[*appsv1.Deployment] {
	return Field[*appsv1.Deployment]{
		Objects: c, Kind: "Deployment", Group: appsv1.GroupName, Resource: "deployments", Namespace: namespace, Name: name,
		Pointer: "/spec/replicas", Exact: true, deployment: name,
		Read: func(d *appsv1.Deployment) (*int32, int32) { return d.Spec.Replicas, 0 },
	}
}

// Autoscaler returns the Floor of a Deployment that a HorizontalPodAutoscaler scales: its
// minReplicas. Name is that of the HorizontalPodAutoscaler, and deployment what it scales. One
// that belongs to another object is not raised, as that would set it back.
func Autoscaler(c Objects[*autoscalingv2.HorizontalPodAutoscaler], namespace, name, deployment string) Field[*autoscalingv2.HorizontalPodAutoscaler] {
	return Field[*autoscalingv2.HorizontalPodAutoscaler]{
		Objects: c, Kind: "HorizontalPodAutoscaler", Group: autoscalingv2.GroupName, Resource: "horizontalpodautoscalers", Namespace: namespace, Name: name,
		Pointer: "/spec/minReplicas", deployment: deployment, idles: true,
		Read: func(h *autoscalingv2.HorizontalPodAutoscaler) (*int32, int32) {
			return h.Spec.MinReplicas, h.Spec.MaxReplicas
		},
		Wrong: func(h *autoscalingv2.HorizontalPodAutoscaler) string {
			owner, target := metav1.GetControllerOf(h), h.Spec.ScaleTargetRef
			switch {
			case target.Kind != "Deployment" || target.Name != deployment:
				return fmt.Sprintf("it scales %s %s, not Deployment %s", target.Kind, target.Name, deployment)
			case owner != nil:
				return fmt.Sprintf("it belongs to %s %s, which would set it back: make a workload.Field of that", owner.Kind, owner.Name)
			}
			return ""
		},
	}
}

// Bounds implements [Floor].
func (f Field[T]) Bounds(ctx context.Context) (least, most int32, err error) {
	object, err := f.get(ctx)
	if err != nil {
		return 0, 0, err
	}
	at, most := f.Read(object)
	return valueOf(at), most, nil
}

func valueOf(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

// Raise implements [Floor].
func (f Field[T]) Raise(ctx context.Context, q canary.Question, n int32) (a canary.Answer, err error) {
	err = f.change(ctx, q.Current, func(object T, r scaling) (held, error) {
		is, most := f.Read(object)
		if err := q.Fence.After(r.Fence); err != nil {
			return held{}, err
		}
		to, wrong := held{is, nilUnless(r)}, ""
		if f.Wrong != nil {
			wrong = f.Wrong(object)
		}
		if wrong == "" {
			to, wrong = r.claimed(q.Fence, is).raised(is, most, n)
		}
		if valueOf(to.value) < n {
			a = canary.Wait.Because("%s %s keeps at least %d replicas, and %d are needed: %s", f.Kind, f.Name, valueOf(to.value), n, wrong)
		} else {
			a = canary.Answer{Reply: canary.Yes}
		}
		return to, nil
	})
	return a, err
}

// Release implements [Floor]. To an object that does not exist nothing is given back.
func (f Field[T]) Release(ctx context.Context, q canary.Question, serves bool) error {
	err := f.change(ctx, nil, func(object T, r scaling) (held, error) {
		is, _ := f.Read(object)
		if r.Rollout != q.Fence.Rollout {
			return held{is, nilUnless(r)}, nil // it is another rollout's
		}
		if err := q.Fence.After(r.Fence); err != nil {
			return held{}, err
		}
		if r.set(is) && !(f.Exact && serves) {
			is = r.Was
		}
		return held{is, nil}, nil
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

var _ canary.Checker = Field[*appsv1.Deployment]{}

// Check implements [canary.Checker]: an object that does not exist, or that must not be raised,
// refuses.
func (f Field[T]) Check(ctx context.Context, _ canary.Plan) ([]canary.Finding, error) {
	object, err := f.get(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return []canary.Finding{{Problem: fmt.Sprintf("there is no %s %s in namespace %s; create it, or correct its name", f.Kind, f.Name, f.Namespace), Refuses: true}}, nil
	case err != nil || f.Wrong == nil:
		return nil, err
	}
	if wrong := f.Wrong(object); wrong != "" {
		return []canary.Finding{{Problem: fmt.Sprintf("%s %s cannot be raised: %s", f.Kind, f.Name, wrong), Refuses: true}}, nil
	}
	return nil, nil
}

// Rights returns the rights to get and patch the object.
func (f Field[T]) Rights(canary.Plan) []authorizationv1.ResourceAttributes {
	may := func(verb string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: verb, Group: f.Group, Resource: f.Resource, Namespace: f.Namespace, Name: f.Name}
	}
	return []authorizationv1.ResourceAttributes{may("get"), may("patch")}
}

func (f Field[T]) get(ctx context.Context) (object T, err error) {
	if object, err = f.Objects.Get(ctx, f.Name, metav1.GetOptions{}); err != nil {
		err = &Error{f.Kind, f.Namespace, f.Name, classify(err)}
	}
	return object, err
}

// change reads, decides and writes, again if somebody else has changed the object in between.
func (f Field[T]) change(ctx context.Context, current func(context.Context) error, decide func(T, scaling) (held, error)) error {
	var err error
	for range attempts {
		var object T
		if object, err = f.get(ctx); err != nil {
			return err
		}
		if err = f.write(ctx, object, current, decide); err == nil || !overtaken(ctx, object, f.get, err) {
			break
		}
	}
	if err != nil {
		return &Error{f.Kind, f.Namespace, f.Name, err}
	}
	return nil
}

// write decides and writes once.
func (f Field[T]) write(ctx context.Context, object T, current func(context.Context) error, decide func(T, scaling) (held, error)) error {
	r, err := readScaling(object)
	if err != nil {
		return err
	}
	to, err := decide(object, r)
	if err != nil {
		return err
	}
	is, _ := f.Read(object)
	patch, err := f.patch(object, held{is, nilUnless(r)}, to)
	if err != nil || patch == nil {
		return err
	}
	if current != nil {
		if err := current(ctx); err != nil {
			return err
		}
	}
	_, err = f.Objects.Patch(ctx, f.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: "serin"})
	return classify(err)
}

// patch returns the JSON patch that changes what is held, or nil if nothing changes.
func (f Field[T]) patch(object T, from, to held) ([]byte, error) {
	var ops []operation
	switch {
	case to.value == nil && from.value != nil:
		ops = append(ops, operation{Op: "remove", Path: f.Pointer})
	case to.value != nil && (from.value == nil || *from.value != *to.value):
		ops = append(ops, operation{"add", f.Pointer, *to.value})
	}
	switch {
	case to.record == nil && from.record != nil:
		ops = append(ops, operation{Op: "remove", Path: "/metadata/annotations/" + pointer.Replace(scalingAnnotation)})
	case to.record != nil && (from.record == nil || !to.record.same(*from.record)):
		text, err := json.Marshal(to.record)
		if err != nil {
			return nil, err
		}
		ops = append(ops, annotate(object, scalingAnnotation, string(text)))
	}
	if len(ops) == 0 {
		return nil, nil
	}
	return json.Marshal(append([]operation{{"replace", "/metadata/resourceVersion", object.GetResourceVersion()}}, ops...))
}
