package fake

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/fake/internal/deployments"
)

const deploymentsResource = "deployments.apps"

// alarm wakes the mesh at the next moment at which a Deployment or an autoscaler moves.
type alarm struct {
	timer *time.Timer
	at    time.Time
}

// beginDeployments takes up what is there already: its pods run.
func (m *Mesh) beginDeployments(now time.Time) {
	m.controller = deployments.New(deployments.Config{
		Seed: m.config.Seed + 1, Reaction: m.config.Reaction, Start: m.startOf, Room: m.config.Room,
	})
	for _, raw := range m.server.List(quotasResource, "") {
		m.seeQuota(changeOf(quotasResource, raw), now)
	}
	for _, raw := range m.server.List(deploymentsResource, "") {
		m.seeDeployment(changeOf(deploymentsResource, raw), now)
	}
	m.apply(m.controller.Run(now), now)
	m.reportQuotas()
}

// startOf returns how long a new pod of an image takes to become ready, and whether
// it never does.
func (m *Mesh) startOf(image string) (after time.Duration, never bool) {
	b := m.behaviours[image]
	return positive(b.Start, m.config.Start), b.NeverReady
}

// seeDeployment notes what a Deployment asks for now.
func (m *Mesh) seeDeployment(c apiserver.Change, at time.Time) {
	id := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
	if c.Type == watch.Deleted {
		m.controller.Forget(id, at)
		m.net.Views.Push(m.net.Views.World().WithDeployed(id, nil), at)
		return
	}
	if err := m.controller.See(id, c.Object, at); err != nil {
		m.problems = append(m.problems, fmt.Errorf("fake: %w", err))
	}
}

// apply lets proxies learn of pods, and writes the status of their Deployments.
func (m *Mesh) apply(states []deployments.State, now time.Time) {
	for _, s := range states {
		m.net.Views.Push(m.net.Views.World().WithDeployed(s.ID, s.Ready), now)
		m.writeStatus(deploymentsResource, s.ID, &s.Status)
	}
}

// writeStatus writes the status of an object, if that is still there.
func (m *Mesh) writeStatus(resource string, id types.NamespacedName, typed any) {
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		m.problems = append(m.problems, fmt.Errorf("fake: the status of %s %s: %w", resource, id, err))
		return
	}
	m.write(resource, id, func(o map[string]any) { o["status"] = status })
}

// write changes an object, if it is still there.
func (m *Mesh) write(resource string, id types.NamespacedName, change func(map[string]any)) {
	err := m.server.Update(resource, id.Namespace, id.Name, change)
	if err != nil && !apierrors.IsNotFound(err) { // what has just been deleted needs no writing
		m.problems = append(m.problems, err)
	}
}

// controllersDue returns when a controller does something next; zero if none will.
func (m *Mesh) controllersDue() time.Time {
	at, other := m.controller.Due(), m.autoscalers.Due()
	if at.IsZero() || !other.IsZero() && other.Before(at) {
		return other
	}
	return at
}

// arm sets the timer to the next thing that a controller does. What is due already
// needs no timer: two that are due at once in one bubble of testing/synctest run at the
// same time, which the race detector does not survive (golang.org/issue/78156).
func (m *Mesh) arm(now time.Time) {
	due := m.controllersDue()
	if due.IsZero() || due.Equal(m.alarm.at) && due.After(now) {
		return
	}
	m.alarm.at = due
	switch wait := due.Sub(now); {
	case wait <= 0:
		go m.wake()
	case m.alarm.timer == nil:
		m.alarm.timer = time.AfterFunc(wait, m.wake)
	default:
		m.alarm.timer.Reset(wait)
	}
}
