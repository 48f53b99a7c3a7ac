package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const modified = "the object has been modified; please apply your changes to the latest version and try again"

// fresh compares the object with the resourceVersion in a write. Custom resources require
// one.
func fresh(old entry, version string) error {
	named := uint64(0)
	if version != "" {
		var err error
		if named, err = strconv.ParseUint(version, 10, 64); err != nil {
			return fmt.Errorf("metadata.resourceVersion: Invalid value: %q: %w", version, err) // 500, as on the real server
		}
	}
	switch {
	case named == 0 && old.res.native == nil:
		return invalid(old.key, field.Invalid(field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update"))
	case named != 0 && named != old.version:
		return conflict(old.key, errors.New(modified))
	}
	return nil
}

func otherUID(old entry, uid string) error {
	return conflict(old.key, fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s", uid, old.uid))
}

func invalid(k key, errs ...*field.Error) error {
	return apierrors.NewInvalid(k.res.groupKind(), k.name, errs)
}

func conflict(k key, err error) error {
	return apierrors.NewConflict(k.res.groupResource(), k.name, err)
}

func unsupported(message string) error {
	return apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "", noResource, "", message, 0, false)
}

// failed returns an error with a code and without a reason.
func failed(code int32, message string) *apierrors.StatusError {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
}

// statusOf returns the status with which an error is answered.
func statusOf(err error) metav1.Status {
	if known, ok := err.(apierrors.APIStatus); ok {
		return known.Status()
	}
	return failed(http.StatusInternalServerError, err.Error()).Status()
}

func encode(value any) []byte {
	raw, err := json.Marshal(value)
	if err != nil {
		raw, _ = json.Marshal(statusOf(err))
	}
	return raw
}
