package e2e_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"pgregory.net/rapid"
)

// weights are good and bad; bad ones come less often.
var weights = rapid.SampledFrom([]string{"0", "1", "20", "80", "100", "0", "1", "20", "80", "100", "-1", "null", `"x"`, "1.5", "3000000000"})

// rules are http rules of a VirtualService.
var rules = rapid.Custom(func(t *rapid.T) string {
	return split(weights.Draw(t, "v1"), weights.Draw(t, "v2"))
})

// versions are what a writer can say that it has read.
var versions = rapid.SampledFrom([]string{"", `,"resourceVersion":"$now"`, `,"resourceVersion":"$now"`, `,"resourceVersion":"$old"`})

var annotations = rapid.SampledFrom([]string{"", `,"annotations":{"a":"b"}`, `,"annotations":{"a":"c"},"labels":{"l":"m"}`})

// operations are those of a JSON patch. None removes an annotation: what becomes
// of the last one is a known difference.
var operations = rapid.Custom(func(t *rapid.T) string {
	weight := weights.Draw(t, "weight")
	return rapid.SampledFrom([]string{
		`{"op":"replace","path":"/spec/http/0/route/0/weight","value":` + weight + `}`,
		`{"op":"add","path":"/spec/http/0/route/1/weight","value":` + weight + `}`,
		`{"op":"remove","path":"/spec/http/0/route/1"}`,
		`{"op":"add","path":"/spec/http/0/route/-","value":{"destination":{"host":"third"},"weight":` + weight + `}}`,
		`{"op":"copy","from":"/spec/http/0","path":"/spec/http/0"}`,
		`{"op":"move","from":"/spec/http/1","path":"/spec/http/0"}`,
		`{"op":"add","path":"/spec/http/0/mirror","value":{"host":"third"}}`,
		`{"op":"add","path":"/spec/http/0/mirrorPercentage","value":{"value":` + weight + `}}`,
		`{"op":"remove","path":"/spec/http/0/mirror"}`,
		`{"op":"test","path":"/spec/http/0/name","value":"all"}`,
		`{"op":"test","path":"/spec/http/0/route/0/weight","value":100}`,
		`{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}`,
		`{"op":"add","path":"/metadata/annotations/c","value":"d"}`,
		nowGuard, nowGuard, oldGuard,
	}).Draw(t, "operation")
})

// anyRequest is one that writers of VirtualServices make, well or badly.
var anyRequest = rapid.OneOf(
	rapid.Custom(func(t *rapid.T) request {
		return request{"create", virtualService(split("80", "20"), annotations.Draw(t, "annotations"))}
	}),
	rapid.Custom(func(t *rapid.T) request {
		return request{"update", virtualService(rules.Draw(t, "rules"), versions.Draw(t, "version")+annotations.Draw(t, "annotations"))}
	}),
	rapid.Custom(func(t *rapid.T) request {
		return jsonPatch(rapid.SliceOfN(operations, 1, 4).Draw(t, "operations")...)
	}),
	rapid.Custom(func(t *rapid.T) request {
		return jsonPatch(append([]string{nowGuard}, rapid.SliceOfN(operations, 1, 3).Draw(t, "operations")...)...)
	}),
	rapid.Custom(func(t *rapid.T) request {
		return request{"merge patch", `{"metadata":{"name":"$name"` + versions.Draw(t, "version") + annotations.Draw(t, "annotations") + `}}`}
	}),
	rapid.SampledFrom([]request{
		{"get", ""},
		{"delete", ""},
		{"delete", `{"preconditions":{"resourceVersion":"$now"}}`},
		{"delete", `{"preconditions":{"resourceVersion":"$old"}}`},
	}),
)

func TestWhateverIsWrittenTheFakeAndARealAPIServerAnswerAlike(t *testing.T) {
	var runs atomic.Int64
	for _, webhook := range []bool{false, true} {
		t.Run(fmt.Sprintf("webhook %t", webhook), func(t *testing.T) {
			pair := newPair(t, virtualServices, webhook)
			rapid.Check(t, func(rt *rapid.T) {
				name := fmt.Sprintf("subject-%d", runs.Add(1))
				since := pair.versions(rt)
				first := request{"create", virtualService(split("100", "0"), annotations.Draw(rt, "annotations"))}
				requests := append([]request{first}, rapid.SliceOfN(anyRequest, 1, 12).Draw(rt, "requests")...)
				found, err := pair.differences(t.Context(), name, requests)
				require.NoError(rt, err)
				require.Empty(rt, found)
				require.Equal(rt, events(rt, pair.real, since[1], name), events(rt, pair.fake, since[0], name))
			})
		})
	}
}

// versions are those of the lists of both, the fake's first.
func (p pair) versions(t require.TestingT) [2]string {
	var versions [2]string
	for i, client := range []dynamic.ResourceInterface{p.fake, p.real} {
		list, err := client.List(context.Background(), metav1.ListOptions{})
		require.NoError(t, err)
		versions[i] = list.GetResourceVersion()
	}
	return versions
}

// events are what a watch tells since a version.
func events(t require.TestingT, client dynamic.ResourceInterface, since, name string) []string {
	end := name + "-end"
	marker := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": map[string]any{"name": end},
		"spec": map[string]any{"hosts": []any{"end"}, "http": []any{map[string]any{"redirect": map[string]any{"uri": "/"}}}},
	}}
	_, err := client.Create(context.Background(), marker, metav1.CreateOptions{})
	require.NoError(t, err)
	w, err := client.Watch(context.Background(), metav1.ListOptions{ResourceVersion: since})
	require.NoError(t, err)
	defer w.Stop()
	var told []string
	for e := range w.ResultChan() {
		o, ok := e.Object.(*unstructured.Unstructured)
		require.True(t, ok, "%v", e)
		if o.GetName() == end {
			return told
		}
		told = append(told, fmt.Sprintf("%s generation %d %s", e.Type, o.GetGeneration(), visible(o)))
	}
	require.Fail(t, "the watch ended")
	return nil
}
