package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/rights"
)

// driverOf is the user who drives the release in a namespace.
func driverOf(namespace string) string { return "driver-of-" + namespace }

// needed are the rights that a driver of the release in a namespace needs.
func needed(t *testing.T, namespace string) []authorizationv1.ResourceAttributes {
	nowhere := &rest.Config{}
	plan, err := newPlan()
	require.NoError(t, err)
	router, err := newRouter(nowhere, namespace)
	require.NoError(t, err)
	pods, err := newPods(nowhere, namespace)
	require.NoError(t, err)
	return rights.Of(plan, router, pods)
}

// driver returns the configuration of a user who has these rights and no others.
func driver(t *testing.T, all []authorizationv1.ResourceAttributes) *rest.Config {
	_, kube := clients(t)
	role := roleOf(t, all)
	_, err := kube.RbacV1().Roles(role.Namespace).Create(t.Context(), role, metav1.CreateOptions{})
	require.NoError(t, err)
	config := controlPlane(t).Config()
	config.Impersonate.UserName = driverOf(role.Namespace)
	_, err = kube.RbacV1().RoleBindings(role.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind, Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: config.Impersonate.UserName}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	awaitMissing(t, config, all)
	return config
}

func roleOf(t *testing.T, all []authorizationv1.ResourceAttributes) *rbacv1.Role {
	roles := rights.Roles("driver", all)
	require.Len(t, roles, 1)
	return &roles[0]
}

// deprive takes one right away from the driver.
func (r *release) deprive(t *testing.T, right authorizationv1.ResourceAttributes) {
	leave(t, r.config, needed(t, r.namespace), right)
}

// leave leaves a driver all rights that it had at first, without some.
func leave(t *testing.T, user *rest.Config, all []authorizationv1.ResourceAttributes, without ...authorizationv1.ResourceAttributes) {
	left := slices.DeleteFunc(slices.Clone(all), func(a authorizationv1.ResourceAttributes) bool { return slices.Contains(without, a) })
	role := roleOf(t, left)
	_, kube := clients(t)
	_, err := kube.RbacV1().Roles(role.Namespace).Update(t.Context(), role, metav1.UpdateOptions{})
	require.NoError(t, err)
	awaitMissing(t, user, all, without...)
}

// awaitMissing waits until the user lacks these of all rights. The API server
// learns of a new Role a little later.
func awaitMissing(t *testing.T, user *rest.Config, all []authorizationv1.ResourceAttributes, want ...authorizationv1.ResourceAttributes) {
	_, kube := clientsOf(t, user)
	ctx, api := t.Context(), kube.AuthorizationV1().SelfSubjectAccessReviews()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		err := rights.Check(ctx, api, all)
		if len(want) == 0 {
			require.NoError(t, err)
			return
		}
		var missing *rights.MissingError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, want, missing.Rights)
	}, time.Minute, time.Millisecond)
}

func TestARolloutWithoutOneOfTheRightsNamesIt(t *testing.T) {
	for _, right := range needed(t, "some") {
		t.Run(right.Verb+" "+right.Resource+" "+right.Name, func(t *testing.T) {
			r := newRelease(t, &canarytest.Judge{})
			right.Namespace = r.namespace
			r.deprive(t, right)
			text := r.trouble(t)
			t.Log(text)
			require.Contains(t, text, right.Resource+"."+right.Group+` "`+right.Name+`" is forbidden`)
			require.Contains(t, text, "cannot "+right.Verb+` resource "`+right.Resource+`"`)
		})
	}
}

// trouble drives until a turn fails or cannot find out what it must know, and
// returns what is said about it.
func (r *release) trouble(t *testing.T) string {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said string
	runner, err := newRunner(r.config, r.namespace, r.judge, func(_ context.Context, e canary.Event) {
		reason := e.Reason.String()
		switch {
		case said != "":
		case e.Err != nil:
			said = e.Err.Error()
			cancel()
		case strings.Contains(reason, "no answer"):
			said = reason
			cancel()
		}
	})
	require.NoError(t, err)
	_, err = runner.Run(ctx)
	require.Error(t, err)
	return said
}
