package fake

import (
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-go/serin/fake/internal/endpoint"
)

// schedule finds out when something happens next.
func (d *deployer) schedule() {
	d.due = time.Time{}
	for _, one := range d.all {
		if at, ok := one.next(); ok && (d.due.IsZero() || at.Before(d.due)) {
			d.due = at
		}
	}
}

// next returns the earliest of: the reaction to a change, a pod that becomes
// ready or available, the end of the rollout's patience.
func (d *deployment) next() (time.Time, bool) {
	var first time.Time
	consider := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if d.seen != nil {
		consider(d.reaction)
	}
	for _, p := range d.pods {
		if p.neverDoes {
			continue
		}
		if p.ready.After(d.settled) {
			consider(p.ready)
		} else if at := p.ready.Add(d.plan.minReady); at.After(d.settled) {
			consider(at)
		}
	}
	if d.impatient() {
		consider(d.progressed.Add(d.plan.deadline))
	}
	return first, !first.IsZero()
}

// impatient reports whether the deadline of the rollout is running.
func (d *deployment) impatient() bool {
	return !d.plan.paused && !d.plan.complete(d.crowd) && !d.expired(d.settled)
}

func (d *deployment) expired(now time.Time) bool {
	return !d.progressed.Add(d.plan.deadline).After(now)
}

// moveDeployments lets the controller look at every Deployment that is due.
func (m *Mesh) moveDeployments(now time.Time) {
	if m.deployer.due.IsZero() || m.deployer.due.After(now) {
		return
	}
	for _, id := range m.deployer.ids() {
		d := m.deployer.all[id]
		if at, ok := d.next(); !ok || at.After(now) {
			continue
		}
		if d.seen != nil && !d.reaction.After(now) {
			d.plan, d.seen, d.progressed = *d.seen, nil, now
		}
		m.settle(d, now)
	}
	m.deployer.schedule()
}

// settle starts and stops pods until nothing is left to do at this moment, and
// reports how the Deployment is.
func (m *Mesh) settle(d *deployment, now time.Time) {
	for {
		left, start := d.plan.step(d.pods, now)
		if start == 0 && len(left) == len(d.pods) {
			break
		}
		d.pods = left
		for range start {
			d.pods = append(d.pods, m.newPod(d.plan.template, now))
		}
	}
	crowd := d.plan.count(d.pods, now)
	if crowd != d.crowd || d.plan.paused {
		d.progressed = now
	}
	d.crowd, d.settled = crowd, now
	m.views.push(m.views.latest().world.withDeployed(d.id, d.instances(now)), now)
	m.report(d, now)
}

func (m *Mesh) newPod(t *template, now time.Time) pod {
	v := m.version(t.image)
	return pod{t, m.deployer.late(now, positive(v.Start, m.config.Start)), v.NeverReady}
}

// instances groups the ready pods by their template.
func (d *deployment) instances(now time.Time) []endpoint.Group {
	var groups []endpoint.Group
	var ids []string
	for _, p := range d.pods {
		if !p.isReady(now) {
			continue
		}
		i := slices.Index(ids, p.template.id)
		if i < 0 {
			i = len(ids)
			ids = append(ids, p.template.id)
			groups = append(groups, endpoint.Group{
				Namespace: d.id.Namespace, Workload: d.id.Name, Image: p.template.image, Labels: p.template.labels,
			})
		}
		groups[i].Ready++
	}
	return groups
}

// report writes the status, if the Deployment is still there.
func (m *Mesh) report(d *deployment, now time.Time) {
	c := d.crowd
	d.status = apps.DeploymentStatus{
		ObservedGeneration:  d.plan.generation,
		Replicas:            int32(c.total),
		UpdatedReplicas:     int32(c.updated),
		ReadyReplicas:       int32(c.ready),
		AvailableReplicas:   int32(c.available),
		UnavailableReplicas: int32(max(0, max(d.plan.replicas, c.total)-c.available)),
		Conditions:          []apps.DeploymentCondition{d.available(), d.progressing(now)},
	}
	for i := range d.status.Conditions {
		d.status.Conditions[i].LastUpdateTime = meta.NewTime(d.progressed)
		d.status.Conditions[i].LastTransitionTime = meta.NewTime(d.progressed)
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&d.status)
	if err == nil {
		err = m.server.Update(resources[deployments], d.id.Namespace, d.id.Name, func(o map[string]any) { o["status"] = status })
	}
	if err != nil && !apierrors.IsNotFound(err) { // a Deployment that has just been deleted has no status
		m.problems = append(m.problems, err)
	}
}

func (d *deployment) available() apps.DeploymentCondition {
	if d.crowd.available >= d.plan.replicas-d.plan.unavailable {
		return apps.DeploymentCondition{Type: apps.DeploymentAvailable, Status: core.ConditionTrue,
			Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability."}
	}
	return apps.DeploymentCondition{Type: apps.DeploymentAvailable, Status: core.ConditionFalse,
		Reason: "MinimumReplicasUnavailable", Message: "Deployment does not have minimum availability."}
}

func (d *deployment) progressing(now time.Time) apps.DeploymentCondition {
	c := apps.DeploymentCondition{Type: apps.DeploymentProgressing, Status: core.ConditionTrue}
	switch {
	case d.plan.complete(d.crowd):
		c.Reason, c.Message = "NewReplicaSetAvailable", "The new pods are available."
	case d.plan.paused:
		c.Status, c.Reason, c.Message = core.ConditionUnknown, "DeploymentPaused", "Deployment is paused"
	case d.expired(now):
		c.Status, c.Reason = core.ConditionFalse, "ProgressDeadlineExceeded"
		c.Message = "No pod became ready within progressDeadlineSeconds."
	default:
		c.Reason, c.Message = "ReplicaSetUpdated", "Pods are being replaced."
	}
	return c
}

// arm sets the timer to the next thing that happens to a Deployment.
func (m *Mesh) arm(now time.Time) {
	d := &m.deployer
	if d.due.IsZero() || d.due.Equal(d.armed) && d.due.After(now) {
		return
	}
	d.armed = d.due
	if d.timer == nil {
		d.timer = time.AfterFunc(d.due.Sub(now), m.wake)
		return
	}
	d.timer.Reset(d.due.Sub(now))
}
