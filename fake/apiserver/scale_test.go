package apiserver_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/apiserver"
)

func TestADeploymentIsScaledThroughItsSubresource(t *testing.T) {
	s := newServer(t, deployment)
	require.NoError(t, s.Update(deployments, "bookinfo", "reviews-v1", func(o map[string]any) {
		o["status"] = map[string]any{"replicas": 1}
	}))
	c := kubeClient(t, s).AppsV1().Deployments("bookinfo")
	scale, err := c.GetScale(ctx, "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, scale.Spec.Replicas)
	require.EqualValues(t, 1, scale.Status.Replicas)
	require.Equal(t, "app=reviews", scale.Status.Selector)

	scale.Spec.Replicas = 4
	next, err := c.UpdateScale(ctx, "reviews-v1", scale, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 4, next.Spec.Replicas)
	d, err := c.Get(ctx, "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 4, *d.Spec.Replicas)
	require.EqualValues(t, 2, d.Generation, "a new generation, as of any change of the spec")
	require.EqualValues(t, 1, d.Status.Replicas)
	require.Equal(t, d.ResourceVersion, next.ResourceVersion)

	_, err = c.UpdateScale(ctx, "reviews-v1", scale, metav1.UpdateOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	next.Spec.Replicas = 0
	next, err = c.UpdateScale(ctx, "reviews-v1", next, metav1.UpdateOptions{DryRun: []string{"All"}})
	require.NoError(t, err)
	require.Zero(t, next.Spec.Replicas)
	require.EqualValues(t, 4, stored(t, s, deployments, "reviews-v1")["spec"].(map[string]any)["replicas"])
	require.Equal(t, 3, s.Requests()[apiserver.Request{Verb: "update", Resource: deployments + "/scale"}])
}

func TestAScaleIsPatched(t *testing.T) {
	s := newServer(t, deployment)
	rest := kubeClient(t, s).AppsV1().RESTClient()
	for kind, patch := range map[types.PatchType]string{
		types.MergePatchType:          `{"spec":{"replicas":3}}`,
		types.JSONPatchType:           `[{"op":"replace","path":"/spec/replicas","value":3}]`,
		types.StrategicMergePatchType: `{"spec":{"replicas":3}}`,
	} {
		raw, err := rest.Patch(kind).Namespace("bookinfo").Resource("deployments").Name("reviews-v1").SubResource("scale").Body([]byte(patch)).DoRaw(ctx)
		require.NoError(t, err, "%s", raw)
		var scale struct {
			Kind string
			Spec struct{ Replicas int }
		}
		require.NoError(t, json.Unmarshal(raw, &scale))
		require.Equal(t, "Scale", scale.Kind)
		require.Equal(t, 3, scale.Spec.Replicas, kind)
		require.NoError(t, s.Update(deployments, "bookinfo", "reviews-v1", func(o map[string]any) {
			o["spec"].(map[string]any)["replicas"] = 1
		}))
	}
}

func TestAScaleIsRefused(t *testing.T) {
	s := newServer(t, deployment)
	rest := kubeClient(t, s).AppsV1().RESTClient()
	for _, tc := range []struct {
		name, body string
		is         func(error) bool
	}{
		{"below zero", `{"spec":{"replicas":-1}}`, apierrors.IsInvalid},
		{"of another object", `{"metadata":{"uid":"other"}}`, apierrors.IsConflict},
		{"of an old version", `{"metadata":{"resourceVersion":"1"}}`, apierrors.IsConflict},
		{"of another name", `{"metadata":{"name":"other"}}`, apierrors.IsBadRequest},
		{"of text", `{"spec":{"replicas":"many"}}`, apierrors.IsInvalid},
		{"of another kind", `{"kind":"Deployment"}`, apierrors.IsInvalid},
	} {
		err := rest.Patch(types.MergePatchType).Namespace("bookinfo").Resource("deployments").Name("reviews-v1").SubResource("scale").Body([]byte(tc.body)).Do(ctx).Error()
		require.True(t, tc.is(err), "%s: %v", tc.name, err)
	}
	err := rest.Get().Namespace("bookinfo").Resource("deployments").Name("none").SubResource("scale").Do(ctx).Error()
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	err = rest.Delete().Namespace("bookinfo").Resource("deployments").Name("reviews-v1").SubResource("scale").Do(ctx).Error()
	require.True(t, apierrors.IsMethodNotSupported(err), "%v", err)
	err = rest.Get().Namespace("bookinfo").Resource("replicasets").Name("reviews-v1").SubResource("scale").Do(ctx).Error()
	require.True(t, apierrors.IsMethodNotSupported(err), "%v", err)
}
