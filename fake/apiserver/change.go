package apiserver

import (
	"encoding/json"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// Change is one committed change of one object.
type Change struct {
	// Type is ADDED, MODIFIED or DELETED.
	Type watch.EventType
	// Resource is the resource in the version in which the object is stored.
	Resource  schema.GroupVersionResource
	Namespace string
	Name      string
	// Object is the document after the change, or the last document of a deleted object.
	// Do not change it.
	Object json.RawMessage
}

// OnChange registers a function to call after each later change, in order. The function
// may read and change the server. It runs before the request that made the change is
// answered. It runs on the goroutine of that request, unless another goroutine, or a
// caller of this one, is delivering changes already; then it runs there.
func (s *Server) OnChange(f func(Change)) {
	s.store.delivery.listen(f)
}

// delivery calls the listeners for each change, in order and without the store's lock.
// Its own lock is not held while a listener runs.
type delivery struct {
	sync.Mutex
	listeners []func(Change)
	pending   []Change
	busy      bool
}

func (d *delivery) listen(f func(Change)) {
	d.Lock()
	defer d.Unlock()
	d.listeners = append(d.listeners, f)
}

func (d *delivery) add(e event) {
	d.Lock()
	defer d.Unlock()
	if len(d.listeners) == 0 {
		return
	}
	r := e.now.res
	d.pending = append(d.pending, Change{
		Type:      e.kind,
		Resource:  r.groupResource().WithVersion(r.versions[0]),
		Namespace: e.now.namespace,
		Name:      e.now.name,
		Object:    e.now.raw,
	})
}

// deliver passes the pending changes to the listeners, in order. If another goroutine, or
// a caller of this one, is already delivering, it leaves the changes to that one.
func (d *delivery) deliver() {
	d.Lock()
	defer d.Unlock()
	if d.busy {
		return
	}
	d.busy = true
	defer func() { d.busy = false }()
	for len(d.pending) > 0 {
		c := d.pending[0]
		d.pending = d.pending[1:]
		for _, listen := range slices.Clone(d.listeners) {
			d.tell(listen, c)
		}
	}
}

func (d *delivery) tell(listen func(Change), c Change) {
	d.Unlock()
	defer d.Lock()
	listen(c)
}
