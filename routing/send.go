package routing

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
)

// send patches an object, guarded by the version that was read, and returns the new
// object. It classifies errors as canary.Router requires: conflict, refusal and all
// others.
func send[T any](ctx context.Context, c Client[T], read metav1.Object, p Patch) (*T, error) {
	var guarded Patch
	guarded.guard(read.GetResourceVersion())
	guarded.Append(p)
	after, err := c.Patch(ctx, read.GetName(), types.JSONPatchType, guarded.Bytes(), metav1.PatchOptions{FieldManager: fieldManager})
	switch {
	case err == nil:
		return after, nil
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%w: %w", canary.ErrConflict, err)
	case refused(err):
		// The API server refuses a patch that does not fit a newer object before it
		// compares versions.
		return nil, stale(ctx, c, read, err)
	}
	return nil, err
}

// refused reports whether the API server, its schema or a webhook refused the object. The
// codes are those of webhooks and validation.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status().Code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// stale returns a conflict if a refused patch was made for an object that has changed
// since, and a refusal otherwise.
func stale[T any](ctx context.Context, c Client[T], read metav1.Object, refusal error) error {
	now, err := c.Get(ctx, read.GetName(), metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%w (and the object could not be read again: %w)", refusal, err)
	}
	object, ok := any(now).(metav1.Object)
	if err != nil || ok && object.GetResourceVersion() != read.GetResourceVersion() {
		return fmt.Errorf("%w: %w", canary.ErrConflict, refusal)
	}
	return refusalOf(refusal)
}

// missing is a canary.ErrNotFound with the text of the API server.
type missing struct{ error }

func (m missing) Unwrap() []error { return []error{canary.ErrNotFound, m.error} }

// refusalOf wraps err in canary.ErrForbidden or canary.ErrRefused.
func refusalOf(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w: %w", canary.ErrForbidden, err)
	}
	return fmt.Errorf("%w: %w", canary.ErrRefused, err)
}
