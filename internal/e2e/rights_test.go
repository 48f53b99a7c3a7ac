package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorization "k8s.io/api/authorization/v1"
	rbac "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
)

// rights are those that a driver of the release needs.
var rights = []rbac.PolicyRule{
	{APIGroups: []string{"networking.istio.io"}, Resources: []string{"virtualservices"}, ResourceNames: []string{"reviews"}, Verbs: []string{"get"}},
	{APIGroups: []string{"networking.istio.io"}, Resources: []string{"virtualservices"}, ResourceNames: []string{"reviews"}, Verbs: []string{"patch"}},
	{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"reviews-v1", "reviews-v2"}, Verbs: []string{"get"}},
	{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"reviews-v1"}, Verbs: []string{"patch"}},
}

// restrict makes the driver somebody who has these rights and no others.
func (r *release) restrict(t *testing.T, rights []rbac.PolicyRule) {
	_, kube := clients(t)
	_, err := kube.RbacV1().Roles(r.namespace).Create(t.Context(), &rbac.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "driver"}, Rules: rights,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = kube.RbacV1().RoleBindings(r.namespace).Create(t.Context(), &rbac.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "driver"},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "Role", Name: "driver"},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: "driver-of-" + r.namespace}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	r.config.Impersonate.UserName = "driver-of-" + r.namespace
	for _, right := range rights {
		require.Eventually(t, func() bool { return r.may(t, right) }, time.Minute, 10*time.Millisecond, "the API server knows of the role")
	}
}

// may asks the API server, which learns of a new role a little later.
func (r *release) may(t *testing.T, right rbac.PolicyRule) bool {
	_, kube := clients(t)
	review, err := kube.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorization.SubjectAccessReview{
		Spec: authorization.SubjectAccessReviewSpec{
			User: r.config.Impersonate.UserName,
			ResourceAttributes: &authorization.ResourceAttributes{
				Namespace: r.namespace, Verb: right.Verbs[0], Group: right.APIGroups[0], Resource: right.Resources[0], Name: right.ResourceNames[0],
			},
		},
	}, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed
}

func TestARolloutNeedsFewRights(t *testing.T) {
	r := newRelease(t, &fake.Judge{})
	r.restrict(t, rights)
	state, err := r.runner(t).Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, canary.Promoted, state.Phase)
}

func TestARolloutWithoutOneOfTheRightsNamesIt(t *testing.T) {
	for i, missing := range rights {
		name := missing.Verbs[0] + " " + missing.Resources[0]
		t.Run(name, func(t *testing.T) {
			r := newRelease(t, &fake.Judge{})
			r.restrict(t, slices.Delete(slices.Clone(rights), i, i+1))
			text := r.trouble(t)
			t.Log(text)
			require.Contains(t, text, "cannot "+missing.Verbs[0]+" resource \""+missing.Resources[0]+"\"")
		})
	}
}

// trouble drives until a turn fails or cannot find out what it must know, and
// returns what is said about it.
func (r *release) trouble(t *testing.T) string {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said string
	runner, err := newRunner(r.config, r.namespace, r.judge, func(e canary.Event) {
		reason := e.Decision.Reason.String()
		switch {
		case said != "":
		case e.Err != nil:
			said = e.Err.Error()
			cancel()
		case strings.Contains(reason, "cannot tell"):
			said = reason
			cancel()
		}
	})
	require.NoError(t, err)
	_, err = runner.Run(ctx)
	require.Error(t, err)
	return said
}
