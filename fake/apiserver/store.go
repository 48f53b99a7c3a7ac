package apiserver

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

// historyLimit is how many changes back a watch can begin.
const historyLimit = 1024

type key struct {
	res             *resource
	namespace, name string
}

func (k key) compare(o key) int {
	if c := strings.Compare(k.namespace, o.namespace); c != 0 {
		return c
	}
	return strings.Compare(k.name, o.name)
}

// object is one version of a document. It never changes.
type object struct {
	key
	uid     string
	version uint64
	labels  labels.Set
	raw     json.RawMessage // begins with the apiVersion, other keys are sorted
}

// entry is the current version of an object, with its parsed form. Neither ever changes.
type entry struct {
	*object
	tree map[string]any
}

// event is a change, with the previous object for selectors (nil for a new object).
type event struct {
	kind     watch.EventType
	now, was *object
	version  uint64
}

// store holds the objects. Call its methods with the lock held.
type store struct {
	sync.RWMutex
	entries  map[*resource]map[key]entry
	version  uint64 // of the last change
	created  uint64 // how many objects were ever created
	history  []event
	horizon  uint64 // changes up to this version are no longer in the history
	watchers map[chan struct{}]struct{}

	delivery delivery
}

func newStore() *store {
	return &store{
		version:  1,
		horizon:  1,
		entries:  map[*resource]map[key]entry{},
		watchers: map[chan struct{}]struct{}{},
	}
}

func (s *store) get(k key) (entry, bool) {
	e, ok := s.entries[k.res][k]
	return e, ok
}

// list returns the objects of a namespace (of all namespaces if it is "") by namespace
// and name.
func (s *store) list(r *resource, namespace string) []*object {
	var found []*object
	for k, e := range s.entries[r] {
		if namespace == "" || k.namespace == namespace {
			found = append(found, e.object)
		}
	}
	slices.SortFunc(found, func(a, b *object) int { return a.compare(b.key) })
	return found
}

// commit stores a new version of the tree, whose metadata is complete except for
// resourceVersion. The store keeps the tree.
func (s *store) commit(k key, tree map[string]any) (*object, error) {
	version := s.version + 1
	now, err := newObject(k, version, tree)
	if err != nil {
		return nil, err
	}
	s.version = version
	was, exists := s.get(k)
	if s.entries[k.res] == nil {
		s.entries[k.res] = map[key]entry{}
	}
	s.entries[k.res][k] = entry{now, tree}
	if exists {
		s.record(event{watch.Modified, now, was.object, version})
	} else {
		s.record(event{watch.Added, now, nil, version})
	}
	return now, nil
}

// remove deletes the entry. The last version of the object has the version of the
// deletion.
func (s *store) remove(e entry) error {
	version := s.version + 1
	tree := withMetadata(e.tree, nil)
	last, err := newObject(e.key, version, tree)
	if err != nil {
		return err
	}
	s.version = version
	delete(s.entries[e.res], e.key)
	s.record(event{watch.Deleted, last, e.object, version})
	return nil
}

func (s *store) record(e event) {
	if len(s.history) == historyLimit {
		s.horizon = s.history[0].version
		s.history = s.history[1:]
	}
	s.history = append(s.history, e)
	for wake := range s.watchers {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	s.delivery.add(e)
}

// since returns the changes after a version; false if the history does not go back that
// far.
func (s *store) since(version uint64) ([]event, bool) {
	if version < s.horizon {
		return nil, false
	}
	at, _ := slices.BinarySearchFunc(s.history, version+1, func(e event, v uint64) int {
		return int(int64(e.version) - int64(v))
	})
	return s.history[at:], true
}

// before returns the version of an object n versions ago, or the oldest known one.
func (s *store) before(k key, n int) (*object, bool) {
	e, ok := s.get(k)
	if !ok {
		return nil, false
	}
	found := e.object
	for i := len(s.history) - 1; i >= 0 && n > 0; i-- {
		if h := s.history[i]; h.now.key == k {
			if h.was == nil {
				break
			}
			found = h.was
			n--
		}
	}
	return found, true
}

// newObject writes the version into the tree's metadata and encodes it.
func newObject(k key, version uint64, tree map[string]any) (*object, error) {
	meta := metadata(tree)
	meta["resourceVersion"] = strconv.FormatUint(version, 10)
	delete(tree, "apiVersion")
	body, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	o := &object{key: k, version: version, uid: text(meta, "uid"), labels: labelsOf(meta)}
	o.raw = withVersion(body, k.res.apiVersion(k.res.versions[0]))
	tree["apiVersion"] = k.res.apiVersion(k.res.versions[0])
	return o, nil
}

// in returns the document in a version of its API.
func (o *object) in(version string) json.RawMessage {
	if version == o.res.versions[0] {
		return o.raw
	}
	stored := len(versionPrefix(o.res.apiVersion(o.res.versions[0])))
	return withVersion(append([]byte("{"), o.raw[stored:]...), o.res.apiVersion(version))
}

func versionPrefix(apiVersion string) string { return `{"apiVersion":"` + apiVersion + `",` }

// withVersion puts the apiVersion before the other keys, of which there is always at
// least one.
func withVersion(body []byte, apiVersion string) json.RawMessage {
	prefix := versionPrefix(apiVersion)
	raw := make([]byte, 0, len(prefix)+len(body)-1)
	return append(append(raw, prefix...), body[1:]...)
}
