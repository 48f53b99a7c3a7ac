package workload_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake/apiserver"
)

func TestErrorsNameTheObjectAndSayWhetherToTryAgain(t *testing.T) {
	invalid := apierrors.NewInvalid(appsv1.SchemeGroupVersion.WithKind("Deployment").GroupKind(), "reviews-v1", nil)
	for name, c := range map[string]struct {
		prepare func(cluster)
		object  string
		is, not error
	}{
		"stable is not there": {func(c cluster) { require.NoError(c, c.server.Delete(deployments, "bookinfo", "reviews-v1")) },
			"reviews-v1", canary.ErrRefused, canary.ErrConflict},
		"the canary is not there": {func(c cluster) { require.NoError(c, c.server.Delete(deployments, "bookinfo", "reviews-v2")) },
			"reviews-v2", canary.ErrRefused, canary.ErrConflict},
		"validation refuses": {fault("patch", apiserver.Refuse(invalid)), "reviews-v1", canary.ErrRefused, canary.ErrConflict},
		"a webhook refuses":  {fault("patch", apiserver.Refuse(apierrors.NewForbidden(appsv1.Resource("deployments"), "reviews-v1", errors.New("denied")))), "reviews-v1", canary.ErrForbidden, canary.ErrConflict},
		"the server fails":   {fault("patch", apiserver.ServerError()), "reviews-v1", nil, canary.ErrRefused},
		"the record is not one": {func(c cluster) {
			c.change("reviews-v1", func(d *appsv1.Deployment) { d.Annotations = map[string]string{workload.Annotation: "{}}"} })
		}, "reviews-v1", canary.ErrBadState, canary.ErrConflict},
		"no container has the same name": {func(c cluster) {
			c.change("reviews-v2", func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.InitContainers = nil
				d.Spec.Template.Spec.Containers[0].Name = "other"
			})
			c.finish("reviews-v2")
			c.begins(at(2))
		}, "reviews-v1", canary.ErrRefused, canary.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			cl := newCluster(t)
			c.prepare(cl)
			_, err := cl.workload(both).Promote(t.Context(), canary.Question{Fence: at(7)})
			var known *workload.Error
			require.ErrorAs(t, err, &known)
			require.Equal(t, []string{"Deployment", "bookinfo", c.object}, []string{known.Kind, known.Namespace, known.Name})
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			require.NotErrorIs(t, err, c.not)
		})
	}
}

func fault(verb string, f apiserver.Fault) func(cluster) {
	return func(c cluster) {
		c.server.Hook(func(call apiserver.Call) apiserver.Fault {
			if call.Verb == verb {
				return f
			}
			return nil
		})
	}
}

func TestRestoreRefusesWhatCannotBePutBack(t *testing.T) {
	c := newCluster(t)
	w := c.workload(both)
	says(t, canary.Wait, w.Promote, 7)
	c.change("reviews-v1", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Name = "renamed" })
	_, err := w.Restore(t.Context(), canary.Question{Fence: at(8)})
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, `it has no container "reviews" for the image "reviews:v1"`)
}

func TestAnEndedContextIsToldAndLeavesNothingHalfDone(t *testing.T) {
	c := newCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	remove := c.server.Hook(func(call apiserver.Call) apiserver.Fault {
		if call.Verb == "patch" {
			cancel()
			return apiserver.After(apiserver.Hang())
		}
		return nil
	})
	_, err := c.workload(both).Promote(ctx, canary.Question{Fence: at(7)})
	require.ErrorIs(t, err, context.Canceled)
	remove()
	c.writes()
	says(t, canary.Wait, c.workload(both).Promote, 7)
	require.Zero(t, c.writes(), "it had happened")
}
