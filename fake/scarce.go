package fake

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/fake/apiserver"
)

const quotasResource = "resourcequotas"

// Room says how many pods of Deployments fit on the nodes in all, from now on; 0 or less
// is no limit. Pods that run stay, even if they are more. Further pods stay pending, and
// the oldest of them start as soon as there is room.
func (m *Mesh) Room(pods int) {
	m.now(func() {
		m.controller.Room(pods, m.clock)
		m.arm(m.clock)
	})
}

// Evict makes pods of a Deployment vanish at once, the oldest first. Others of the same
// versions are made anew, if a quota and the nodes have room for them. A Deployment that
// does not exist has no pods.
func (m *Mesh) Evict(namespace, deployment string, pods int) {
	m.now(func() {
		m.apply(m.controller.Evict(types.NamespacedName{Namespace: namespace, Name: deployment}, pods, m.clock), m.clock)
		m.reportQuotas()
		m.arm(m.clock)
	})
}

// seeQuota notes how many pods a ResourceQuota allows now.
func (m *Mesh) seeQuota(c apiserver.Change, at time.Time) {
	id := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
	var o core.ResourceQuota
	if c.Type != watch.Deleted {
		if err := json.Unmarshal(c.Object, &o); err != nil {
			m.problems = append(m.problems, fmt.Errorf("fake: resourcequota %s is left as it was: %w", id, err))
			return
		}
	}
	if hard, ok := o.Spec.Hard[core.ResourcePods]; ok {
		m.controller.Quota(id, int(hard.Value()), at)
		return
	}
	m.controller.Unlimit(id, at)
}

// reportQuotas writes how many pods there may be, and are, into the status of quotas.
func (m *Mesh) reportQuotas() {
	all := m.controller.Usages()
	if slices.Equal(all, m.usages) {
		return
	}
	m.usages = all
	for _, u := range all {
		m.write(quotasResource, u.ID, func(o map[string]any) {
			for field, pods := range map[string]int{"hard": u.Hard, "used": u.Used} {
				setPods(o, field, pods)
			}
		})
	}
}

// setPods sets the number of pods in a field of the status of a quota.
func setPods(quota map[string]any, name string, pods int) {
	status, ok := quota["status"].(map[string]any)
	if !ok {
		status = map[string]any{}
		quota["status"] = status
	}
	list, ok := status[name].(map[string]any)
	if !ok {
		list = map[string]any{}
		status[name] = list
	}
	list[string(core.ResourcePods)] = fmt.Sprint(pods)
}
