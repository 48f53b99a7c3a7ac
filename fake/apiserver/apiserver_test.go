package apiserver_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	versioned "istio.io/client-go/pkg/clientset/versioned"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/fake/apiserver"
)

const virtualServices = "virtualservices.networking.istio.io"

const reviews = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  namespace: bookinfo
  labels: {app: reviews}
spec:
  hosts: [reviews]
  newerThanAnyType: {keep: me}
  http:
  - name: primary
    timeout: 3s
    route:
    - destination: {host: reviews, subset: v1}
      weight: 100
    - destination: {host: reviews, subset: v2}
`

func newServer(t testing.TB, manifests ...string) *apiserver.Server {
	t.Helper()
	s := apiserver.New()
	for _, m := range manifests {
		require.NoError(t, s.Load([]byte(m)))
	}
	return s
}

func istioClient(t testing.TB, s *apiserver.Server) versioned.Interface {
	t.Helper()
	c, err := versioned.NewForConfig(s.Config())
	require.NoError(t, err)
	return c
}

func kubeClient(t testing.TB, s *apiserver.Server) kubernetes.Interface {
	t.Helper()
	c, err := kubernetes.NewForConfig(s.Config())
	require.NoError(t, err)
	return c
}

func document(t testing.TB, raw json.RawMessage) map[string]any {
	t.Helper()
	var tree map[string]any
	require.NoError(t, json.Unmarshal(raw, &tree))
	return tree
}

func TestAJSONPatchWithTheVersionReadIsDoneOnceAndThenIsAConflict(t *testing.T) {
	s := newServer(t, reviews)
	vs := istioClient(t, s).NetworkingV1().VirtualServices("bookinfo")
	read, err := vs.Get(context.Background(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	patch := []byte(`[{"op":"replace","path":"/metadata/resourceVersion","value":"` + read.ResourceVersion + `"},
		{"op":"replace","path":"/spec/http/0/route/0/weight","value":90},
		{"op":"add","path":"/spec/http/0/route/1/weight","value":10}]`)

	written, err := vs.Patch(context.Background(), "reviews", types.JSONPatchType, patch, metav1.PatchOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, written.Generation)
	require.EqualValues(t, 10, written.Spec.Http[0].Route[1].Weight)
	raw, _ := s.Get(virtualServices, "bookinfo", "reviews")
	require.Contains(t, string(raw), `"newerThanAnyType":{"keep":"me"}`)

	_, err = vs.Patch(context.Background(), "reviews", types.JSONPatchType, patch, metav1.PatchOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
}
