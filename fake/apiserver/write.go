package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// create stores a new object. The status is kept only on the back door.
func (s *Server) create(k key, tree map[string]any, c Call, status bool) (*object, error) {
	k.name = s.chooseName(metadata(tree))
	if err := checkIdentity(k, tree); err != nil {
		return nil, err
	}
	if text(metadata(tree), "resourceVersion") != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	tree, err := k.res.canonical(tree, c.strict())
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	tree = s.newborn(k, tree)
	if !k.res.plain && !status {
		delete(tree, "status")
	}
	if err := s.admit(k, tree, c); err != nil {
		return nil, err
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

// newborn returns the tree with the metadata of a new object.
func (s *Server) newborn(k key, tree map[string]any) map[string]any {
	tree = withMetadata(tree, map[string]any{
		"name":              k.name,
		"uid":               fmt.Sprintf("00000000-0000-4000-8000-%012x", s.store.created+1),
		"creationTimestamp": time.Now().UTC().Format(time.RFC3339),
	})
	tree["kind"] = k.res.kind
	meta := metadata(tree)
	if !k.res.global {
		meta["namespace"] = k.namespace
	}
	delete(meta, "generation")
	if k.res.generation {
		meta["generation"] = int64(1)
	}
	return tree
}

// chooseName returns the name in the metadata, or one from its generateName.
func (s *Server) chooseName(meta map[string]any) string {
	name := text(meta, "name")
	if prefix := text(meta, "generateName"); name == "" && prefix != "" {
		name = fmt.Sprintf("%s%05d", prefix, s.store.created+1)
		meta["name"] = name
	}
	return name
}

// checkIdentity holds the document against the path it was sent to.
func checkIdentity(k key, tree map[string]any) error {
	if version := text(tree, "apiVersion"); version != "" && findKind(version, k.res.kind) != k.res {
		return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)",
			version, k.res.apiVersion(k.res.versions[0])))
	}
	if kind := text(tree, "kind"); kind != "" && kind != k.res.kind {
		return apierrors.NewBadRequest(fmt.Sprintf("the kind in the data (%s) does not match the expected kind (%s)", kind, k.res.kind))
	}
	return checkName(k, metadata(tree))
}

func checkName(k key, meta map[string]any) error {
	if ns := text(meta, "namespace"); ns != "" && ns != k.namespace {
		return apierrors.NewBadRequest(fmt.Sprintf(
			"the namespace of the provided object does not match the namespace sent on the request (%s != %s)", ns, k.namespace))
	}
	if name := text(meta, "name"); name != "" && name != k.name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, k.name))
	}
	if k.name == "" {
		return invalid(k, field.Required(field.NewPath("metadata", "name"), "name or generateName is required"))
	}
	if bad := validation.IsDNS1123Subdomain(k.name); len(bad) > 0 {
		return invalid(k, field.Invalid(field.NewPath("metadata", "name"), k.name, strings.Join(bad, ", ")))
	}
	return nil
}

// replacing says how a new tree takes the place of an old one.
type replacing struct {
	call   Call
	status bool // the back door: everything may change, nothing is checked
}

// replace stores the next tree in the place of the old one, or answers the old object when nothing changes.
// The tree belongs to the server from then on.
func (s *Server) replace(old entry, next map[string]any, how replacing) (*object, error) {
	k := old.key
	if err := checkIdentity(k, next); err != nil {
		return nil, err
	}
	next, err := k.res.canonical(next, how.call.strict())
	if err != nil {
		return nil, how.call.misfit(k, err)
	}
	next = merge(old, next, how)
	if !how.status {
		if err := s.admit(k, next, how.call); err != nil {
			return nil, err
		}
	}
	if equal(old.tree, next) {
		return old.object, nil
	}
	if k.res.generation && k.res.specChanged(old.tree, next) {
		generation, _ := metadata(old.tree)["generation"].(int64)
		metadata(next)["generation"] = generation + 1
	}
	if how.call.dryRun {
		return newObject(k, old.version, next)
	}
	return s.store.commit(k, next)
}

// merge gives the next tree what a writer cannot change: identity, and the status or all but the status.
func merge(old entry, next map[string]any, how replacing) map[string]any {
	k := old.key
	if how.call.Subresource == "status" {
		status, has := next["status"]
		next = withMetadata(old.tree, nil)
		delete(next, "status")
		if has {
			next["status"] = status
		}
		return next
	}
	kept := map[string]any{}
	meta := metadata(old.tree)
	for _, name := range []string{"name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion"} {
		if value, ok := meta[name]; ok {
			kept[name] = value
		}
	}
	next = withMetadata(next, kept)
	next["kind"], next["apiVersion"] = k.res.kind, old.tree["apiVersion"]
	if !k.res.plain && !how.status {
		delete(next, "status")
		if status, has := old.tree["status"]; has {
			next["status"] = status
		}
	}
	return next
}

const modified = "the object has been modified; please apply your changes to the latest version and try again"

// precondition holds the version and the uid that a writer names against the object.
func precondition(old entry, version, uid string, required bool) error {
	if uid != "" && uid != old.uid {
		return conflict(old.key, fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s", uid, old.uid))
	}
	if version == "" && required {
		return invalid(old.key, field.Invalid(field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update"))
	}
	if version != "" && version != text(metadata(old.tree), "resourceVersion") {
		return conflict(old.key, errors.New(modified))
	}
	return nil
}

// misfit is the error for a document that is not of the resource's Go type.
func (c Call) misfit(k key, err error) error {
	if c.Verb == "patch" {
		return invalid(k, field.Invalid(field.NewPath("patch"), string(c.Body), err.Error()))
	}
	return apierrors.NewBadRequest(err.Error())
}

// specChanged tells whether a change counts as a new generation.
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

// setDefaults sets the few defaults that everybody relies on.
func setDefaults(typed any) {
	one, deadline := int32(1), int32(600)
	switch o := typed.(type) {
	case *appsv1.Deployment:
		if o.Spec.Replicas == nil {
			o.Spec.Replicas = &one
		}
		if o.Spec.ProgressDeadlineSeconds == nil {
			o.Spec.ProgressDeadlineSeconds = &deadline
		}
	case *appsv1.ReplicaSet:
		if o.Spec.Replicas == nil {
			o.Spec.Replicas = &one
		}
	}
}

func invalid(k key, errs ...*field.Error) error {
	return apierrors.NewInvalid(k.res.groupKind(), k.name, errs)
}

func conflict(k key, err error) error {
	return apierrors.NewConflict(k.res.groupResource(), k.name, err)
}

// statusOf is the status that an error is answered with.
func statusOf(err error) metav1.Status {
	if known, ok := err.(apierrors.APIStatus); ok {
		return known.Status()
	}
	return apierrors.NewInternalError(err).Status()
}

func encode(value any) []byte {
	raw, err := json.Marshal(value)
	if err != nil {
		raw, _ = json.Marshal(statusOf(err))
	}
	return raw
}
