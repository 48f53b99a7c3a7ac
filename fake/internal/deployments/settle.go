package deployments

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/endpoint"
)

// Due returns when something happens to a Deployment next; zero if nothing will.
func (c *Controller) Due() time.Time { return c.due }

// schedule finds out when something happens next.
func (c *Controller) schedule() {
	c.due = time.Time{}
	for _, one := range c.all {
		if at, ok := one.next(); ok && (c.due.IsZero() || at.Before(c.due)) {
			c.due = at
		}
	}
}

// next returns the earliest of: the reaction to a change, another try after a quota
// allowed no more pods, a pod that becomes ready or available, the end of the rollout's
// patience.
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
	if !d.retry.IsZero() {
		consider(d.retry)
	}
	for _, p := range d.pods {
		if p.neverDoes || p.pending {
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
	return !d.plan.paused && !d.plan.complete(d.crowd) && !d.rolledOut() && !d.expired(d.settled)
}

// rolledOut reports whether the rollout was complete once and pods are only missing. The
// deadline does not run then.
func (d *deployment) rolledOut() bool {
	return d.completed == d.plan.template.id && d.crowd.total == d.crowd.updated
}

func (d *deployment) expired(now time.Time) bool {
	return !d.progressed.Add(d.plan.deadline).After(now)
}

// Move lets the controller look at every Deployment that is due, and returns how
// these are then.
func (c *Controller) Move(now time.Time) []State {
	if c.due.IsZero() || c.due.After(now) {
		return nil
	}
	var states []State
	for _, id := range c.ids() {
		d := c.all[id]
		if at, ok := d.next(); !ok || at.After(now) {
			continue
		}
		if d.seen != nil && !d.reaction.After(now) {
			d.plan, d.seen, d.progressed = *d.seen, nil, now
		}
		states = append(states, c.settle(d, now))
	}
	c.rearrange(now)
	return states
}

// settle starts and stops pods until nothing is left to do at this moment.
func (c *Controller) settle(d *deployment, now time.Time) State {
	d.refused, d.retry = "", time.Time{}
	for moved := true; moved; {
		left, start := d.plan.step(d.pods, now)
		stopped := len(d.pods) - len(left)
		d.pods = left
		start = c.grant(d, start)
		for range start {
			d.pods = append(d.pods, c.newPod(d.plan.template))
		}
		moved = start+stopped > 0
	}
	c.place(now)
	crowd := d.plan.count(d.pods, now)
	if d.plan.complete(crowd) {
		d.completed = d.plan.template.id
	}
	if crowd != d.crowd || d.plan.paused {
		d.progressed = now
	}
	d.crowd, d.settled = crowd, now
	return State{d.id, d.ready(now), d.status(now)}
}

// Pods returns how many pods a Deployment has, and those that are ready by their template.
func (c *Controller) Pods(id types.NamespacedName, now time.Time) (all int, ready []endpoint.Group) {
	d := c.all[id]
	if d == nil {
		return 0, nil
	}
	return len(d.pods), d.ready(now)
}

// newPod returns a pod that has no place yet.
func (c *Controller) newPod(t *template) pod {
	c.serial++
	return pod{template: t, pending: true, serial: c.serial}
}

// ready groups the ready pods by their template.
func (d *deployment) ready(now time.Time) []endpoint.Group {
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
