package deployments

import (
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// pod is an instance of a simulated Deployment.
type pod struct {
	template  *template
	ready     time.Time // when it becomes ready
	neverDoes bool
	pending   bool   // it has no place on a node
	serial    uint64 // in the order of creation
}

// template is one version of a Deployment's pod template.
type template struct {
	id     string // equal for equal templates
	labels map[string]string
	image  string
}

func (p pod) isReady(now time.Time) bool { return !p.neverDoes && !p.pending && !p.ready.After(now) }

func (p pod) isAvailable(now time.Time, after time.Duration) bool {
	return p.isReady(now.Add(-after))
}

// plan is what a Deployment asks for, with everything resolved.
type plan struct {
	generation         int64
	template           *template
	replicas           int
	surge, unavailable int
	recreate, paused   bool
	minReady           time.Duration
	deadline           time.Duration
}

func newPlan(d *apps.Deployment, t *template) plan {
	p := plan{
		generation: d.Generation,
		template:   t,
		replicas:   1,
		recreate:   d.Spec.Strategy.Type == apps.RecreateDeploymentStrategyType,
		paused:     d.Spec.Paused,
		minReady:   time.Duration(d.Spec.MinReadySeconds) * time.Second,
		deadline:   600 * time.Second,
	}
	if d.Spec.Replicas != nil {
		p.replicas = int(*d.Spec.Replicas)
	}
	if s := d.Spec.ProgressDeadlineSeconds; s != nil {
		p.deadline = time.Duration(*s) * time.Second
	}
	quarter := intstr.FromString("25%")
	surge, unavailable := &quarter, &quarter
	if r := d.Spec.Strategy.RollingUpdate; r != nil {
		if r.MaxSurge != nil {
			surge = r.MaxSurge
		}
		if r.MaxUnavailable != nil {
			unavailable = r.MaxUnavailable
		}
	}
	p.surge = scaled(surge, p.replicas, true)
	p.unavailable = scaled(unavailable, p.replicas, false)
	if p.surge == 0 && p.unavailable == 0 {
		p.unavailable = 1
	}
	return p
}

// scaled resolves a number or percentage; what cannot be read is 0.
func scaled(v *intstr.IntOrString, of int, up bool) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(v, of, up)
	if err != nil {
		return 0
	}
	return max(0, n)
}

// crowd is the pods of a Deployment, counted.
type crowd struct {
	total, updated, ready, available, updatedAvailable int
}

func (p plan) count(pods []pod, now time.Time) crowd {
	c := crowd{total: len(pods)}
	for _, one := range pods {
		updated, available := one.template.id == p.template.id, one.isAvailable(now, p.minReady)
		c.updated += one01(updated)
		c.ready += one01(one.isReady(now))
		c.available += one01(available)
		c.updatedAvailable += one01(updated && available)
	}
	return c
}

func one01(b bool) int {
	if b {
		return 1
	}
	return 0
}

// complete reports whether nothing is left to do.
func (p plan) complete(c crowd) bool {
	return c.updated == p.replicas && c.total == p.replicas && c.available == p.replicas
}

// step returns the pods after one round of the Deployment controller: how many
// new ones to start, and who is left. It follows the controller's rules for
// rolling updates: no more pods than replicas + surge, no fewer available ones
// than replicas - unavailable.
func (p plan) step(pods []pod, now time.Time) (left []pod, start int) {
	c := p.count(pods, now)
	if p.paused {
		return pods, 0
	}
	left = slices.Clone(pods)
	if c.updated > p.replicas {
		left = p.remove(left, c.updated-p.replicas, now, p.isNew)
		c = p.count(left, now)
	}
	if p.recreate {
		left = slices.DeleteFunc(left, p.isOld)
		return left, max(0, p.replicas-len(left))
	}
	start = max(0, min(p.replicas+p.surge-c.total, p.replicas-c.updated))
	c.total, c.updated = c.total+start, c.updated+start
	room := c.total - (p.replicas - p.unavailable) - (c.updated - c.updatedAvailable)
	sick := min(room, c.total-c.updated-(c.available-c.updatedAvailable))
	left = p.remove(left, sick, now, p.isOld)
	spare := min(c.available-(p.replicas-p.unavailable), room-max(0, sick))
	return p.remove(left, spare, now, p.isOld), start
}

func (p plan) isOld(one pod) bool { return one.template.id != p.template.id }
func (p plan) isNew(one pod) bool { return !p.isOld(one) }

// remove takes n of the chosen pods away, those first that have no place and then those
// that are not available.
func (p plan) remove(pods []pod, n int, now time.Time, chosen func(pod) bool) []pod {
	for rank := range 3 {
		pods = slices.DeleteFunc(pods, func(one pod) bool {
			if n <= 0 || !chosen(one) || one01(!one.pending)+one01(one.isAvailable(now, p.minReady)) != rank {
				return false
			}
			n--
			return true
		})
	}
	return pods
}
