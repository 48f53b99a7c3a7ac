package apiserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validate checks a complete document against the rules for metadata, the rules of its
// resource and, if switched on, Istio's webhook. old is the document to replace; nil if
// next is new.
func (s *Server) validate(k key, next, old map[string]any) error {
	errs, err := metadataErrors(k, next, old)
	if err != nil {
		return err
	}
	if kind := text(next, "kind"); kind != k.res.kind {
		errs = append(errs, field.Invalid(field.NewPath("kind"), kind, "must be "+k.res.kind))
	}
	errs = append(errs, k.res.errors(next, old)...)
	if len(errs) > 0 {
		compare := func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) }
		slices.SortFunc(errs, compare)
		return invalid(k, slices.CompactFunc(errs, func(a, b *field.Error) bool { return compare(a, b) == 0 })...)
	}
	if k.res.schema == nil || !s.webhook.Load() {
		return nil
	}
	if mistakes := istioMistakes(k, specOf(next)); len(mistakes) > 0 {
		return denied(mistakes)
	}
	return nil
}

func metadataErrors(k key, next, old map[string]any) (field.ErrorList, error) {
	meta, err := metaOf(next)
	if err != nil {
		return nil, err
	}
	path := field.NewPath("metadata")
	errs := apivalidation.ValidateObjectMeta(meta, !k.res.global, apivalidation.NameIsDNSSubdomain, path)
	if old == nil {
		return errs, nil
	}
	was, err := metaOf(old)
	if err != nil {
		return nil, err
	}
	return append(errs, apivalidation.ValidateObjectMetaUpdate(meta, was, path)...), nil
}

// errors returns the mistakes outside of the metadata.
func (r *resource) errors(next, old map[string]any) field.ErrorList {
	switch {
	case r.schema != nil:
		return r.schema.errors(specOf(next), field.NewPath("spec"))
	case r.validate != nil:
		return r.validate(next, old)
	}
	return nil
}

// specOf returns the spec of a document; a missing spec counts as empty.
func specOf(tree map[string]any) any {
	spec, ok := tree["spec"]
	if !ok {
		return map[string]any{}
	}
	return spec
}

// denied returns the error that an API server makes of a refusal by Istio's webhook: with
// a code, but no reason.
func denied(mistakes []string) error {
	text := mistakes[0]
	if len(mistakes) > 1 {
		text = fmt.Sprintf("%d errors occurred:\n\t* %s\n\n", len(mistakes), strings.Join(mistakes, "\n\t* "))
	}
	return failed(http.StatusBadRequest, `admission webhook "validation.istio.io" denied the request: configuration is invalid: `+text)
}
