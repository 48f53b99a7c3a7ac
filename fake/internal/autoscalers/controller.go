// Package autoscalers plays the HorizontalPodAutoscaler controller: how many pods the
// autoscalers of Deployments ask for, as time and load go on.
//
// It follows pkg/controller/podautoscaler of Kubernetes 1.36, without its pods: an
// autoscaler sees the average over the ready pods of a Deployment only.
package autoscalers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	autoscaling "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/chance"
)

const (
	// Sync is how often an autoscaler looks at its Deployment.
	Sync = 15 * time.Second
	// window is over how long requests are counted.
	window = time.Minute
)

// Target is a Deployment as its autoscaler sees it.
type Target struct {
	// Replicas is how many pods the Deployment asks for.
	Replicas int
	// Pods is how many there are, and Ready how many of these are ready.
	Pods, Ready int
	// Arrived is how many requests its pods have received since the beginning.
	Arrived uint64
	// Capacity is the requests per second at which all ready pods use 100 % of their
	// CPU; 0 if that is not known.
	Capacity float64
}

// Order is what an autoscaler does in one sync.
type Order struct {
	// ID is the namespace and name of the autoscaler, and Target those of its Deployment.
	ID, Target types.NamespacedName
	// Scale says that the Deployment is to ask for Replicas from now on.
	Scale    bool
	Replicas int
	// Status is what the autoscaler writes.
	Status autoscaling.HorizontalPodAutoscalerStatus
}

// Controller plays the controller: it knows autoscalers and what they saw. New makes one.
// It writes to no server and is not safe for concurrent use.
type Controller struct {
	all  map[types.NamespacedName]*autoscaler
	dice chance.Dice
	due  time.Time
}

// New returns a Controller without autoscalers. The seed decides when they look.
func New(seed uint64) *Controller {
	return &Controller{all: map[types.NamespacedName]*autoscaler{}, dice: chance.New(seed)}
}

// autoscaler is an autoscaler and what it remembers.
type autoscaler struct {
	id     types.NamespacedName
	spec   autoscaling.HorizontalPodAutoscalerSpec
	status autoscaling.HorizontalPodAutoscalerStatus // that was written last
	next   time.Time                                 // when it looks
	memory
}

// memory is what an autoscaler knows of its target. It is lost with the target.
type memory struct {
	arrivals        []arrivals // oldest first
	recommendations []moment
	changes         []moment // of the number of replicas
}

// moment is a number of replicas at a moment.
type moment struct {
	at       time.Time
	replicas int
}

// arrivals is how many requests had arrived up to a moment.
type arrivals struct {
	at time.Time
	n  uint64
}

// See takes note of an autoscaler. It counts requests at once, and scales for the first
// time after Sync and up to a tenth more. A document that cannot be understood changes
// nothing.
func (c *Controller) See(id types.NamespacedName, document json.RawMessage, at time.Time) error {
	var o autoscaling.HorizontalPodAutoscaler
	if err := json.Unmarshal(document, &o); err != nil {
		return fmt.Errorf("autoscaler %s is left as it was: %w", id, err)
	}
	a := c.all[id]
	if a == nil {
		a = &autoscaler{id: id, status: o.Status, next: at}
		c.all[id] = a
	}
	if a.spec.ScaleTargetRef != o.Spec.ScaleTargetRef {
		a.memory = memory{}
	}
	a.spec = o.Spec
	c.schedule()
	return nil
}

// Forget drops an autoscaler that was deleted. Its Deployment keeps its pods.
func (c *Controller) Forget(id types.NamespacedName) {
	delete(c.all, id)
	c.schedule()
}

// Due returns when an autoscaler looks next; zero if there is none.
func (c *Controller) Due() time.Time { return c.due }

func (c *Controller) schedule() {
	c.due = time.Time{}
	for _, a := range c.all {
		if c.due.IsZero() || a.next.Before(c.due) {
			c.due = a.next
		}
	}
}

// Move lets every autoscaler look that is due, and returns what they do. The function
// look returns a Deployment; false if there is none.
func (c *Controller) Move(now time.Time, look func(types.NamespacedName) (Target, bool)) []Order {
	if c.due.IsZero() || c.due.After(now) {
		return nil
	}
	var orders []Order
	for _, id := range slices.SortedFunc(maps.Keys(c.all), compareNames) {
		a := c.all[id]
		if a.next.After(now) {
			continue
		}
		t, there := look(a.target())
		fresh := a.arrivals == nil
		a.count(now, t, there)
		if fresh && there {
			a.next = now.Add(Sync + 1 + time.Duration(c.dice.Int64N(int64(Sync/10))))
			continue
		}
		a.next = now.Add(Sync)
		orders = append(orders, a.sync(now, t, c.obstacle(a, there)))
	}
	c.schedule()
	return orders
}

// target names the Deployment that is scaled; no name if it is of another kind.
func (a *autoscaler) target() types.NamespacedName {
	ref := a.spec.ScaleTargetRef
	if ref.Kind != "Deployment" || !strings.HasPrefix(ref.APIVersion, "apps/") {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: a.id.Namespace, Name: ref.Name}
}

// obstacle says what keeps an autoscaler from measuring its target; nil if nothing does.
func (c *Controller) obstacle(a *autoscaler, there bool) *obstacle {
	if !there {
		return &obstacle{autoscaling.AbleToScale, "FailedGetScale", fmt.Sprintf(
			"the HPA controller was unable to get the target's current scale: %s %q not found", a.spec.ScaleTargetRef.Kind, a.spec.ScaleTargetRef.Name)}
	}
	for _, other := range c.all {
		if other != a && other.target() == a.target() {
			return &obstacle{autoscaling.ScalingActive, "AmbiguousSelector", "the pods are controlled by multiple HPAs"}
		}
	}
	return nil
}

// count notes how many requests have arrived, and drops what is older than the window.
func (a *autoscaler) count(now time.Time, t Target, there bool) {
	if !there {
		a.memory = memory{}
		return
	}
	a.arrivals = append(a.arrivals, arrivals{now, t.Arrived})
	for len(a.arrivals) > 1 && !a.arrivals[1].at.After(now.Add(-window)) {
		a.arrivals = a.arrivals[1:]
	}
}

func compareNames(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }
