package deployments

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Usage is a quota and how much of it is used.
type Usage struct {
	// ID is the namespace and name of the quota.
	ID types.NamespacedName
	// Hard is how many pods there may be, and Used how many there are.
	Hard, Used int
}

// Room limits how many pods have a place on the nodes, from now on; 0 or less is no
// limit. Pods that have a place keep it.
func (c *Controller) Room(pods int, now time.Time) {
	c.config.Room = pods
	c.rearrange(now)
}

// Quota limits the pods of the namespace of id, from now on.
func (c *Controller) Quota(id types.NamespacedName, pods int, now time.Time) {
	c.quotas[id] = pods
	c.rearrange(now)
}

// Unlimit drops a quota.
func (c *Controller) Unlimit(id types.NamespacedName, now time.Time) {
	delete(c.quotas, id)
	c.rearrange(now)
}

// Usages returns the quotas by their names.
func (c *Controller) Usages() []Usage {
	var all []Usage
	for _, id := range slices.SortedFunc(maps.Keys(c.quotas), compareNames) {
		all = append(all, Usage{id, c.quotas[id], c.used(id.Namespace)})
	}
	return all
}

// Evict takes the oldest pods of a Deployment away. New ones of the same templates take
// their places, as far as quotas let them.
func (c *Controller) Evict(id types.NamespacedName, pods int, now time.Time) []State {
	d := c.all[id]
	if d == nil || pods <= 0 {
		return nil
	}
	gone := slices.Clone(d.pods[:min(pods, len(d.pods))])
	d.pods = slices.Clone(d.pods[len(gone):])
	for _, p := range gone {
		for range c.grant(d, 1) {
			d.pods = append(d.pods, c.newPod(p.template))
		}
	}
	states := []State{c.settle(d, now)}
	c.rearrange(now)
	return states
}

// used returns how many pods a namespace has.
func (c *Controller) used(namespace string) int {
	n := 0
	for id, d := range c.all {
		if id.Namespace == namespace {
			n += len(d.pods)
		}
	}
	return n
}

// grant returns how many of some new pods the quotas allow, and notes the quota that
// allows fewer.
func (c *Controller) grant(d *deployment, pods int) int {
	for _, u := range c.Usages() {
		if u.ID.Namespace != d.id.Namespace || pods <= u.Hard-u.Used {
			continue
		}
		pods = max(0, u.Hard-u.Used)
		d.refused = fmt.Sprintf("pods %q is forbidden: exceeded quota: %s, requested: pods=1, used: pods=%d, limited: pods=%d",
			fmt.Sprintf("%s-%s-%05d", d.id.Name, hashOf(d.plan.template), c.serial+uint64(pods)+1), u.ID.Name, u.Used+pods, u.Hard)
	}
	return pods
}

func hashOf(t *template) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.id)) // never fails
	return fmt.Sprintf("%08x", h.Sum32())
}

// place gives nodes to the pods that have waited longest, as far as there is room.
func (c *Controller) place(now time.Time) {
	running := 0
	var waiting []*pod
	for _, d := range c.all {
		for i := range d.pods {
			if p := &d.pods[i]; p.pending {
				waiting = append(waiting, p)
			} else {
				running++
			}
		}
	}
	slices.SortFunc(waiting, func(a, b *pod) int { return cmp.Compare(a.serial, b.serial) })
	for _, p := range waiting {
		if c.config.Room > 0 && running >= c.config.Room {
			return
		}
		running++
		after, never := c.config.Start(p.template.image)
		p.pending, p.ready, p.neverDoes = false, c.late(now, after), never
	}
}

// rearrange uses what has become free: pods that wait get a place, and Deployments that
// a quota held back try again after the time of reaction.
func (c *Controller) rearrange(now time.Time) {
	c.place(now)
	for _, id := range c.ids() {
		if d := c.all[id]; d.refused != "" && d.retry.IsZero() && c.allows(id.Namespace) {
			d.retry = c.late(now, c.config.Reaction)
		}
	}
	c.schedule()
}

// allows reports whether no quota of a namespace is used up.
func (c *Controller) allows(namespace string) bool {
	return !slices.ContainsFunc(c.Usages(), func(u Usage) bool { return u.ID.Namespace == namespace && u.Used >= u.Hard })
}
