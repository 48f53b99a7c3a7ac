package apiserver_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	versioned "istio.io/client-go/pkg/clientset/versioned"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
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

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: reviews-v1
  namespace: bookinfo
spec:
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews}}
    spec:
      containers:
      - {name: reviews, image: "reviews:1"}
      - {name: proxy, image: "proxy:1"}
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

func dynamicClient(t testing.TB, s *apiserver.Server, resource string) dynamic.ResourceInterface {
	t.Helper()
	c, err := dynamic.NewForConfig(s.Config())
	require.NoError(t, err)
	return c.Resource(schema.ParseGroupResource(resource).WithVersion("v1")).Namespace("bookinfo")
}

func document(t testing.TB, raw json.RawMessage) map[string]any {
	t.Helper()
	var tree map[string]any
	require.NoError(t, json.Unmarshal(raw, &tree))
	return tree
}

func object(t testing.TB, raw string) *unstructured.Unstructured {
	t.Helper()
	return &unstructured.Unstructured{Object: document(t, []byte(raw))}
}

func stored(t testing.TB, s *apiserver.Server, resource, name string) map[string]any {
	t.Helper()
	raw, ok := s.Get(resource, "bookinfo", name)
	require.True(t, ok)
	return document(t, raw)
}

func TestOneObjectIsSeenInEveryVersionOfItsAPI(t *testing.T) {
	ctx := context.Background()
	s := newServer(t, reviews)
	c := istioClient(t, s)

	old, err := c.NetworkingV1alpha3().VirtualServices("bookinfo").Get(ctx, "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"reviews"}, old.Spec.Hosts)
	old.Spec.Hosts = []string{"reviews", "reviews.example.org"}
	_, err = c.NetworkingV1alpha3().VirtualServices("bookinfo").Update(ctx, old, metav1.UpdateOptions{})
	require.NoError(t, err)

	mid, err := c.NetworkingV1beta1().VirtualServices("bookinfo").List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, mid.Items, 1)
	require.Equal(t, []string{"reviews", "reviews.example.org"}, mid.Items[0].Spec.Hosts)
	require.Equal(t, "networking.istio.io/v1", stored(t, s, virtualServices, "reviews")["apiVersion"])

	raw, err := dynamicClient(t, s, virtualServices).Get(ctx, "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "networking.istio.io/v1", raw.GetAPIVersion())
}
