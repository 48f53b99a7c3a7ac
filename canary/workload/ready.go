package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/serin-go/serin/canary"
)

// Ready answers Yes if q.Traffic neither sends nor mirrors requests to the canary, or if
// the canary Deployment is completely rolled out, by [Status], with the replicas that
// Config.Capacity asks for. With a Config.Scaling it raises the Floors first.
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
	if why, err := d.stableChanged(stable, nil, q); err != nil || why != "" {
		return canary.Wait.Because("%s", why), err
	}
	source, missing, err := d.source(ctx)
	if err != nil || source == nil {
		return missing, err
	}
	if why, err := changed(source, q.Pin); err != nil || why != "" {
		return canary.No.Because("canary %s: %s", source.Name, why), err
	}
	ref, err := reference(q.Pin)
	if err != nil {
		return canary.Answer{}, d.about(source.Name, err)
	}
	a, help := d.config.carries(source, q.Traffic, ref)
	if d.Scales() {
		if scaled, err := d.scale(ctx, q, ref, a); err != nil || scaled != a {
			return scaled, err
		}
	}
	if help != "" {
		a = a.Reply.Because("%s: %s", a.Reason, help)
	}
	return a, nil
}

// Inspect reads both Deployments. The canary is dead if it has no ready replica, or does not
// exist, and stable has one: it does not matter what its pods run, and for how long they
// have been ready. Stable is dead if it has no ready replica. The canary has changed if its pod
// template is not the pinned one, and stable if it is neither the pinned one nor what Promote
// made of it. The Shortfall is what the ready replicas of stable lack of those that it had when
// the rollout began, if each carries a quarter more than then. With a Config.Scaling it raises
// the Floors of what has too few while users are on the canary. If a Deployment cannot be read,
// the Inspection has what is known all the same. With Config.Pods it also has what the pods tell;
// that they cannot be listed is a Notice, and no error.
func (d *Deployments) Inspect(ctx context.Context, q canary.Question) (seen canary.Inspection, err error) {
	source, err := d.get(ctx, d.config.Canary)
	switch {
	case apierrors.IsNotFound(err):
		source = nil
	case err != nil:
		return seen, err
	default:
		why, err := changed(source, q.Pin)
		if err != nil {
			return seen, err
		}
		if why = cmp.Or(d.config.wrongImage(source), why); why != "" {
			seen.CanaryChanged = fmt.Sprintf("canary %s: %s", source.Name, why)
		}
	}
	stable, err := d.get(ctx, d.config.Stable)
	if err != nil {
		return seen, err
	}
	ready, ofCanary := stable.Status.ReadyReplicas, int32(0)
	if source != nil {
		ofCanary = source.Status.ReadyReplicas
	}
	switch {
	case ready == 0 && ofCanary == 0:
		seen.StableDead = fmt.Sprintf("neither stable %s nor canary %s has a ready pod", d.config.Stable, d.config.Canary)
	case ready == 0:
		seen.StableDead = fmt.Sprintf("stable %s: no pod is ready, and canary %s has %d: mend stable, or order promote to give the canary all traffic", d.config.Stable, d.config.Canary, ofCanary)
	case ofCanary == 0 && !d.config.idle(source):
		seen.Dead = fmt.Sprintf("canary %s: no pod is ready, and stable %s has %d", d.config.Canary, d.config.Stable, ready)
	}
	if err := d.compare(ctx, q, ready, ofCanary, &seen); err != nil {
		return seen, d.about(stable.Name, err)
	}
	if seen.StableChanged, err = d.stableChanged(stable, source, q); err == nil {
		d.inspectPods(ctx, stable, source, q, &seen)
	}
	return seen, err
}

// stableChanged says that somebody has changed stable; "" if not, or if that cannot be told.
func (d *Deployments) stableChanged(stable, source *appsv1.Deployment, q canary.Question) (string, error) {
	r, err := readRecord(stable)
	if err != nil {
		return "", d.about(stable.Name, err)
	}
	began := q.Pin.Version == "" || r.Rollout == q.Fence.Rollout
	switch {
	case q.Promotes && !began:
		return fmt.Sprintf("stable %s: somebody has removed or replaced annotation %s, without which nothing is promoted", stable.Name, Annotation), nil
	case q.Promotes && !r.promoted(q.Fence.Rollout):
		return edited(stable, r, q)
	case q.Promoted:
		return d.undone(stable, source, r, q)
	}
	return "", nil // a trial overwrites nothing
}

// undone says that stable does not have what the rollout promoted; "" if it does, or if that
// cannot be told.
func (d *Deployments) undone(stable, source *appsv1.Deployment, r record, q canary.Question) (string, error) {
	why := fmt.Sprintf("stable %s: somebody has changed its pod template since it was promoted", stable.Name)
	is, err := version(stable)
	if _, was := pinned(q.Pin); err != nil || is == was || !r.promoted(q.Fence.Rollout) { // as "kubectl rollout undo" does
		return why, err
	}
	if source == nil {
		return "", nil // there is nothing to compare it with
	}
	mark, err := version(source)
	if err != nil || mark != r.Canary {
		return "", err
	}
	to, err := d.config.promoted(stable, source)
	if err != nil || sameVersion(&stable.Spec.Template, to) {
		return "", err
	}
	return why, nil
}

var _ canary.Checker = (*Deployments)(nil)

// Check implements [canary.Checker]. A stable Deployment that does not exist refuses. A
// canary Deployment that does not exist, or does not have Config.Images, is a warning,
// because the rollout waits for it. So is what a promotion will not carry over. Of a step for
// which the canary cannot get the replicas it refuses what it knows: Config.Scaling and
// Config.Quotas.
func (d *Deployments) Check(ctx context.Context, plan canary.Plan) ([]canary.Finding, error) {
	var found []canary.Finding
	stable, err := d.get(ctx, d.config.Stable)
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
	floors, floorErr := d.checkFloors(ctx, plan)
	found = append(found, floors...)
	found = append(found, d.checkPods(ctx, stable)...)
	source, missing, err := d.source(ctx)
	if err == nil && source == nil {
		found = append(found, canary.Finding{Problem: missing.Reason + "; the rollout will wait"})
	}
	if err := errors.Join(err, floorErr); err != nil || source == nil || stable == nil {
		return found, err
	}
	more, err := d.reach(ctx, plan, stable, source)
	found = append(found, more...)
	if err != nil || plan.End().Kind != canary.PromoteStable {
		return found, err
	}
	warning, err := d.config.unpromoted(stable, source)
	return append(found, warning...), err
}

// unpromoted warns of what a promotion will not carry over, and refuses one that is not possible.
func (c Config) unpromoted(stable, source *appsv1.Deployment) ([]canary.Finding, error) {
	to, err := c.promoted(stable, source)
	if err != nil {
		return []canary.Finding{{Problem: fmt.Sprintf("stable %s cannot be promoted to what %s runs: %v", stable.Name, source.Name, err), Refuses: true}}, nil
	}
	left, err := leftOut(to, &source.Spec.Template)
	if err != nil || left == "" {
		return nil, err
	}
	return []canary.Finding{{Problem: fmt.Sprintf("a promotion of %s will not carry over from %s: %s; set Config.Template to copy the whole pod template", stable.Name, source.Name, left)}}, nil
}
