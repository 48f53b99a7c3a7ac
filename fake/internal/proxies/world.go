// Package proxies is what the proxies of a mesh know, and what they decide: objects,
// tables that are made of these, and how changes reach one proxy after the other.
package proxies

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/fake/internal/endpoint"
)

// World is what the mesh knows at one moment. It is never changed: With returns
// another one. The zero value is empty.
type World struct {
	virtualServices  map[types.NamespacedName]*virtualService
	destinationRules map[types.NamespacedName]*destinationRule
	gateways         map[types.NamespacedName]*gateway
	services         map[types.NamespacedName]*service
	pods             map[types.NamespacedName][]endpoint.Group // of Pod objects
	deployed         map[types.NamespacedName][]endpoint.Group // of simulated Deployments
}

func compareNames(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }

// Resources are the full names of the resources that a World is made of, in a fixed
// order.
func Resources() []string {
	return []string{
		"destinationrules.networking.istio.io", "gateways.networking.istio.io", "pods", "services",
		"virtualservices.networking.istio.io",
	}
}

// kinds are the resources that the mesh reads.
var kinds = map[string]func(w *World, id types.NamespacedName, raw json.RawMessage) error{
	"virtualservices": func(w *World, id types.NamespacedName, raw json.RawMessage) error {
		return put(&w.virtualServices, id, raw, decodeVirtualService)
	},
	"destinationrules": func(w *World, id types.NamespacedName, raw json.RawMessage) error {
		return put(&w.destinationRules, id, raw, decodeDestinationRule)
	},
	"gateways": func(w *World, id types.NamespacedName, raw json.RawMessage) error {
		return put(&w.gateways, id, raw, decodeGateway)
	},
	"services": func(w *World, id types.NamespacedName, raw json.RawMessage) error {
		return put(&w.services, id, raw, decodeService)
	},
	"pods": func(w *World, id types.NamespacedName, raw json.RawMessage) error {
		return put(&w.pods, id, raw, decodePod)
	},
}

// With returns the world after a change of one object. An object that cannot be
// understood, or that Istio's validation refuses, leaves its last good form in
// force, as proxies do, and is told by the error. A
// resource of which a World is not made changes nothing.
func (w World) With(c apiserver.Change) (World, error) {
	set, ok := kinds[c.Resource.Resource]
	if !ok || c.Resource.Group == "gateway.networking.k8s.io" {
		return w, nil
	}
	raw := c.Object
	if c.Type == watch.Deleted {
		raw = nil
	}
	if err := set(&w, types.NamespacedName{Namespace: c.Namespace, Name: c.Name}, raw); err != nil {
		return w, fmt.Errorf("%s %s/%s is left as it was: %w", c.Resource.Resource, c.Namespace, c.Name, err)
	}
	return w, nil
}

// WithDeployed returns the world with other ready pods of a Deployment.
func (w World) WithDeployed(id types.NamespacedName, pods []endpoint.Group) World {
	w.deployed = maps.Clone(w.deployed)
	if w.deployed == nil {
		w.deployed = map[types.NamespacedName][]endpoint.Group{}
	}
	w.deployed[id] = pods
	return w
}

// put replaces one entry of a map in a copy of it. No document removes it.
func put[T any](m *map[types.NamespacedName]T, id types.NamespacedName, raw json.RawMessage, decode func(json.RawMessage) (T, error)) error {
	next := maps.Clone(*m)
	if next == nil {
		next = map[types.NamespacedName]T{}
	}
	if raw == nil {
		delete(next, id)
		*m = next
		return nil
	}
	decoded, err := decode(raw)
	if err != nil {
		return err
	}
	next[id] = decoded
	*m = next
	return nil
}

// decodePod reads a Pod object: one instance if it is ready, else none. Its
// workload is its owner, or itself.
func decodePod(raw json.RawMessage) ([]endpoint.Group, error) {
	var o core.Pod
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	ready := slices.ContainsFunc(o.Status.Conditions, func(c core.PodCondition) bool {
		return c.Type == core.PodReady && c.Status == core.ConditionTrue
	})
	if !ready || o.DeletionTimestamp != nil {
		return nil, nil
	}
	p := endpoint.Group{Namespace: o.Namespace, Workload: o.Name, Labels: o.Labels, Ready: 1}
	if len(o.OwnerReferences) > 0 {
		p.Workload = workloadOf(o)
	}
	if len(o.Spec.Containers) > 0 {
		p.Image = o.Spec.Containers[0].Image
	}
	return []endpoint.Group{p}, nil
}

// workloadOf returns the name of the Deployment above a ReplicaSet, as Istio
// guesses it from the template hash, or of any other owner.
func workloadOf(o core.Pod) string {
	owner := o.OwnerReferences[0]
	if hash := o.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
		return owner.Name[:max(0, len(owner.Name)-len(hash)-1)]
	}
	return owner.Name
}

// endpoints lists the ready pods of a Service's namespace that carry the labels,
// in a fixed order.
func (w World) endpoints(namespace string, selectors ...map[string]string) []endpoint.Group {
	var found []endpoint.Group
	collect := func(m map[types.NamespacedName][]endpoint.Group) {
		for _, id := range slices.SortedFunc(maps.Keys(m), compareNames) {
			if id.Namespace != namespace {
				continue
			}
			for _, p := range m[id] {
				if p.Ready > 0 && p.Carries(selectors) {
					found = append(found, p)
				}
			}
		}
	}
	collect(w.deployed)
	collect(w.pods)
	return found
}
