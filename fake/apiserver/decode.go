package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// decode reads a document that was sent for an object. The document must be of the
// object's kind, and is converted to the form of its resource.
func (s *Server) decode(k key, raw []byte, c Call) (map[string]any, error) {
	tree, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if c.Verb == "patch" && text(tree, "apiVersion") == "" {
		return nil, noVersion(k)
	}
	if err = checkVersion(k, tree, c); err == nil {
		tree, err = k.res.read(raw, tree, c.strict(), s.prune.Load())
	}
	if err != nil {
		return nil, c.misfit(k, err)
	}
	return tree, checkName(k, metadata(tree), c)
}

// noVersion returns the error for a patch that removes the apiVersion. The real server
// does not always detect that this is the client's fault.
func noVersion(k key) error {
	err := errors.New("the patch leaves no apiVersion")
	if k.res.native == nil {
		return apierrors.NewInternalError(err)
	}
	return badPatch(err)
}

// read converts a document to the form of the resource. With strict, an unknown field is
// an error. The tree is the parsed document, and is changed.
func (r *resource) read(raw []byte, tree map[string]any, strict, prune bool) (map[string]any, error) {
	form, unknown, err := r.canonical(raw, tree, prune)
	if err == nil && strict && len(unknown) > 0 {
		slices.Sort(unknown)
		err = fmt.Errorf("strict decoding error: %s", strings.Join(unknown, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("%s in version %q cannot be handled as a %s: %w", r.kind, r.versions[0], r.kind, err)
	}
	return form, nil
}

// checkVersion compares the apiVersion and the kind of a document with the path of the
// request. A wrong kind of a custom resource is found later, as on the real server; see
// validate.
func checkVersion(k key, tree map[string]any, c Call) error {
	version, kind, custom := text(tree, "apiVersion"), text(tree, "kind"), k.res.native == nil && c.Verb != ""
	if want := k.res.apiVersion(c.version); version != want && (version != "" || custom) && (c.version != "" || findKind(version, k.res.kind) != k.res) {
		return fmt.Errorf("the API version in the data (%s) does not match the expected API version (%s)", version, want)
	}
	if kind == "" && custom {
		return errors.New("the kind of the object is missing")
	}
	if kind != "" && kind != k.res.kind && !custom {
		return fmt.Errorf("the kind in the data (%s) does not match the expected kind (%s)", kind, k.res.kind)
	}
	return nil
}

func checkName(k key, meta map[string]any, c Call) error {
	if ns := text(meta, "namespace"); ns != "" && ns != k.namespace {
		return apierrors.NewBadRequest(fmt.Sprintf(
			"the namespace of the provided object does not match the namespace sent on the request (%s != %s)", ns, k.namespace))
	}
	if name := text(meta, "name"); name != k.name && c.Verb != "create" {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, k.name))
	}
	return nil
}

// misfit returns the error for a document that cannot be read as an object of its
// resource.
func (c Call) misfit(k key, err error) error {
	if c.Verb == "patch" {
		return invalid(k, field.Invalid(field.NewPath("patch"), string(c.Body), err.Error()))
	}
	return apierrors.NewBadRequest(err.Error())
}

// canonical converts a document to the form of the resource: core and apps objects to the
// form of their Go types, and the metadata of custom resources. It returns the unknown
// fields. They are dropped, but those of a custom resource only with prune.
func (r *resource) canonical(raw []byte, tree map[string]any, prune bool) (map[string]any, []string, error) {
	if r.native != nil {
		return retype(raw, r.native(), r.defaults) // from the text: Go types tell 1.0 from 1, a tree does not
	}
	meta, err := json.Marshal(tree["metadata"])
	if err != nil {
		return nil, nil, err
	}
	form, unknown, err := retype(meta, new(metav1.ObjectMeta), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("metadata: %w", err)
	}
	tree["metadata"] = form
	for i, name := range unknown {
		unknown[i] = strings.Replace(name, `"`, `"metadata.`, 1)
	}
	return tree, append(unknown, r.trim(tree, prune)...), nil
}

// trim drops what the CRD of a resource ignores, and returns the unknown fields.
func (r *resource) trim(tree map[string]any, prune bool) []string {
	if r.schema == nil {
		dropNulls(tree)
		return nil
	}
	return r.schema.trim(tree, prune)
}

// retype reads a document as a Go type. It returns the document in the form of the type,
// and the fields that the type does not know. finish may complete the typed value.
func retype(raw []byte, typed any, finish func(any)) (map[string]any, []string, error) {
	strict, err := kjson.UnmarshalStrict(raw, typed)
	if err != nil {
		return nil, nil, err
	}
	if finish != nil {
		finish(typed)
	}
	if raw, err = json.Marshal(typed); err != nil {
		return nil, nil, err
	}
	var form map[string]any
	if err := utiljson.Unmarshal(raw, &form); err != nil {
		return nil, nil, err
	}
	dropNulls(form)
	var unknown []string
	for _, err := range strict {
		unknown = append(unknown, err.Error())
	}
	return form, unknown, nil
}

// metaOf returns the metadata of a tree in its Go type.
func metaOf(tree map[string]any) (*metav1.ObjectMeta, error) {
	meta := new(metav1.ObjectMeta)
	raw, err := json.Marshal(metadata(tree))
	if err != nil {
		return nil, err
	}
	return meta, json.Unmarshal(raw, meta)
}
