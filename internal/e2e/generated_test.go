package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"pgregory.net/rapid"
)

// writer is how somebody writes objects of one resource, well or badly.
type writer struct {
	// document is one with further metadata; what it says is drawn.
	document func(t *rapid.T, metadata string) string
	// good is a document that nobody refuses.
	good func(metadata string) string
	// operations are those of a JSON patch.
	operations *rapid.Generator[string]
}

// often draws one of the many, and now and then one of the few.
func often(many, few []string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 9).Draw(t, "seldom") == 9 {
			return rapid.SampledFrom(few).Draw(t, "few")
		}
		return rapid.SampledFrom(many).Draw(t, "many")
	})
}

var weights = often([]string{"0", "1", "20", "80", "100"}, []string{"-1", "null", `"x"`, "1.5", "1.0", "300", "3000000000"})

// versions are what a writer can say that it has read.
var versions = often([]string{"", `,"resourceVersion":"$now"`, `,"resourceVersion":"$now"`, `,"resourceVersion":"$old"`},
	[]string{`,"resourceVersion":"x"`, `,"resourceVersion":"0"`})

// others are the metadata beside name and version.
var others = often(
	[]string{"", `,"annotations":{"a":"b"}`, `,"annotations":{"a":"c"},"labels":{"l":"m"}`, `,"labels":{}`},
	[]string{`,"labels":{"l":"not a label"}`, `,"annotations":{"a":1}`, `,"conjure":1`, `,"finalizers":["example.com/wait"]`, `,"uid":"other"`, `,"generation":7`},
)

// ofMetadata are the operations that fit to every resource.
var ofMetadata = []string{
	nowGuard, nowGuard, oldGuard,
	`{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}`,
	`{"op":"add","path":"/metadata/annotations/c","value":"d"}`,
	`{"op":"remove","path":"/metadata/annotations/c"}`,
	`{"op":"add","path":"/metadata/labels","value":{"a":"b"}}`,
	`{"op":"add","path":"/metadata/finalizers","value":["example.com/wait"]}`,
	`{"op":"remove","path":"/metadata/finalizers"}`,
	`{"op":"add","path":"/spec/conjure","value":1}`,
	`{"op":"test","path":"/metadata/resourceVersion","value":"$now"}`,
	`{"op":"test","path":"/metadata/resourceVersion","value":"$old"}`,
}

// operations draws from those of every resource, from some, or one with a weight in the place of %s.
func operations(some ...string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		operation := rapid.OneOf(rapid.SampledFrom(some), rapid.SampledFrom(some), rapid.SampledFrom(ofMetadata)).Draw(t, "operation")
		return strings.Replace(operation, "%s", weights.Draw(t, "number"), 1)
	})
}

var virtualServiceWriter = writer{
	document: func(t *rapid.T, metadata string) string {
		rules := split(weights.Draw(t, "v1"), weights.Draw(t, "v2"))
		if rapid.IntRange(0, 4).Draw(t, "other rule") == 0 {
			rules = createRule(rapid.SampledFrom(httpRules).Draw(t, "rule"))[0].body
			rules = rules[strings.Index(rules, `"http":`)+len(`"http":`) : len(rules)-2]
		}
		return virtualService(rules, metadata)
	},
	good: func(metadata string) string { return virtualService(split("100", "0"), metadata) },
	operations: operations(
		`{"op":"replace","path":"/spec/http/0/route/0/weight","value":%s}`,
		`{"op":"add","path":"/spec/http/0/route/1/weight","value":%s}`,
		`{"op":"remove","path":"/spec/http/0/route/1"}`,
		`{"op":"add","path":"/spec/http/0/route/-","value":{"destination":{"host":"third"},"weight":%s}}`,
		`{"op":"copy","from":"/spec/http/0","path":"/spec/http/0"}`,
		`{"op":"move","from":"/spec/http/1","path":"/spec/http/0"}`,
		`{"op":"add","path":"/spec/http/0/mirror","value":{"host":"third"}}`,
		`{"op":"add","path":"/spec/http/0/mirrorPercentage","value":{"value":%s}}`,
		`{"op":"remove","path":"/spec/http/0/mirror"}`,
		`{"op":"test","path":"/spec/http/0/name","value":"all"}`,
		`{"op":"test","path":"/spec/http/0/route/0/weight","value":%s}`,
		`{"op":"add","path":"/spec/http/0/match","value":[{"headers":{"x-user":{"exact":"a"}}}]}`,
	),
}

var destinationRuleWriter = writer{
	document: func(t *rapid.T, metadata string) string {
		spec := rapid.SampledFrom(destinationRuleSpecs).Draw(t, "spec")
		return destinationRuleOf(metadata, spec)
	},
	good: func(metadata string) string {
		return destinationRuleOf(metadata, `{"host":"reviews","subsets":[{"name":"v1","labels":{"version":"v1"}}]}`)
	},
	operations: operations(
		`{"op":"add","path":"/spec/subsets/-","value":{"name":"v2","labels":{"version":"v2"}}}`,
		`{"op":"add","path":"/spec/subsets/0","value":{"name":"v%s"}}`,
		`{"op":"remove","path":"/spec/subsets/0"}`,
		`{"op":"remove","path":"/spec/subsets"}`,
		`{"op":"add","path":"/spec/subsets","value":[]}`,
		`{"op":"replace","path":"/spec/subsets/0/name","value":""}`,
		`{"op":"add","path":"/spec/trafficPolicy","value":{"outlierDetection":{"maxEjectionPercent":%s}}}`,
		`{"op":"add","path":"/spec/trafficPolicy","value":{}}`,
		`{"op":"test","path":"/spec/subsets/0/name","value":"v1"}`,
	),
}

var deploymentWriter = writer{
	document: func(t *rapid.T, metadata string) string {
		return strings.Replace(deployment(metadata), `"a:1"`, often([]string{`"a:1"`, `"a:2"`, `"a"`}, []string{`""`, "7", "null"}).Draw(t, "image"), 1)
	},
	good: deployment,
	operations: operations(
		newImage, newImage,
		`{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"b","image":"b"}}`,
		`{"op":"remove","path":"/spec/template/spec/containers/0"}`,
		`{"op":"add","path":"/spec/template/metadata/annotations","value":{"a":"b"}}`,
		`{"op":"add","path":"/spec/template/metadata/labels/version","value":"v2"}`,
		`{"op":"remove","path":"/spec/template/metadata/labels/app"}`,
		`{"op":"replace","path":"/spec/selector/matchLabels","value":{"app":"a","version":"v2"}}`,
		`{"op":"replace","path":"/spec/minReadySeconds","value":%s}`,
		`{"op":"add","path":"/spec/minReadySeconds","value":%s}`,
		`{"op":"remove","path":"/spec/progressDeadlineSeconds"}`,
		`{"op":"replace","path":"/spec/strategy","value":{"type":"Recreate"}}`,
		`{"op":"replace","path":"/spec/strategy/rollingUpdate/maxSurge","value":%s}`,
		`{"op":"replace","path":"/spec/replicas","value":0}`,
		`{"op":"test","path":"/spec/paused","value":true}`,
	),
}

// request is anything that a writer does.
func (w writer) request() *rapid.Generator[request] {
	some := func(body func(t *rapid.T) request) *rapid.Generator[request] { return rapid.Custom(body) }
	verb := func(t *rapid.T, verb string) string {
		return rapid.SampledFrom([]string{verb, verb, verb, "strict " + verb}).Draw(t, "verb")
	}
	return rapid.OneOf(
		some(func(t *rapid.T) request { return request{verb(t, "create"), w.good(others.Draw(t, "others"))} }),
		some(func(t *rapid.T) request {
			return request{verb(t, "update"), w.document(t, versions.Draw(t, "version")+others.Draw(t, "others"))}
		}),
		some(func(t *rapid.T) request {
			return request{verb(t, "json patch"), jsonPatch(rapid.SliceOfN(w.operations, 1, 3).Draw(t, "operations")...).body}
		}),
		some(func(t *rapid.T) request {
			return request{verb(t, "json patch"), jsonPatch(append([]string{nowGuard}, rapid.SliceOfN(w.operations, 1, 2).Draw(t, "operations")...)...).body}
		}),
		some(func(t *rapid.T) request {
			return request{"dry json patch", jsonPatch(w.operations.Draw(t, "operation")).body}
		}),
		some(func(t *rapid.T) request {
			return request{verb(t, "merge patch"), `{"metadata":{"name":"$name"` + versions.Draw(t, "version") + others.Draw(t, "others") + `}}`}
		}),
		some(func(t *rapid.T) request {
			return request{"status merge patch", `{"metadata":{"name":"$name"` + versions.Draw(t, "version") + others.Draw(t, "others") + `},"spec":null}`}
		}),
		rapid.SampledFrom([]request{
			{"get", ""},
			{"delete", ""},
			{"delete", `{"preconditions":{"resourceVersion":"$now"}}`},
			{"delete", `{"preconditions":{"resourceVersion":"$old"}}`},
			{"delete", `{"preconditions":{"uid":"other"}}`},
		}),
	)
}

func TestWhateverIsWrittenTheFakeAndARealAPIServerAnswerAlike(t *testing.T) {
	var sequences, requests atomic.Int64
	for _, c := range []struct {
		name     string
		resource schema.GroupVersionResource
		webhook  bool
		writer   writer
	}{
		{"VirtualServices", virtualServices, false, virtualServiceWriter},
		{"VirtualServices, with Istio's webhook", virtualServices, true, virtualServiceWriter},
		{"DestinationRules", destinationRules, false, destinationRuleWriter},
		{"DestinationRules, with Istio's webhook", destinationRules, true, destinationRuleWriter},
		{"Deployments", deployments, false, deploymentWriter},
	} {
		t.Run(c.name, func(t *testing.T) {
			pair := newPair(t, c.resource, c.webhook)
			rapid.Check(t, func(rt *rapid.T) {
				name := fmt.Sprintf("subject-%d", sequences.Add(1))
				since := pair.versions(rt)
				first := request{"create", c.writer.good(rapid.SampledFrom([]string{"", `,"annotations":{"a":"b"}`}).Draw(rt, "first"))}
				sent := append([]request{first}, rapid.SliceOfN(c.writer.request(), 1, 12).Draw(rt, "requests")...)
				requests.Add(int64(len(sent)))
				found, err := pair.differences(t.Context(), name, sent)
				require.NoError(rt, err)
				require.Empty(rt, found)
				marker := c.writer.good("")
				require.Equal(rt, events(rt, pair.real, since[1], name, marker), events(rt, pair.fake, since[0], name, marker))
			})
		})
	}
	t.Logf("%d generated sequences with %d requests compared, and the events of their watches", sequences.Load(), requests.Load())
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

// events are what a watch tells of an object since a version, until another object is created that marks the end. Of a
// Deployment those are left out that change nothing to see: they are of the controllers.
func events(t require.TestingT, client dynamic.ResourceInterface, since, name, marker string) []string {
	end := &unstructured.Unstructured{}
	require.NoError(t, json.Unmarshal([]byte(strings.Replace(marker, "$name", name+"-end", 1)), &end.Object))
	_, err := client.Create(context.Background(), end, metav1.CreateOptions{})
	require.NoError(t, err)
	w, err := client.Watch(context.Background(), metav1.ListOptions{ResourceVersion: since})
	require.NoError(t, err)
	defer w.Stop()
	var told []string
	before := ""
	for e := range w.ResultChan() {
		o, ok := e.Object.(*unstructured.Unstructured)
		require.True(t, ok, "%v", e)
		if o.GetName() == end.GetName() {
			return told
		}
		if o.GetName() != name {
			continue
		}
		now := fmt.Sprintf("generation %d, being deleted: %t, finalizers %v, %s",
			o.GetGeneration(), o.GetDeletionTimestamp() != nil, o.GetFinalizers(), visible(o))
		if o.GetKind() != "Deployment" || e.Type != "MODIFIED" || now != before {
			told = append(told, fmt.Sprintf("%s %s", e.Type, now))
		}
		before = now
	}
	require.Fail(t, "the watch ended")
	return nil
}
