package fake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/fake/internal/chance"
)

const deployments = "deployments"

// deployer plays the Deployment controller.
type deployer struct {
	all  map[types.NamespacedName]*deployment
	dice chance.Dice
	// due is when something happens to a Deployment next; zero if nothing will.
	due time.Time
	// timer wakes the mesh when the next thing is due.
	timer *time.Timer
	armed time.Time
}

// deployment is a Deployment and its pods.
type deployment struct {
	id   types.NamespacedName
	plan plan
	// seen is what the controller will take up at the time of reaction.
	seen     *plan
	reaction time.Time
	pods     []pod
	// settled is when the controller last looked.
	settled time.Time
	// progressed is when the rollout last came forward. Its deadline counts from
	// there until the rollout is complete.
	progressed time.Time
	crowd      crowd
	status     apps.DeploymentStatus
}

// beginDeployments takes up what is there already: its pods run.
func (m *Mesh) beginDeployments(now time.Time) {
	m.deployer = deployer{all: map[types.NamespacedName]*deployment{}, dice: chance.New(m.config.Seed + 1)}
	for _, raw := range m.server.List(resources[deployments], "") {
		m.seeDeployment(changeOf(deployments, raw), now)
	}
	for _, id := range m.deployer.ids() {
		d := m.deployer.all[id]
		d.plan, d.seen = *d.seen, nil
		for range d.plan.replicas {
			d.pods = append(d.pods, pod{d.plan.template, now.Add(-d.plan.minReady), m.version(d.plan.template.image).NeverReady})
		}
		m.settle(d, now)
	}
	m.deployer.schedule()
	m.arm(now)
}

func (d *deployer) ids() []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(d.all), compareNames)
}

// seeDeployment notes what a Deployment asks for now. A change of the status
// alone asks for nothing.
func (m *Mesh) seeDeployment(c apiserver.Change, at time.Time) {
	id := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
	if c.Type == watch.Deleted {
		delete(m.deployer.all, id)
		m.views.push(m.views.latest().world.withDeployed(id, nil), at)
		m.deployer.schedule()
		return
	}
	var o apps.Deployment
	if err := json.Unmarshal(c.Object, &o); err != nil {
		m.problems = append(m.problems, fmt.Errorf("fake: deployment %s is left as it was: %w", id, err))
		return
	}
	d := m.deployer.all[id]
	if d == nil {
		d = &deployment{id: id, plan: plan{template: &template{}}, progressed: at}
		m.deployer.all[id] = d
	}
	if known := d.plan.generation; o.Generation == known || d.seen != nil && d.seen.generation == o.Generation {
		return
	}
	next := newPlan(&o, newTemplate(&o))
	if d.seen == nil {
		d.reaction = m.deployer.late(at, m.config.Reaction)
	}
	d.seen = &next
	m.deployer.schedule()
}

func newTemplate(o *apps.Deployment) *template {
	t := &template{labels: o.Spec.Template.Labels}
	if c := o.Spec.Template.Spec.Containers; len(c) > 0 {
		t.image = c[0].Image
	}
	id, err := json.Marshal(o.Spec.Template)
	if err != nil { // it has just been decoded
		id = []byte(t.image)
	}
	t.id = string(id)
	return t
}

// late returns a moment after at, by d and up to a tenth more: pods are not
// punctual, and what they do never falls on the same instant as a caller's
// clock.
func (d *deployer) late(at time.Time, by time.Duration) time.Time {
	return at.Add(by + 1 + time.Duration(d.dice.Int64N(int64(by)/10+1)))
}
