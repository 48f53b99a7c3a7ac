package rights

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
)

// Reviewer asks the API server what its user is allowed to do. By default, every
// authenticated user of a cluster may ask. AuthorizationV1().SelfSubjectAccessReviews()
// of client-go is a Reviewer.
type Reviewer interface {
	Create(ctx context.Context, review *authorizationv1.SelfSubjectAccessReview, opts metav1.CreateOptions) (*authorizationv1.SelfSubjectAccessReview, error)
}

// MissingError is returned when the user lacks rights. It wraps canary.ErrRefused.
type MissingError struct {
	// Rights are the missing rights.
	Rights []authorizationv1.ResourceAttributes
}

// Error names each missing right: "patch deployments.apps bookinfo/reviews-v1".
func (e *MissingError) Error() string {
	var missing []string
	for _, r := range e.Rights {
		kind := metav1.GroupResource{Group: r.Group, Resource: resource(r)}
		missing = append(missing, fmt.Sprintf("%s %s %s/%s", r.Verb, kind.String(), r.Namespace, cmp.Or(r.Name, "*")))
	}
	return "rights: not allowed: " + strings.Join(missing, ", ")
}

// Unwrap returns canary.ErrRefused.
func (*MissingError) Unwrap() error { return canary.ErrRefused }

// Check asks the API server for each right separately. It returns a *MissingError if the
// user lacks any of them. Any other error means that the API server could not be asked.
func Check(ctx context.Context, api Reviewer, rights []authorizationv1.ResourceAttributes) error {
	var missing []authorizationv1.ResourceAttributes
	for _, r := range rights {
		question := authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &r}
		review, err := api.Create(ctx, &authorizationv1.SelfSubjectAccessReview{Spec: question}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("rights: %w", err)
		}
		if !review.Status.Allowed {
			missing = append(missing, r)
		}
	}
	if len(missing) > 0 {
		return &MissingError{missing}
	}
	return nil
}
