package apiserver_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/fake/apiserver"
)

// snapshot is what a list tells: the version, and the version of each object by name.
type snapshot struct {
	version string
	objects map[string]string
}

func list(t require.TestingT, c dynamic.ResourceInterface, selector string) snapshot {
	all, err := c.List(ctx, metav1.ListOptions{LabelSelector: selector})
	require.NoError(t, err)
	s := snapshot{all.GetResourceVersion(), map[string]string{}}
	for _, o := range all.Items {
		s.objects[o.GetName()] = o.GetResourceVersion()
	}
	return s
}

// step does one random thing to one of three objects; most of them can fail, which is no change.
func step(t *rapid.T, s *apiserver.Server, c dynamic.ResourceInterface) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
	n := rapid.IntRange(0, 2).Draw(t, "label")
	labels := fmt.Sprintf(`{"metadata":{"labels":{"n":"%d"}}}`, n)
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		_, _ = c.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
			"metadata": map[string]any{"name": name, "labels": map[string]any{"n": fmt.Sprint(n)}},
		}}, metav1.CreateOptions{})
	case 1:
		_, _ = c.Patch(ctx, name, types.MergePatchType, []byte(labels), metav1.PatchOptions{})
	case 2:
		_ = c.Delete(ctx, name, metav1.DeleteOptions{})
	case 3:
		_ = s.Update(virtualServices, "bookinfo", name, func(o map[string]any) { o["status"] = map[string]any{"n": n} })
	}
}

// Whatever is selected: the objects of a list, and the changes that a watch tells from its version on, make the next list.
func TestAListAndAWatchFromItsVersionMakeTheNextList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The wrapper hides t.Deadline, which a bubble does not allow.
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
			s := newServer(t)
			c := dynamicClient(t, s, virtualServices)
			selector := rapid.SampledFrom([]string{"", "n=1", "n!=1"}).Draw(rt, "selector")
			for range rapid.IntRange(0, 6).Draw(rt, "before") {
				step(rt, s, c)
			}
			at := list(rt, c, selector)
			for range rapid.IntRange(0, 10).Draw(rt, "after") {
				step(rt, s, c)
			}
			want, second := list(rt, c, selector), int64(1)
			w, err := c.Watch(ctx, metav1.ListOptions{ResourceVersion: at.version, LabelSelector: selector, TimeoutSeconds: &second})
			require.NoError(rt, err)
			for e := range w.ResultChan() {
				o := e.Object.(*unstructured.Unstructured)
				_, known := at.objects[o.GetName()]
				require.Equal(rt, e.Type == watch.Added, !known)
				at.objects[o.GetName()] = o.GetResourceVersion()
				if e.Type == watch.Deleted {
					delete(at.objects, o.GetName())
				}
			}
			require.Equal(rt, want.objects, at.objects)
		})
	})
}

// Whatever is sent: the server answers with a status of the client's fault, or does it, and its objects stay whole. Two
// mistakes of a client are the server's fault, as on the real one.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		reviews, `{"metadata":{"name":"x"}}`, `{"metadata":7,"spec":[]}`, `{"spec":{"http":[{"route":[{"weight":1e99}]}]}}`,
		`[{"op":"replace","path":"","value":{}}]`, `[{"op":"remove","path":"/metadata"}]`, `[{"op":"copy","from":"/spec","path":"/x"}]`,
		`[{"op":"replace","path":"/metadata","value":null}]`, `[{"op":"add","path":"/status","value":7}]`,
		`[{"op":"replace","path":""}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newServer(t, reviews, deployment)
		_ = s.Load(body)
		for _, resource := range []string{virtualServices, deployments} {
			name := map[string]string{virtualServices: "reviews", deployments: "reviews-v1"}[resource]
			uid := stored(t, s, resource, name)["metadata"].(map[string]any)["uid"]
			c := dynamicClient(t, s, resource)
			for _, kind := range []types.PatchType{types.JSONPatchType, types.MergePatchType, types.StrategicMergePatchType} {
				_, err := c.Patch(ctx, name, kind, body, metav1.PatchOptions{})
				if status, ok := err.(interface{ Status() metav1.Status }); ok && status.Status().Code >= 500 {
					require.Regexp(t, "leaves no apiVersion|metadata.resourceVersion: Invalid value", err.Error())
				}
				after := stored(t, s, resource, name)
				require.Equal(t, uid, after["metadata"].(map[string]any)["uid"])
				require.NotEmpty(t, after["kind"])
			}
		}
	})
}
