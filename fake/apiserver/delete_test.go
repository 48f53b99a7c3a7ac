package apiserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/apiserver"
)

const finalized = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo, finalizers: [example.org/wait]}
spec: {hosts: [reviews]}
`

func TestAnObjectWithAFinalizerIsMarkedAndGoesAwayWithIt(t *testing.T) {
	s := newServer(t, finalized)
	var told []string
	s.OnChange(func(c apiserver.Change) { told = append(told, string(c.Type)) })
	c, before := virtualService(t, s)

	dry := metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}
	require.NoError(t, c.Delete(ctx, "reviews", dry))
	for range 2 { // the second one finds the mark
		require.NoError(t, c.Delete(ctx, "reviews", metav1.DeleteOptions{}))
		_, marked := virtualService(t, s)
		require.NotNil(t, marked.DeletionTimestamp)
		require.Zero(t, *marked.DeletionGracePeriodSeconds)
		require.EqualValues(t, 2, marked.Generation)
		require.Equal(t, before.UID, marked.UID)
	}
	patch := func(body string, options metav1.PatchOptions) error {
		_, err := c.Patch(ctx, "reviews", types.MergePatchType, []byte(body), options)
		return err
	}
	require.True(t, apierrors.IsInvalid(patch(`{"metadata":{"finalizers":["example.org/wait","example.org/more"]}}`, metav1.PatchOptions{})))
	require.NoError(t, patch(`{"metadata":{"deletionTimestamp":null,"labels":{"still":"there"}}}`, metav1.PatchOptions{}))
	require.NoError(t, patch(`{"metadata":{"finalizers":null}}`, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}))
	require.Equal(t, []string{"MODIFIED", "MODIFIED"}, told)
	require.NoError(t, patch(`{"metadata":{"finalizers":null}}`, metav1.PatchOptions{}))
	_, err := c.Get(ctx, "reviews", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))
	require.Equal(t, []string{"MODIFIED", "MODIFIED", "DELETED"}, told)
}
