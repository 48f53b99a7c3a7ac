package apiserver_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/restmapper"

	"github.com/serin-go/serin/fake/apiserver"
)

const deployments = "deployments.apps"

func TestLoadTellsTheMistakesOfAllDocumentsAndThenLoadsNothing(t *testing.T) {
	s := newServer(t)
	err := s.Load([]byte(reviews + `
---
# nothing but a comment
---
apiVersion: v1
kind: Unheard
metadata: {name: x}
---
apiVersion: v1
kind: Service
metadata: {name: x, name: y}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicants: 3}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bad}
spec: {http: 7}
---
[]
---
apiVersion: v1
kind: Pod
metadata: {namespace: a}
`))
	for _, want := range []string{
		`document 3: unknown kind "Unheard" in apiVersion "v1"`,
		`document 4: yaml: unmarshal errors`,
		`document 5: Deployment default/web: Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replicants"`,
		`document 6: VirtualService default/bad: `,
		`document 7: error decoding`,
		`document 8: Pod a/: `,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "document 1")
	require.Empty(t, s.List(virtualServices, ""))
}

func TestLoadReplacesAndKeepsTheIdentityAndTheStatus(t *testing.T) {
	s := newServer(t, deployment)
	before := stored(t, s, deployments, "reviews-v1")
	require.NoError(t, s.Update(deployments, "bookinfo", "reviews-v1", func(o map[string]any) {
		o["status"] = map[string]any{"replicas": 1}
	}))
	require.NoError(t, s.Load([]byte(strings.Replace(deployment, "reviews:1", "reviews:2", 1))))
	after := stored(t, s, deployments, "reviews-v1")
	require.Equal(t, before["metadata"].(map[string]any)["uid"], after["metadata"].(map[string]any)["uid"])
	require.EqualValues(t, 2, after["metadata"].(map[string]any)["generation"])
	require.Equal(t, map[string]any{"replicas": 1.0}, after["status"])
	require.NoError(t, s.Load([]byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: bookinfo}\n---\n"+
		"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: {podIP: 10.0.0.1}\n")))
	pod, ok := s.Get("pods", "default", "a")
	require.True(t, ok)
	require.Equal(t, map[string]any{"podIP": "10.0.0.1"}, document(t, pod)["status"])
	_, ok = s.Get("namespaces", "", "bookinfo")
	require.True(t, ok)
}

func TestASimulatorPlaysTheControllersThroughTheBackDoor(t *testing.T) {
	s := newServer(t)
	var seen []string
	s.OnChange(func(c apiserver.Change) {
		var d appsv1.Deployment
		require.NoError(t, json.Unmarshal(c.Object, &d))
		seen = append(seen, string(c.Type)+" "+c.Resource.Resource+" "+c.Namespace+"/"+c.Name)
		if c.Type == "DELETED" || d.Status.ObservedGeneration == d.Generation {
			return
		}
		_, ok := s.Get(deployments, c.Namespace, c.Name)
		require.True(t, ok)
		require.NoError(t, s.Update(deployments, c.Namespace, c.Name, func(o map[string]any) {
			o["status"] = map[string]any{"observedGeneration": d.Generation, "readyReplicas": *d.Spec.Replicas}
		}))
	})
	require.NoError(t, s.Load([]byte(deployment)))
	c := kubeClient(t, s).AppsV1().Deployments("bookinfo")
	d, err := c.Get(ctx, "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, d.Status.ReadyReplicas)

	*d.Spec.Replicas = 3
	_, err = c.Update(ctx, d, metav1.UpdateOptions{})
	require.NoError(t, err)
	d, err = c.Get(ctx, "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 3, d.Status.ReadyReplicas)
	require.EqualValues(t, 2, d.Status.ObservedGeneration)
	require.NoError(t, s.Delete(deployments, "bookinfo", "reviews-v1"))
	require.Equal(t, []string{
		"ADDED deployments bookinfo/reviews-v1", "MODIFIED deployments bookinfo/reviews-v1",
		"MODIFIED deployments bookinfo/reviews-v1", "MODIFIED deployments bookinfo/reviews-v1",
		"DELETED deployments bookinfo/reviews-v1",
	}, seen)
}

func TestTheBackDoorTellsWhatIsNotThere(t *testing.T) {
	s := newServer(t, reviews, deployment)
	nothing := func(map[string]any) {}
	require.True(t, apierrors.IsNotFound(s.Update("unheards.example.org", "", "x", nothing)))
	require.True(t, apierrors.IsNotFound(s.Update("pods", "", "x", nothing)))
	require.True(t, apierrors.IsNotFound(s.Delete("unheards.example.org", "", "x")))
	require.True(t, apierrors.IsNotFound(s.Delete("pods", "", "x")))
	require.Empty(t, s.List("unheards.example.org", ""))
	_, ok := s.Get("unheards.example.org", "", "x")
	require.False(t, ok)
	before, _ := s.Get(deployments, "bookinfo", "reviews-v1")
	require.NoError(t, s.Update(deployments, "bookinfo", "reviews-v1", nothing))
	after, _ := s.Get(deployments, "bookinfo", "reviews-v1")
	require.Equal(t, string(before), string(after))
	for _, spoil := range []func(map[string]any){
		func(o map[string]any) { o["spec"] = make(chan int) },
		func(o map[string]any) { o["spec"] = "text" },
		func(o map[string]any) { o["kind"] = "Pod" },
	} {
		require.Error(t, s.Update(deployments, "bookinfo", "reviews-v1", spoil))
	}
}

func TestAListIsInOrderAndSelects(t *testing.T) {
	s := newServer(t)
	pods := kubeClient(t, s).CoreV1().Pods
	for _, name := range []string{"b/z", "a/y", "b/a"} {
		namespace, pod, _ := strings.Cut(name, "/")
		_, err := pods(namespace).Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: pod, Labels: map[string]string{"ns": namespace}}}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	names := func(namespace string, o metav1.ListOptions) (found []string) {
		list, err := pods(namespace).List(ctx, o)
		require.NoError(t, err)
		require.NotEqual(t, "0", list.ResourceVersion)
		for _, p := range list.Items {
			found = append(found, p.Namespace+"/"+p.Name)
		}
		return found
	}
	require.Equal(t, []string{"a/y", "b/a", "b/z"}, names("", metav1.ListOptions{}))
	require.Equal(t, []string{"b/a", "b/z"}, names("b", metav1.ListOptions{}))
	require.Equal(t, []string{"a/y"}, names("", metav1.ListOptions{LabelSelector: "ns notin (b)"}))
	require.Equal(t, []string{"b/z"}, names("", metav1.ListOptions{FieldSelector: "metadata.namespace=b,metadata.name!=a"}))
	require.NoError(t, pods("b").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=a"}))
	require.Equal(t, []string{"a/y", "b/z"}, names("", metav1.ListOptions{}))
	require.Len(t, s.List("pods", "b"), 1)
}

func TestDiscoveryIsEnoughForARESTMapper(t *testing.T) {
	s := newServer(t)
	d := kubeClient(t, s).Discovery()
	groups, err := restmapper.GetAPIGroupResources(d)
	require.NoError(t, err)
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	for _, tc := range []struct{ group, kind, resource string }{
		{"networking.istio.io", "Gateway", "gateways.networking.istio.io"},
		{"gateway.networking.k8s.io", "Gateway", "gateways.gateway.networking.k8s.io"},
		{"apps", "Deployment", "deployments.apps"},
		{"", "Pod", "pods"},
	} {
		m, err := mapper.RESTMapping(schema.GroupKind{Group: tc.group, Kind: tc.kind}, "v1")
		require.NoError(t, err)
		require.Equal(t, tc.resource, m.Resource.GroupResource().String())
	}
	v, err := d.ServerVersion()
	require.NoError(t, err)
	require.Equal(t, "1", v.Major)
}

func TestWhatNoClientSendsIsAnsweredWithAStatus(t *testing.T) {
	s := newServer(t, reviews)
	const base = "/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices"
	for _, tc := range []struct {
		method, path, mediaType, body string
		code                          int
	}{
		{"GET", "/", "", "", http.StatusNotFound},
		{"GET", "/apis/x", "", "", http.StatusNotFound},
		{"GET", "/apis/x/v1/y", "", "", http.StatusNotFound},
		{"GET", "/healthz/a/b/c", "", "", http.StatusNotFound},
		{"GET", base + "/reviews/status/more", "", "", http.StatusNotFound},
		{"GET", base + "/reviews/status", "", "", http.StatusOK},
		{"GET", base + "/reviews/scale", "", "", http.StatusMethodNotAllowed},
		{"POST", base + "/reviews", "", "{}", http.StatusMethodNotAllowed},
		{"POST", "/apis/networking.istio.io/v1/virtualservices", "", "{}", http.StatusMethodNotAllowed},
		{"POST", base, "application/json", "null", http.StatusBadRequest},
		{"POST", base, "application/json", "{", http.StatusBadRequest},
		{"POST", base, "application/vnd.kubernetes.protobuf", "{}", http.StatusUnsupportedMediaType},
		{"DELETE", base + "/reviews", "application/json", "{", http.StatusBadRequest},
		{"DELETE", base, "application/json", "{", http.StatusBadRequest},
		{"DELETE", base + "?labelSelector=!!", "", "", http.StatusBadRequest},
		{"GET", base + "?watch=1&timeoutSeconds=x", "", "", http.StatusBadRequest},
		{"GET", "/api/v1/namespaces/none/status", "", "", http.StatusNotFound},
		{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json", "{}", http.StatusCreated},
		{"GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "", "", http.StatusMethodNotAllowed},
		{"GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x", "", "", http.StatusMethodNotAllowed},
	} {
		r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.mediaType)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.Equal(t, tc.code, w.Code, "%s %s: %s", tc.method, tc.path, w.Body)
		require.True(t, json.Valid(w.Body.Bytes()))
	}
	require.Len(t, s.List(virtualServices, "bookinfo"), 1)
}

func TestAReplicaSetHasOneReplicaUnlessItSaysOtherwise(t *testing.T) {
	s := newServer(t, strings.Replace(deployment, "kind: Deployment", "kind: ReplicaSet", 1))
	spec := stored(t, s, "replicasets.apps", "reviews-v1")["spec"].(map[string]any)
	require.EqualValues(t, 1, spec["replicas"])
}
