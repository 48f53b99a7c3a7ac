package fake_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	networking "istio.io/client-go/pkg/apis/networking/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake/apiserver"
)

// badScaled watches the fields that a rollout scales: the replicas of Deployments, or the
// minReplicas of their autoscalers.
type badScaled struct {
	autoscaled bool

	mu     sync.Mutex
	theirs bool             // it is not the driver who writes now
	said   map[string][]int // what others have had in the fields, by Deployment
	is     map[string]int
	noted  map[string]bool // what is remembered in the object for its owner
	users  map[string]bool // VirtualServices that send users to the canary
	wrong  []string
}

// others lets somebody who is no driver change the fields.
func (s *badScaled) others(change func()) {
	set := func(theirs bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.theirs = theirs
	}
	set(true)
	defer set(false)
	change()
}

// begin notes what is there.
func (s *badScaled) begin(server *apiserver.Server) {
	s.said, s.is, s.noted, s.users = map[string][]int{}, map[string]int{}, map[string]bool{}, map[string]bool{}
	s.others(func() {
		for _, name := range []string{"reviews-v1", "reviews-v2"} {
			resource, short := deployments, "deployments"
			if s.autoscaled {
				resource, short = autoscalers, "horizontalpodautoscalers"
			}
			raw, _ := server.Get(resource, ns, name)
			c := apiserver.Change{Name: name, Object: raw}
			c.Resource.Resource = short
			s.see(c)
		}
	})
}

// see notes a change of an object.
func (s *badScaled) see(c apiserver.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := c.Resource.Resource
	switch {
	case kind == "virtualservices":
		s.users[c.Name] = c.Type != watch.Deleted && servesUsers(c.Object)
	case kind == "deployments" && !s.autoscaled, kind == "horizontalpodautoscalers":
		s.field(c)
	}
}

// field notes what the field of an object is now.
func (s *badScaled) field(c apiserver.Change) {
	var o struct {
		Metadata struct{ Annotations map[string]string }
		Spec     struct{ Replicas, MinReplicas int }
	}
	if json.Unmarshal(c.Object, &o) != nil {
		return
	}
	now, was := max(o.Spec.Replicas, o.Spec.MinReplicas), s.is[c.Name]
	_, s.noted[c.Name] = o.Metadata.Annotations["serin-go.github.io/scaling"]
	switch s.is[c.Name] = now; {
	case now == was:
	case s.theirs:
		s.said[c.Name] = append(s.said[c.Name], now)
	case now < was && (s.users["reviews"] || s.users["reviews-edge"]):
		s.wrong = append(s.wrong, fmt.Sprintf("%s was scaled from %d to %d, and the canary had users", c.Name, was, now))
	}
}

// servesUsers reports whether a VirtualService sends live requests to the canary.
func servesUsers(raw json.RawMessage) bool {
	var vs networking.VirtualService
	if json.Unmarshal(raw, &vs) != nil {
		return false
	}
	for _, rule := range vs.Spec.Http {
		for _, to := range rule.Route {
			if to.Destination.GetSubset() == "v2" && (to.Weight > 0 || len(rule.Route) == 1) && len(rule.Match) == 0 {
				return true
			}
		}
	}
	return false
}

// ended holds that the fields are as somebody else had them, when the rollout is over. A stable
// Deployment that serves keeps more pods.
func (s *badScaled) ended(end phase.Phase, wrong func(string, ...any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wrong {
		wrong("%s", w)
	}
	if !end.Final() {
		return
	}
	for name, is := range s.is {
		said := s.said[name]
		keeps := !s.autoscaled && strings.HasSuffix(name, "v1") && is > said[len(said)-1]
		if !slices.Contains(said, is) && !keeps {
			wrong("it ended %v, and %s is scaled to %d; others had it at %v", end, name, is, said)
		}
		if s.noted[name] {
			wrong("it ended %v, and %s still remembers what it was", end, name)
		}
	}
}

// scalesBy is how a driver scales.
func (w *badWorld) scalesBy() (workload.Scaling, func(context.Context) (float64, error)) {
	var load func(context.Context) (float64, error)
	switch {
	case !w.scaling:
		return workload.Scaling{}, nil
	case w.follows:
		load = func(context.Context) (load float64, _ error) {
			w.ledger.supply.change(func() { load = w.ledger.supply.load })
			return load, nil
		}
	}
	floor := func(name string) workload.Floor {
		if w.autoscaled {
			return workload.Autoscaler(w.scalers, ns, name, name)
		}
		return workload.Replicas(w.deploys, ns, name)
	}
	return workload.Scaling{Stable: floor("reviews-v1"), Canary: floor("reviews-v2")}, load
}
