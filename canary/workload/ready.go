package workload

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/serin-go/serin/canary"
)

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
	if why, err := d.edited(ctx, q); err != nil || why != "" {
		return canary.Wait.Because("%s", why), err
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
