package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// patch applies the patch of a call to the old object.
func (s *Server) patch(c Call, old entry) (*object, error) {
	raw, err := c.patched(old.in(c.version))
	if err != nil {
		return nil, err
	}
	next, err := s.decode(old.key, raw, c)
	if err != nil {
		return nil, err
	}
	// A version that differs from the current one is a precondition of the client.
	if err := fresh(old, text(metadata(next), "resourceVersion")); err != nil {
		return nil, err
	}
	return s.replace(old, next, replacing{call: c})
}

// patched applies the patch of a call to a document.
func (c Call) patched(raw []byte) ([]byte, error) {
	switch types.PatchType(c.mediaType) {
	case types.JSONPatchType:
		return applyJSONPatch(raw, c.Body)
	case types.MergePatchType:
		out, err := jsonpatch.MergePatch(raw, c.Body)
		if err != nil {
			return nil, badPatch(err)
		}
		return out, nil
	case types.StrategicMergePatchType:
		return c.applyStrategicMergePatch(raw)
	case types.ApplyYAMLPatchType, types.ApplyCBORPatchType:
		return nil, unsupported("server-side apply is not simulated by fake/apiserver")
	}
	return nil, unsupported(fmt.Sprintf("the body of the request was in an unknown format: %s", c.mediaType))
}

func applyJSONPatch(raw, body []byte) (out []byte, err error) {
	ops, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return nil, badPatch(err)
	}
	defer func() {
		if bug := recover(); bug != nil { // the library's answer to an operation on the whole document without a value
			out, err = nil, badPatch(fmt.Errorf("the patch cannot be applied: %v", bug))
		}
	}()
	out, err = ops.Apply(raw)
	if err != nil {
		// The real server gives the same answer to a failed test and to a missing path.
		return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", noResource, "", err.Error(), 0, false)
	}
	return out, nil
}

func (c Call) applyStrategicMergePatch(raw []byte) ([]byte, error) {
	if c.res.native == nil {
		return nil, unsupported("strategic merge patches are for core and apps types only")
	}
	if !json.Valid(c.Body) {
		return nil, badPatch(errors.New("the patch is no JSON"))
	}
	out, err := strategicpatch.StrategicMergePatch(raw, c.Body, c.res.native())
	if err != nil {
		return nil, badPatch(err)
	}
	return out, nil
}

func badPatch(err error) error { return apierrors.NewBadRequest(err.Error()) }
