package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
)

// attempts is how often a write is tried while others, mostly the Deployment controller,
// change the object.
const attempts = 4

// Client reads and patches the Deployments of one namespace.
// AppsV1().Deployments(namespace) of k8s.io/client-go/kubernetes is a Client.
type Client interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*appsv1.Deployment, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (*appsv1.Deployment, error)
}

// Config names the two Deployments and says what is promoted. Every process that drives
// the rollout must use the same Config.
type Config struct {
	// Namespace is the namespace of both Deployments, and of the Client.
	Namespace string
	// Stable and Canary are the names of the Deployments.
	Stable, Canary string

	// Watcher makes Run look as soon as the canary Deployment changes, so that a canary that
	// loses its pods loses its traffic at once. It is usually the Client. Without a Watcher
	// Run looks at the plan's interval.
	Watcher Watcher

	// Pods lists the pods of both Deployments in each turn, so that restarts, and images that
	// differ under one tag, are told: see "Restarts and images" in the package comment. It needs
	// the right to list all pods of the namespace. Nil means that nobody reads pods.
	Pods Pods
	// MaxRestarts is how often the containers of the canary may restart, in all its pods
	// together, if those of stable do not restart half as often per pod. More than that fails
	// the canary. It needs Pods. Zero means that restarts are told and fail nothing.
	MaxRestarts int

	// Capacity says how many ready replicas the canary needs for a share of the live traffic,
	// given how many stable had when the rollout began. Nil means in proportion, rounded up.
	// [AtLeastOne] asks for no more than one. Whatever it says, one is needed.
	Capacity func(share canary.Weight, stable int) int

	// Scaling has the rollout scale both versions to their traffic. The zero value scales
	// nothing: then the canary needs its replicas before each share.
	Scaling Scaling
	// Load returns the requests per second of both versions together over the last minutes.
	// With it what Capacity is given follows the load upwards, in proportion and up to the most
	// that Scaling.Stable allows, which it needs. So the load is not followed if that has no
	// bound, as [Replicas]. What Capacity is given never falls. Load has 5 seconds to answer, in
	// each turn while users are on the canary. Nil: it stays what stable had.
	Load func(context.Context) (float64, error)
	// Quotas lists the ResourceQuotas of the namespace, so that Check finds what has no room for
	// the canary's replicas. Nil: nobody looks.
	Quotas Quotas
	// FromZero: requests start the canary's pods, so a canary that is scaled to zero counts as
	// ready, and not as dead.
	FromZero bool

	// Images is the version to roll out: the image of each container, by name. If the
	// canary's spec has other images, Ready answers Wait and Promote answers No. If
	// Images is empty, Promote copies the canary's images for all containers that stable
	// has too.
	Images map[string]string
	// Template says that Promote copies the canary's whole pod template except its
	// labels; stable keeps its own labels. Other places in the template that name the
	// version, such as an affinity or a variable, are copied unchanged. If Template is
	// false, Promote copies images only.
	Template bool
}

// Deployments is a [canary.Workload] of two Deployments. It keeps no state between calls,
// but for having said that Config.Pods may not be listed. It is safe for concurrent use, also by several processes.
//
// Its errors are of type *[Error]. They wrap [canary.ErrRefused] if the API server
// refused the request for good or an object does not exist, and [canary.ErrBadState] if
// the Annotation holds anything that no promotion wrote. If the context ends during a
// write, the write may or may not have happened. Repeat the call to find out.
type Deployments struct {
	client    Client
	config    Config
	forbidden atomic.Bool // it was said that the pods may not be listed
}

var _ canary.Workload = (*Deployments)(nil)

// New returns the Workload for a Config, or an error with every mistake in the Config. It
// does no I/O. It keeps the client and a copy of the Config.
func New(client Client, c Config) (*Deployments, error) {
	var errs []error
	missing := func(is bool, what string) {
		if is {
			errs = append(errs, fmt.Errorf("workload: %s is missing", what))
		}
	}
	missing(client == nil, "the client")
	missing(c.Namespace == "", "the namespace")
	missing(c.Stable == "", "the name of the stable Deployment")
	missing(c.Canary == "", "the name of the canary Deployment")
	if c.MaxRestarts < 0 || c.MaxRestarts > 0 && c.Pods == nil {
		errs = append(errs, fmt.Errorf("workload: MaxRestarts is %d; want 0 or more, and Pods to count them by", c.MaxRestarts))
	}
	if c.Stable != "" && c.Stable == c.Canary {
		errs = append(errs, fmt.Errorf("workload: stable and canary are both %q", c.Stable))
	}
	errs = append(errs, c.problems()...)
	for _, name := range sortedKeys(c.Images) {
		missing(name == "", fmt.Sprintf("the container for image %q", c.Images[name]))
		missing(c.Images[name] == "", fmt.Sprintf("the image for container %q", name))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.Images = maps.Clone(c.Images)
	return &Deployments{client: client, config: c}, nil
}

// Promote changes stable to the canary's version. It answers Yes when stable is
// completely rolled out with at least one replica. The reason names what is not carried over
// from the canary's pod template. It answers No if that failed, if the
// canary's version is not the pinned or recorded one, or if the canary does not have
// Config.Images.
//
// The error is a [canary.FencedError] if q.Fence is not newer than the recorded Fence
// (see [canary.Fence.After]). If others changed stable before each of 4 attempts to
// write, the error wraps [canary.ErrConflict]. If a Deployment does not exist, the error
// wraps [canary.ErrRefused]: both existed earlier, so a person must have deleted it.
func (d *Deployments) Promote(ctx context.Context, q canary.Question) (canary.Answer, error) {
	return d.act(ctx, q.Fence, func(stable *appsv1.Deployment, r record) (move, error) {
		source, err := d.get(ctx, d.config.Canary)
		if err != nil {
			return move{}, err
		}
		return d.config.promotion(stable, r, source, q)
	})
}

// Restore sets stable back to what it ran before this rollout's Promote. It answers Yes
// when stable is completely rolled out again, with at least one replica. If this rollout
// has not promoted stable, Restore stores its Fence, so that no earlier call can promote
// later. It then answers Yes, or Wait if another rollout left stable between two
// versions. The canary need not exist. The errors are those of Promote. If the
// write is refused, and nothing but the Fence were to be written, the answer stands without
// it: a call that is still under way is refused as well.
func (d *Deployments) Restore(ctx context.Context, q canary.Question) (canary.Answer, error) {
	untouched := canary.Answer{}
	a, err := d.act(ctx, q.Fence, func(stable *appsv1.Deployment, r record) (move, error) {
		source, err := d.get(ctx, d.config.Canary)
		if err != nil && !apierrors.IsNotFound(err) {
			return move{}, err
		}
		m, err := d.config.restoration(stable, r, source, q)
		if !r.promoted(q.Fence.Rollout) {
			untouched = m.answer
		}
		return m, err
	})
	if errors.Is(err, canary.ErrRefused) && untouched.Reply == canary.Yes {
		return untouched, nil
	}
	return a, err
}

// act reads stable and its record, decides, and writes. If somebody else has changed
// stable in between, act reads and decides again.
func (d *Deployments) act(ctx context.Context, f canary.Fence, decide func(*appsv1.Deployment, record) (move, error)) (canary.Answer, error) {
	var err error
	for range attempts {
		var stable *appsv1.Deployment
		if stable, err = d.get(ctx, d.config.Stable); err != nil {
			break
		}
		var m move
		if m, err = d.move(ctx, stable, f, decide); err == nil {
			return m.answer, nil
		}
		now := func(ctx context.Context) (*appsv1.Deployment, error) { return d.get(ctx, d.config.Stable) }
		if !overtaken(ctx, stable, now, err) {
			break
		}
	}
	return canary.Answer{}, d.about(d.config.Stable, err)
}

// move decides and writes once.
func (d *Deployments) move(ctx context.Context, stable *appsv1.Deployment, f canary.Fence, decide func(*appsv1.Deployment, record) (move, error)) (move, error) {
	r, err := fenced(stable, f)
	if err != nil {
		return move{}, err
	}
	m, err := decide(stable, r)
	if err != nil {
		return move{}, err
	}
	patch, err := patchOf(stable, r, m)
	if err != nil || patch == nil {
		return m, err
	}
	_, err = d.client.Patch(ctx, stable.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: "serin"})
	return m, classify(err)
}

// overtaken reports whether a write failed because somebody else wrote first. The API
// server refuses a patch that does not fit the newer object as invalid before it compares
// versions.
func overtaken[T metav1.Object](ctx context.Context, read T, get func(context.Context) (T, error), err error) bool {
	if apierrors.IsConflict(err) {
		return true
	}
	if !apierrors.IsInvalid(err) {
		return false
	}
	now, err := get(ctx)
	return err == nil && now.GetResourceVersion() != read.GetResourceVersion()
}

func (d *Deployments) get(ctx context.Context, name string) (*appsv1.Deployment, error) {
	found, err := d.client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, d.about(name, classify(err))
	}
	return found, nil
}

// about wraps err with the object, unless that was done already.
func (d *Deployments) about(name string, err error) error {
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	return &Error{"Deployment", d.config.Namespace, name, err}
}
