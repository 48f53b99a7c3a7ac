package apiserver

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Server is a Kubernetes API server in memory. It is safe for concurrent use. The zero
// value is not usable: call [New].
type Server struct {
	store    *store
	webhook  atomic.Bool
	prune    atomic.Bool
	mu       sync.Mutex // guards the fields below
	hooks    []*func(Call) Fault
	requests map[Request]int
}

// New returns an empty server. It serves the networking.istio.io VirtualServices,
// DestinationRules, Gateways and ServiceEntries (v1, v1beta1 and v1alpha3 of the same
// objects), Deployments and ReplicaSets, HorizontalPodAutoscalers (autoscaling/v2),
// ResourceQuotas, Services, Pods, Namespaces, ConfigMaps and Events,
// SelfSubjectAccessReviews, and the Gateway API's HTTPRoutes, GRPCRoutes and Gateways.
func New() *Server {
	return &Server{store: newStore(), requests: map[Request]int{}}
}

// ValidateIstio switches on the checks of Istio's validating webhook for VirtualServices
// and DestinationRules, in addition to the schema. It refuses negative weights, several
// destinations whose weights are all zero, percentages outside of 0 to 100, hosts that
// are invalid or overlap, invalid regular expressions and ports, a rule with no action or
// with two, a subset without a name or with a duplicate one, and so on. The package
// comment lists what is left out. As from a real webhook, the error has the code 400 and
// no reason, and apierrors.IsBadRequest is true for it.
func (s *Server) ValidateIstio() { s.webhook.Store(true) }

// PruneUnknown makes the server drop, from now on, the fields that the Istio Go types of
// this build do not have. A cluster with CRDs of the same version does so too.
func (s *Server) PruneUnknown() { s.prune.Store(true) }

// List returns the objects of a resource ("virtualservices.networking.istio.io", "pods")
// in a namespace, or in all namespaces if it is "". They are sorted by namespace and
// name, and in the version in which they are stored. Do not change them. List counts as
// no request, and no hook is called. An unknown resource has no objects.
func (s *Server) List(resource, namespace string) []json.RawMessage {
	s.store.RLock()
	defer s.store.RUnlock()
	var found []json.RawMessage
	for _, o := range s.store.list(findID(resource), namespace) {
		found = append(found, o.raw)
	}
	return found
}

// Get returns one object, with the rules of List; false if it does not exist.
func (s *Server) Get(resource, namespace, name string) (json.RawMessage, bool) {
	s.store.RLock()
	defer s.store.RUnlock()
	e, ok := s.store.get(key{findID(resource), namespace, name})
	if !ok {
		return nil, false
	}
	return e.raw, true
}

// Update changes one object without an API request, as a controller would. The function
// change gets a copy of the document, including the status, and changes it. It must not
// use the server. The resourceVersion grows if the document has changed, and the
// generation if more than metadata and status has changed. No hook, schema or webhook is
// involved. If the object does not exist, apierrors.IsNotFound is true for the error. Any
// other error means that the changed document is no longer the same object.
func (s *Server) Update(resource, namespace, name string, change func(object map[string]any)) error {
	return s.behind(resource, namespace, name, func(old entry) error {
		next := runtime.DeepCopyJSON(old.tree)
		change(next)
		raw, err := json.Marshal(next)
		if err != nil {
			return fmt.Errorf("apiserver: update of %s %s/%s: %w", resource, namespace, name, err)
		}
		if next, err = s.decode(old.key, raw, Call{}); err != nil {
			return err
		}
		_, err = s.replace(old, next, replacing{status: true})
		return err
	})
}

// Delete removes one object without an API request. If the object does not exist,
// apierrors.IsNotFound is true for the error.
func (s *Server) Delete(resource, namespace, name string) error {
	return s.behind(resource, namespace, name, s.store.remove)
}

// behind does something to an existing object, and calls the listeners.
func (s *Server) behind(resource, namespace, name string, do func(old entry) error) error {
	k, err := keyOf(resource, namespace, name)
	if err != nil {
		return err
	}
	defer s.store.delivery.deliver()
	s.store.Lock()
	defer s.store.Unlock()
	old, ok := s.store.get(k)
	if !ok {
		return notFound(k)
	}
	return do(old)
}

// Compact deletes the history. Watches that are behind end with 410 Expired, and so do
// watches that begin in the past.
func (s *Server) Compact() {
	s.store.Lock()
	defer s.store.Unlock()
	s.store.history, s.store.horizon = nil, s.store.version
}

func keyOf(resource, namespace, name string) (key, error) {
	r := findID(resource)
	if r == nil {
		return key{}, apierrors.NewNotFound(schema.ParseGroupResource(resource), name)
	}
	return key{r, namespace, name}, nil
}

func notFound(k key) error {
	return apierrors.NewNotFound(k.res.groupResource(), k.name)
}
