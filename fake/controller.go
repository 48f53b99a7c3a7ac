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

// alarm wakes the mesh at the next moment at which a Deployment moves.
type alarm struct {
	timer *time.Timer
	at    time.Time
}

// beginDeployments takes up what is there already: its pods run.
func (m *Mesh) beginDeployments(now time.Time) {
	m.controller = deployments.New(deployments.Config{
		Seed: m.config.Seed + 1, Reaction: m.config.Reaction, Start: m.startOf,
	})
	for _, raw := range m.server.List(deploymentsResource, "") {
		m.seeDeployment(changeOf(deploymentsResource, raw), now)
	}
	m.apply(m.controller.Run(now), now)
	m.arm(now)
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
		m.controller.Forget(id)
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
		if err := m.report(s); err != nil {
			m.problems = append(m.problems, err)
		}
	}
}

// report writes the status, if the Deployment is still there.
func (m *Mesh) report(s deployments.State) error {
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&s.Status)
	if err == nil {
		err = m.server.Update(deploymentsResource, s.ID.Namespace, s.ID.Name, func(o map[string]any) { o["status"] = status })
	}
	if apierrors.IsNotFound(err) { // a Deployment that has just been deleted has no status
		return nil
	}
	return err
}

// arm sets the timer to the next thing that happens to a Deployment.
func (m *Mesh) arm(now time.Time) {
	due := m.controller.Due()
	if due.IsZero() || due.Equal(m.alarm.at) && due.After(now) {
		return
	}
	m.alarm.at = due
	if m.alarm.timer == nil {
		m.alarm.timer = time.AfterFunc(due.Sub(now), m.wake)
		return
	}
	m.alarm.timer.Reset(due.Sub(now))
}
