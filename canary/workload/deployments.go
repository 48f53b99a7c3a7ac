package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

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

// Deployments is a [canary.Workload] of two Deployments. It keeps no state between calls.
// It is safe for concurrent use, also by several processes.
//
// Its errors are of type *[Error]. They wrap [canary.ErrRefused] if the API server
// refused the request for good or an object does not exist, and [canary.ErrBadState] if
// the Annotation holds anything that no promotion wrote. If the context ends during a
// write, the write may or may not have happened. Repeat the call to find out.
type Deployments struct {
	client Client
	config Config
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

// Pin answers Yes if the canary Deployment exists and has Config.Images, and Wait
// otherwise. The Version of the Pin is a fingerprint of the canary's pod template,
// without the annotation of "kubectl rollout restart". The Capacity is the number of
// available replicas of stable. If the stable Deployment does not exist, the error wraps
// [canary.ErrRefused].
func (d *Deployments) Pin(ctx context.Context, _ canary.Question) (canary.Pin, canary.Answer, error) {
	stable, err := d.get(ctx, d.config.Stable)
	if err != nil {
		return canary.Pin{}, canary.Answer{}, err
	}
	source, missing, err := d.source(ctx)
	if err != nil || source == nil {
		return canary.Pin{}, missing, err
	}
	is, err := version(source)
	was, stableErr := version(stable)
	pin := canary.Pin{Version: is + " " + was, Capacity: strconv.Itoa(int(stable.Status.AvailableReplicas))}
	return pin, canary.Answer{Reply: canary.Yes}, errors.Join(err, stableErr)
}

var _ canary.Checker = (*Deployments)(nil)

// Check implements [canary.Checker]. A stable Deployment that does not exist refuses. A
// canary Deployment that does not exist, or does not have Config.Images, is a warning,
// because the rollout waits for it.
func (d *Deployments) Check(ctx context.Context, _ canary.Plan) ([]canary.Finding, error) {
	var found []canary.Finding
	_, err := d.get(ctx, d.config.Stable)
	switch {
	case apierrors.IsNotFound(err):
		found = append(found, canary.Finding{Problem: fmt.Sprintf("stable %s: there is no such Deployment in namespace %s; create it, or correct its name or the namespace of the client", d.config.Stable, d.config.Namespace), Refuses: true})
	case err != nil:
		return nil, err
	}
	if d.config.Watcher != nil {
		w, err := d.watch(ctx)
		if err != nil {
			found = append(found, canary.Finding{Problem: fmt.Sprintf("canary %s cannot be watched, so the rollout looks at its interval only: %v", d.config.Canary, err)})
		} else {
			w.Stop()
		}
	}
	source, missing, err := d.source(ctx)
	if err == nil && source == nil {
		found = append(found, canary.Finding{Problem: missing.Reason + "; the rollout will wait"})
	}
	return found, err
}

// source returns the canary Deployment if it exists and has Config.Images. Otherwise it
// returns nil and an Answer with the reason.
func (d *Deployments) source(ctx context.Context) (*appsv1.Deployment, canary.Answer, error) {
	source, err := d.get(ctx, d.config.Canary)
	if apierrors.IsNotFound(err) {
		return nil, canary.Wait.Because("canary %s: there is no such Deployment in namespace %s", d.config.Canary, d.config.Namespace), nil
	}
	if err != nil {
		return nil, canary.Answer{}, err
	}
	if wrong := d.config.wrongImage(source); wrong != "" {
		return nil, canary.Wait.Because("canary %s: %s", source.Name, wrong), nil
	}
	return source, canary.Answer{}, nil
}

// pinned returns the versions of canary and stable in a Pin; "" for one that is not in it.
func pinned(pin canary.Pin) (source, stable string) {
	source, stable, _ = strings.Cut(pin.Version, " ")
	return source, stable
}

// changed says why the canary does not run the pinned version; "" if it does, or if
// nothing was pinned.
func changed(source *appsv1.Deployment, pin canary.Pin) (string, error) {
	is, err := version(source)
	if want, _ := pinned(pin); err != nil || want == "" || is == want {
		return "", err
	}
	return "its pod template has changed since the rollout began; begin a new rollout for another version", nil
}

// edited says that somebody has changed stable since the rollout began; "" if not, or if
// this rollout has promoted it. A promotion would overwrite the change.
func edited(stable *appsv1.Deployment, r record, q canary.Question) (string, error) {
	is, err := version(stable)
	if _, want := pinned(q.Pin); err != nil || want == "" || is == want || r.promoted(q.Fence.Rollout) {
		return "", err
	}
	return fmt.Sprintf("stable %s: somebody has changed its pod template since the rollout began, and a promotion would overwrite that: abort, and begin a new rollout", stable.Name), nil
}

// Ready answers Yes if q.Traffic neither sends nor mirrors requests to the canary, or if
// the canary Deployment is completely rolled out, by [Status], with at least one replica.
// It answers No if the rollout of the canary Deployment failed, or if its version is not
// the pinned one. It answers Wait if the canary Deployment does not exist or does not
// have Config.Images, because this may change. If the stable Deployment does not exist,
// the error wraps [canary.ErrRefused].
func (d *Deployments) Ready(ctx context.Context, q canary.Question) (canary.Answer, error) {
	t := q.Traffic
	if t.Canary == 0 && t.Mirror == 0 && t.Cohorts == "" {
		return canary.Answer{Reply: canary.Yes, Reason: "no traffic for the canary"}, nil
	}
	stable, err := d.get(ctx, d.config.Stable)
	if err != nil {
		return canary.Answer{}, err
	}
	source, missing, err := d.source(ctx)
	if err != nil || source == nil {
		return missing, err
	}
	if q.Promotes {
		r, err := readRecord(stable)
		if err != nil {
			return canary.Answer{}, d.about(d.config.Stable, err)
		}
		if why, err := edited(stable, r, q); err != nil || why != "" {
			return canary.Wait.Because("%s", why), err
		}
	}
	if why, err := changed(source, q.Pin); err != nil || why != "" {
		return canary.No.Because("canary %s: %s", source.Name, why), err
	}
	return serving("canary", source), nil
}

// Alive answers No if the canary Deployment has no ready replica, or does not exist, and
// the stable Deployment has one. It does not matter what the canary's pods run, and for
// how long they have been ready.
func (d *Deployments) Alive(ctx context.Context, _ canary.Question) (canary.Answer, error) {
	source, err := d.get(ctx, d.config.Canary)
	if err != nil && !apierrors.IsNotFound(err) {
		return canary.Answer{}, err
	}
	if err == nil && source.Status.ReadyReplicas > 0 {
		return canary.Answer{Reply: canary.Yes}, nil
	}
	stable, err := d.get(ctx, d.config.Stable)
	switch {
	case err != nil:
		return canary.Answer{}, err
	case stable.Status.ReadyReplicas == 0:
		return canary.Yes.Because("neither canary %s nor stable %s has a ready pod", d.config.Canary, d.config.Stable), nil
	}
	return canary.No.Because("canary %s: no pod is ready, and stable %s has %d", d.config.Canary, d.config.Stable, stable.Status.ReadyReplicas), nil
}

// Promote changes stable to the canary's version. It answers Yes when stable is
// completely rolled out with at least one replica. It answers No if that failed, if the
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
// versions. The canary need not exist. The errors are those of Promote.
func (d *Deployments) Restore(ctx context.Context, q canary.Question) (canary.Answer, error) {
	return d.act(ctx, q.Fence, func(stable *appsv1.Deployment, r record) (move, error) {
		return restoration(stable, r, q.Fence)
	})
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
		if !d.overtaken(ctx, stable, err) {
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

// about wraps err with the object, unless that was done already.
func (d *Deployments) about(name string, err error) error {
	if known := (*Error)(nil); errors.As(err, &known) {
		return err
	}
	return &Error{"Deployment", d.config.Namespace, name, err}
}
