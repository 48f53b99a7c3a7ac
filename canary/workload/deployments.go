package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
)

// attempts bounds how often a write is tried again after somebody else, mostly
// the Deployment controller, was faster.
const attempts = 4

// Client reads and patches the Deployments of one namespace. AppsV1().
// Deployments(namespace) of k8s.io/client-go/kubernetes is one.
type Client interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*appsv1.Deployment, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (*appsv1.Deployment, error)
}

// Config names the two Deployments and says what is promoted. Every process that
// drives a rollout has the same one.
type Config struct {
	// Namespace is that of both Deployments, and of the Client.
	Namespace string
	// Stable and Canary are the names of the Deployments.
	Stable, Canary string

	// Images is the version being rolled out, by name of container. Ready waits
	// until the canary's spec names it, and Promote refuses another one. Empty
	// takes what the canary runs, for all containers that stable has too.
	Images map[string]string
	// Template promotes the whole pod template of the canary but for its labels,
	// which stay those of stable. What names the version elsewhere in it, such
	// as an affinity or a variable, is copied as it is. Otherwise images are all
	// that is promoted.
	Template bool
}

// Deployments is a [canary.Workload] of two Deployments. It keeps nothing
// between calls and may be used by many goroutines, and by many processes.
//
// Its errors are of type *[Error]. They wrap [canary.ErrRefused] if the API
// refused the request for good or an object is not there, and
// [canary.ErrBadState] if the Annotation holds what no promotion wrote. When the
// context ends during a write, the write may or may not have happened; the same
// call again finds out.
type Deployments struct {
	client Client
	config Config
}

var _ canary.Workload = (*Deployments)(nil)

// New returns the Workload of a Config, or every mistake in the Config. It does
// no I/O. It keeps the client, and a copy of the Config.
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
	if c.Stable != "" && c.Stable == c.Canary {
		errs = append(errs, fmt.Errorf("workload: stable and canary are both %q", c.Stable))
	}
	for _, name := range sortedKeys(c.Images) {
		missing(name == "", fmt.Sprintf("the container for image %q", c.Images[name]))
		missing(c.Images[name] == "", fmt.Sprintf("the image for container %q", name))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.Images = maps.Clone(c.Images)
	return &Deployments{client, c}, nil
}

// Pin answers Yes when the canary Deployment is there and names Config.Images. Its
// Version is a fingerprint of the canary's pod template, without what a restart
// changes; its Capacity is how many replicas of stable are available.
func (d *Deployments) Pin(ctx context.Context, _ canary.Question) (canary.Pin, canary.Answer, error) {
	stable, err := d.get(ctx, d.config.Stable)
	if err != nil {
		return canary.Pin{}, canary.Answer{}, err
	}
	source, missing, err := d.source(ctx)
	if err != nil || source == nil {
		return canary.Pin{}, missing, err
	}
	version, err := version(source)
	pin := canary.Pin{Version: version, Capacity: strconv.Itoa(int(stable.Status.AvailableReplicas))}
	return pin, canary.Answer{Reply: canary.Yes}, err
}

// source returns the canary Deployment when it is the one that the Config is
// about; until then it is nil, and the Answer says why.
func (d *Deployments) source(ctx context.Context) (*appsv1.Deployment, canary.Answer, error) {
	source, err := d.get(ctx, d.config.Canary)
	if apierrors.IsNotFound(err) {
		return nil, canary.Wait.Because("canary %s: there is no such Deployment in %s", d.config.Canary, d.config.Namespace), nil
	}
	if err != nil {
		return nil, canary.Answer{}, err
	}
	if wrong := d.config.wrongImage(source); wrong != "" {
		return nil, canary.Wait.Because("canary %s: %s", source.Name, wrong), nil
	}
	return source, canary.Answer{}, nil
}

// changed says that d does not run what was pinned; "" if it does, or if nothing
// was.
func changed(d *appsv1.Deployment, pin canary.Pin) (string, error) {
	is, err := version(d)
	if err != nil || pin.Version == "" || is == pin.Version {
		return "", err
	}
	return "its pod template is not the one that the rollout began with; another version is another rollout", nil
}

// Ready answers Yes if t sends nothing to the canary, or if the canary
// Deployment is wholly rolled out, by [Status], with at least one replica. It
// answers No if that rollout failed. A canary Deployment that does not exist, or
// does not name Config.Images, may do so later: Wait. A stable Deployment that
// does not exist is an error that wraps [canary.ErrRefused].
func (d *Deployments) Ready(ctx context.Context, q canary.Question) (canary.Answer, error) {
	t := q.Traffic
	if t.Canary == 0 && t.Mirror == 0 && t.Cohorts == "" {
		return canary.Answer{Reply: canary.Yes, Reason: "no traffic for the canary"}, nil
	}
	if _, err := d.get(ctx, d.config.Stable); err != nil {
		return canary.Answer{}, err
	}
	source, missing, err := d.source(ctx)
	if err != nil || source == nil {
		return missing, err
	}
	if why, err := changed(source, q.Pin); err != nil || why != "" {
		return canary.No.Because("canary %s: %s", source.Name, why), err
	}
	return serving("canary", source), nil
}

// Promote brings stable to the canary's version and answers Yes when stable is
// wholly rolled out with at least one replica. It answers No if that failed, or
// if the canary is not what it was or what Config.Images says.
//
// A Fence that does not come after the last one is a [canary.FencedError], and
// losing too many races for a write wraps [canary.ErrConflict]. A Deployment that
// is not there wraps [canary.ErrRefused]: by now both exist, unless a person took
// one away.
func (d *Deployments) Promote(ctx context.Context, q canary.Question) (canary.Answer, error) {
	return d.act(ctx, q.Fence, func(stable *appsv1.Deployment, r record) (move, error) {
		source, err := d.get(ctx, d.config.Canary)
		if err != nil {
			return move{}, err
		}
		return d.config.promotion(stable, r, source, q)
	})
}

// Restore puts back what stable ran before this rollout's Promote and answers
// Yes when that is wholly rolled out. If this rollout has promoted nothing, it
// answers Yes, after it has made sure that no earlier serial can promote any
// more. The canary need not exist. Errors are those of Promote.
func (d *Deployments) Restore(ctx context.Context, q canary.Question) (canary.Answer, error) {
	return d.act(ctx, q.Fence, func(stable *appsv1.Deployment, r record) (move, error) {
		return restoration(stable, r, q.Fence)
	})
}

// act reads stable and its record, decides, and writes. Whoever was faster makes
// it read and decide again.
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
		if !d.overtaken(ctx, stable, err) {
			break
		}
	}
	return canary.Answer{}, d.about(d.config.Stable, err)
}

// move decides and writes once. An error of the write is that of the API.
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

// overtaken reports whether a write failed because somebody else wrote first.
// A patch that does not fit the newer object is refused as invalid before its
// version is looked at.
func (d *Deployments) overtaken(ctx context.Context, read *appsv1.Deployment, err error) bool {
	if apierrors.IsConflict(err) {
		return true
	}
	if !apierrors.IsInvalid(err) {
		return false
	}
	now, err := d.get(ctx, read.Name)
	return err == nil && now.ResourceVersion != read.ResourceVersion
}

func (d *Deployments) get(ctx context.Context, name string) (*appsv1.Deployment, error) {
	found, err := d.client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, d.about(name, classify(err))
	}
	return found, nil
}

// about names the object that an error is about, once.
func (d *Deployments) about(name string, err error) error {
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	return &Error{"Deployment", d.config.Namespace, name, err}
}
