package apiserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// admit holds a document against the schema of its resource and, when that is on, Istio's webhook.
func (s *Server) admit(k key, tree map[string]any, c Call) error {
	if k.res.schema == nil {
		return nil
	}
	spec, ok := tree["spec"]
	if !ok {
		spec = map[string]any{}
	}
	var found findings
	k.res.schema.check(spec, field.NewPath("spec"), &found)
	if len(found.errs) > 0 {
		slices.SortFunc(found.errs, func(a, b *field.Error) int { return strings.Compare(a.Error(), b.Error()) })
		return invalid(k, found.errs...)
	}
	if c.strict() && len(found.unknown) > 0 {
		return unknownFields(k, found.unknown)
	}
	if !s.webhook.Load() {
		return nil
	}
	if mistakes := istioMistakes(k.res.kind, spec.(map[string]any)); len(mistakes) > 0 {
		return denied(mistakes)
	}
	return nil
}

func unknownFields(k key, paths []*field.Path) error {
	var names []string
	for _, p := range paths {
		names = append(names, fmt.Sprintf("unknown field %q", p))
	}
	slices.Sort(names)
	return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: strict decoding error: %s",
		k.res.kind, k.res.versions[0], k.res.kind, strings.Join(names, ", ")))
}

// denied is what an API server makes of the answer of Istio's webhook: a code, but no reason.
func denied(mistakes []string) error {
	text := mistakes[0]
	if len(mistakes) > 1 {
		text = fmt.Sprintf("%d errors occurred:\n\t* %s\n\n", len(mistakes), strings.Join(mistakes, "\n\t* "))
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusBadRequest,
		Message: `admission webhook "validation.istio.io" denied the request: configuration is invalid: ` + text,
	}}
}
