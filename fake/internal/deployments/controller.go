// Package deployments plays the Deployment controller: which pods there are, and
// what the status of a Deployment says, as time goes on.
package deployments

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apps "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/chance"
	"github.com/serin-go/serin/fake/internal/endpoint"
)

// Config says how a Controller and its pods behave.
type Config struct {
	// Seed decides how late pods and the controller are.
	Seed uint64
	// Reaction is how long the controller takes to see a change.
	Reaction time.Duration
	// Start returns how long a new pod of an image takes to become ready, and
	// whether it never does.
	Start func(image string) (after time.Duration, never bool)
	// Room is how many pods have a place on the nodes; 0 or less is no limit.
	Room int
}

// Controller plays the Deployment controller: it knows Deployments and their pods.
// New makes one. It writes to no server and is not safe for concurrent use.
type Controller struct {
	config Config
	all    map[types.NamespacedName]*deployment
	dice   chance.Dice
	due    time.Time
	quotas map[types.NamespacedName]int // how many pods their namespaces may have
	serial uint64                       // of the last pod
}

// New returns a Controller without Deployments.
func New(c Config) *Controller {
	return &Controller{
		config: c, all: map[types.NamespacedName]*deployment{}, dice: chance.New(c.Seed),
		quotas: map[types.NamespacedName]int{},
	}
}

// State is how a Deployment is at one moment.
type State struct {
	// ID is the namespace and name of the Deployment.
	ID types.NamespacedName
	// Ready are its pods that are ready, by their template.
	Ready []endpoint.Group
	// Status is what the controller writes.
	Status apps.DeploymentStatus
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
	// completed is the template whose rollout was completed last.
	completed string
	// refused says why a quota allows no more pods; "" if none was refused. If it is
	// tried again, retry is when.
	refused string
	retry   time.Time
}

// See takes note of what a Deployment asks for from now on. A change of the status
// alone asks for nothing. A document that cannot be understood changes nothing.
func (c *Controller) See(id types.NamespacedName, document json.RawMessage, at time.Time) error {
	var o apps.Deployment
	if err := json.Unmarshal(document, &o); err != nil {
		return fmt.Errorf("deployment %s is left as it was: %w", id, err)
	}
	d := c.all[id]
	if d == nil {
		d = &deployment{id: id, plan: plan{template: &template{}}, progressed: at}
		c.all[id] = d
	}
	if known := d.plan.generation; o.Generation == known || d.seen != nil && d.seen.generation == o.Generation {
		return nil
	}
	next := newPlan(&o, newTemplate(&o))
	if d.seen == nil {
		d.reaction = c.late(at, c.config.Reaction)
	}
	d.seen = &next
	c.schedule()
	return nil
}

// Forget drops a Deployment that was deleted, and its pods.
func (c *Controller) Forget(id types.NamespacedName, now time.Time) {
	delete(c.all, id)
	c.rearrange(now)
}

// Run has all pods of all Deployments run that were seen so far, as if they had
// long been there.
func (c *Controller) Run(now time.Time) []State {
	var states []State
	for _, id := range c.ids() {
		d := c.all[id]
		d.plan, d.seen = *d.seen, nil
		for range d.plan.replicas {
			_, never := c.config.Start(d.plan.template.image)
			d.pods = append(d.pods, pod{template: d.plan.template, ready: now.Add(-d.plan.minReady), neverDoes: never})
		}
		states = append(states, c.settle(d, now))
	}
	c.schedule()
	return states
}

// ids lists the Deployments in a fixed order.
func (c *Controller) ids() []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(c.all), compareNames)
}

func compareNames(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }

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

// late returns a moment after at: by the given time and up to a tenth more. Pods
// are not punctual, and what they do never falls on the same instant as a caller's
// clock.
func (c *Controller) late(at time.Time, by time.Duration) time.Time {
	return at.Add(by + 1 + time.Duration(c.dice.Int64N(int64(by)/10+1)))
}
