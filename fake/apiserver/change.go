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
	// Resource carries the version that the object is stored in.
	Resource  schema.GroupVersionResource
	Namespace string
	Name      string
	// Object is the document after the change, or the last one of a deleted object. It must not be changed.
	Object json.RawMessage
}

// OnChange has the function called after each change that is committed from now on, in their order. It may read and
// change the server. It is called before the request that made the change is answered, on the same goroutine, unless
// changes are just being told by another goroutine, or by a function further up the stack: then that one tells it.
func (s *Server) OnChange(f func(Change)) {
	s.store.delivery.listen(f)
}

// delivery tells listeners of changes, in order and without the store's lock. Its own lock is never held while a listener
// runs.
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

// deliver tells the listeners what is pending, in order. While another goroutine (or a caller further up) delivers, it
// leaves the work to that one.
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
