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

// Server is a Kubernetes API server in memory. It is safe for concurrent use; the zero value is not usable, see [New].
type Server struct {
	store    *store
	webhook  atomic.Bool
	prune    atomic.Bool
	mu       sync.Mutex // guards what follows
	hooks    []*func(Call) Fault
	requests map[Request]int
}

// New returns an empty server. It knows the networking.istio.io VirtualServices, DestinationRules, Gateways and
// ServiceEntries (v1, v1beta1 and v1alpha3 of the same objects), Deployments and ReplicaSets, Services, Pods, Namespaces,
// ConfigMaps and Events, SelfSubjectAccessReviews, and the Gateway API's HTTPRoutes, GRPCRoutes and Gateways.
func New() *Server {
	return &Server{store: newStore(), requests: map[Request]int{}}
}

// ValidateIstio switches on what Istio's own validating webhook refuses of VirtualServices and DestinationRules, beyond
// the schema: negative weights, several destinations whose weights are all zero, shares outside of 0 to 100, hosts that are
// none or cover each other, regular expressions and ports that are none, a rule that does nothing or two things, a subset
// without a name or with another one's, and so on. The package comment says what it leaves out. The answer is the webhook's:
// code 400 without a reason, for which apierrors.IsBadRequest holds.
func (s *Server) ValidateIstio() { s.webhook.Store(true) }

// PruneUnknown drops the fields of an Istio object that no type knows, as a cluster does whose CRDs are of the version
// that this library was built with. Without it they are kept, as on a cluster with newer ones.
func (s *Server) PruneUnknown() { s.prune.Store(true) }

// List returns the objects of a resource ("virtualservices.networking.istio.io", "pods") in a namespace, or in all when
// it is empty, by namespace and name. They are in the stored version and must not be changed. Nothing is counted and no
// hook is asked. An unknown resource has no objects.
func (s *Server) List(resource, namespace string) []json.RawMessage {
	s.store.RLock()
	defer s.store.RUnlock()
	var found []json.RawMessage
	for _, o := range s.store.list(findID(resource), namespace) {
		found = append(found, o.raw)
	}
	return found
}

// Get returns one object, as List does.
func (s *Server) Get(resource, namespace, name string) (json.RawMessage, bool) {
	s.store.RLock()
	defer s.store.RUnlock()
	e, ok := s.store.get(key{findID(resource), namespace, name})
	if !ok {
		return nil, false
	}
	return e.raw, true
}

// Update changes one object behind the API's back, as a controller would: the function gets a copy of the document, status
// included, and changes it. The resourceVersion grows, the generation only when more than metadata and status changed;
// a function that changes nothing changes neither. No hook, schema or webhook is asked. The function must not use the
// server. Its error is that of a missing object (apierrors.IsNotFound), or of a document that is no longer the object.
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

// Delete removes one object behind the API's back.
func (s *Server) Delete(resource, namespace, name string) error {
	return s.behind(resource, namespace, name, s.store.remove)
}

// behind does something to an object that exists, and tells the listeners.
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

// Compact forgets the history: watches that are behind end in 410 Expired, and so do those that begin in the past.
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
