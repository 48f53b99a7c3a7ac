package fake

import (
	"encoding/json"
	"fmt"
	"time"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/fake/internal/autoscalers"
)

const autoscalersResource = "horizontalpodautoscalers.autoscaling"

// beginAutoscalers takes up the autoscalers that are there already.
func (m *Mesh) beginAutoscalers(now time.Time) {
	m.autoscalers = autoscalers.New(m.config.Seed + 2)
	for _, raw := range m.server.List(autoscalersResource, "") {
		m.seeAutoscaler(changeOf(autoscalersResource, raw), now)
	}
}

// seeAutoscaler notes what an autoscaler asks for now.
func (m *Mesh) seeAutoscaler(c apiserver.Change, at time.Time) {
	id := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
	if c.Type == watch.Deleted {
		m.autoscalers.Forget(id)
		return
	}
	if err := m.autoscalers.See(id, c.Object, at); err != nil {
		m.problems = append(m.problems, fmt.Errorf("fake: %w", err))
	}
}

// scale lets the autoscalers look that are due, and writes what they decide.
func (m *Mesh) scale(at time.Time) {
	look := func(id types.NamespacedName) (autoscalers.Target, bool) { return m.scalable(id, at) }
	for _, o := range m.autoscalers.Move(at, look) {
		if o.Scale {
			m.write(deploymentsResource, o.Target, func(d map[string]any) {
				if spec, ok := d["spec"].(map[string]any); ok {
					spec["replicas"] = int64(o.Replicas)
				}
			})
		}
		m.writeStatus(autoscalersResource, o.ID, &o.Status)
	}
}

// scalable returns a Deployment as its autoscaler sees it; false if there is none.
func (m *Mesh) scalable(id types.NamespacedName, at time.Time) (autoscalers.Target, bool) {
	raw, ok := m.server.Get(deploymentsResource, id.Namespace, id.Name)
	var d apps.Deployment
	if !ok || json.Unmarshal(raw, &d) != nil || d.Spec.Replicas == nil {
		return autoscalers.Target{}, false
	}
	t := autoscalers.Target{Replicas: int(*d.Spec.Replicas), Arrived: m.net.Recorder.Arrived(id.Namespace, id.Name)}
	pods, ready := m.controller.Pods(id, at)
	t.Pods = pods
	known := true
	for _, g := range ready {
		capacity := m.behaviours[g.Image].Capacity
		known = known && capacity > 0
		t.Ready += g.Ready
		t.Capacity += capacity * float64(g.Ready)
	}
	if !known {
		t.Capacity = 0
	}
	return t, true
}
