package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/serin-go/serin/canary"
)

// Pin answers Yes if the canary Deployment exists and has Config.Images, and Wait
// otherwise. The Version of the Pin is a fingerprint of the canary's pod template,
// without the annotation of "kubectl rollout restart". The Capacity is the number of
// available replicas of stable, or of those in its spec if none is available, and, with
// Config.Load, the load. With a Config.Scaling each Floor remembers what it is. With Config.Pods, the Restarts are those of the canary's containers so
// far; "" if the pods cannot be listed. If the stable Deployment does not exist, the error wraps
// [canary.ErrRefused].
//
// If the rollout is to promote stable, Pin records the rollout in the Annotation of stable,
// and Promote acts on that record only: a right to write VirtualServices is no right to
// change Deployments.
func (d *Deployments) Pin(ctx context.Context, q canary.Question) (canary.Pin, canary.Answer, error) {
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
	pin := canary.Pin{Version: is + " " + was, Capacity: d.began(ctx, stable, source, q.Traffic).String(), Restarts: d.pinRestarts(ctx, source)}
	if err := errors.Join(err, stableErr, d.claim(ctx, q)); err != nil || !q.Promotes {
		return pin, canary.Answer{Reply: canary.Yes}, err
	}
	a, err := d.act(ctx, q.Fence, func(stable *appsv1.Deployment, r record) (move, error) {
		return registration(stable, r, q.Fence, pin.Version), nil
	})
	return pin, a, err
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
