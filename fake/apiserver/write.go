package apiserver

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// create stores a new object from a decoded document. With status, the status is kept.
func (s *Server) create(k key, tree map[string]any, c Call, status bool) (*object, error) {
	version, _ := strconv.ParseUint(text(metadata(tree), "resourceVersion"), 10, 64)
	tree = s.newborn(k, tree)
	if !k.res.plain && !status {
		delete(tree, "status")
		if k.res.native != nil {
			empty := map[string]any{}
			maps.Copy(empty, k.res.blank)
			tree["status"] = empty
		}
	}
	if err := s.validate(k, tree, nil); err != nil {
		return nil, err
	}
	wholeNumbers(tree)
	if version != 0 {
		return nil, errors.New("resourceVersion should not be set on objects to be created")
	}
	if _, exists := s.store.get(k); exists {
		return nil, apierrors.NewAlreadyExists(k.res.groupResource(), k.name)
	}
	if c.dryRun {
		return newObject(k, s.store.version, tree)
	}
	s.store.created++
	return s.store.commit(k, tree)
}

// serversOwn are the metadata fields that only the server sets.
var serversOwn = []string{"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"}

// newborn returns the tree with the metadata of a new object.
func (s *Server) newborn(k key, tree map[string]any) map[string]any {
	tree = withMetadata(tree, k.names())
	meta := metadata(tree)
	for _, own := range serversOwn {
		delete(meta, own)
	}
	meta["uid"] = fmt.Sprintf("00000000-0000-4000-8000-%012x", s.store.created+1)
	meta["creationTimestamp"] = now()
	if k.res.generation {
		meta["generation"] = int64(1)
	}
	if text(tree, "kind") == "" {
		tree["kind"] = k.res.kind
	}
	return tree
}

// names returns the metadata fields that identify the object.
func (k key) names() map[string]any {
	if k.res.global {
		return map[string]any{"name": k.name}
	}
	return map[string]any{"name": k.name, "namespace": k.namespace}
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// chooseName returns the name in the metadata, or generates one from generateName.
func (s *Server) chooseName(meta map[string]any) string {
	name := text(meta, "name")
	if prefix := text(meta, "generateName"); name == "" && prefix != "" {
		name = fmt.Sprintf("%s%05d", prefix, s.store.created+1)
	}
	return name
}

// replacing says how a new tree replaces an old one.
type replacing struct {
	call   Call
	status bool // not an API request: everything may change, nothing is checked
}

// replace replaces the old tree with next, which is decoded. If nothing changes, it
// returns the old object. If the last finalizer of an object being deleted is removed,
// the object is deleted.
func (s *Server) replace(old entry, next map[string]any, how replacing) (*object, error) {
	k := old.key
	next = merge(old, next, how)
	if !how.status {
		if err := s.validate(k, next, old.tree); err != nil {
			return nil, err
		}
	}
	switch {
	case equal(old.tree, next): // 1.0 in the place of 1 is a change, though both are stored alike
		return old.object, nil
	case how.call.Subresource == "" && k.res.generation && k.res.specChanged(old.tree, next):
		generation, _ := metadata(old.tree)["generation"].(int64)
		metadata(next)["generation"] = generation + 1
	}
	wholeNumbers(next)
	if how.call.dryRun {
		return newObject(k, old.version, next)
	}
	if metadata(next)["deletionTimestamp"] == nil || metadata(next)["finalizers"] != nil {
		return s.store.commit(k, next)
	}
	if err := s.store.remove(old); err != nil {
		return nil, err
	}
	return newObject(k, old.version, next)
}

// merge restores in next what a writer cannot change: the server's fields, and either the
// status or everything but the status.
func merge(old entry, next map[string]any, how replacing) map[string]any {
	r, status := old.res, how.call.Subresource == "status"
	if status && r.native == nil {
		return withMember(withMetadata(old.tree, nil), next, "status")
	}
	next = withMetadata(next, keptMetadata(metadata(old.tree), metadata(next), how.status))
	if status { // a core or apps object takes most of the metadata too
		of := withMember(old.tree, next, "status")
		of["metadata"] = withMember(metadata(next), metadata(old.tree), "labels")
		return of
	}
	next["apiVersion"] = old.tree["apiVersion"]
	if text(next, "kind") == "" {
		next["kind"] = r.kind
	}
	if r.plain || how.status {
		return next
	}
	return withMember(next, old.tree, "status")
}

// keptMetadata returns the metadata fields to keep from the old object. With force, the
// fields that identify the object are kept too.
func keptMetadata(old, next map[string]any, force bool) map[string]any {
	kept := map[string]any{}
	for _, name := range []string{"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"} {
		if value, ok := old[name]; ok {
			kept[name] = value
		}
	}
	for _, name := range []string{"name", "namespace", "uid"} {
		if value, ok := old[name]; ok && (force || next[name] == nil) {
			kept[name] = value
		}
	}
	return kept
}

// withMember returns a copy of a tree with a member of another tree, or without that
// member if the other has none.
func withMember(tree, other map[string]any, name string) map[string]any {
	tree = maps.Clone(tree)
	delete(tree, name)
	if value, has := other[name]; has {
		tree[name] = value
	}
	return tree
}

// specChanged reports whether a change increments the generation.
func (r *resource) specChanged(old, next map[string]any) bool {
	if r.annotated && !equal(metadata(old)["annotations"], metadata(next)["annotations"]) {
		return true
	}
	old, next = maps.Clone(old), maps.Clone(next)
	for _, name := range []string{"metadata", "status"} {
		delete(old, name)
		delete(next, name)
	}
	return !equal(old, next)
}
