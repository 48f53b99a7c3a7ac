package workload

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/serin-go/serin/canary"
)

// Error is an error about one object.
type Error struct {
	Kind, Namespace, Name string
	// Err is the cause. It wraps the error of the API and, where they apply,
	// [canary.ErrConflict], [canary.ErrRefused] or [canary.ErrBadState].
	Err error
}

// Error prints the object and the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("workload: %s %s/%s: %v", e.Kind, e.Namespace, e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// classify wraps an error of the API in its meaning for a rollout. An error that stays as
// it is may be gone at the next attempt.
func classify(err error) error {
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("%w: %w", canary.ErrConflict, err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: %w", canary.ErrForbidden, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err),
		apierrors.IsNotFound(err), apierrors.IsRequestEntityTooLargeError(err):
		return fmt.Errorf("%w: %w", canary.ErrRefused, err)
	}
	return err
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", canary.ErrRefused, fmt.Sprintf(format, args...))
}
