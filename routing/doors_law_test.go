package routing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// shelf is a Client of one object.
type shelf struct {
	t       tb
	o       object
	patches int
}

func (s *shelf) Get(context.Context, string, metav1.GetOptions) (*networking.VirtualService, error) {
	return s.o.typed(s.t), nil
}

func (s *shelf) Patch(_ context.Context, _ string, _ types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*networking.VirtualService, error) {
	s.patches++
	s.o = applyRaw(s.t, s.o, data)
	return s.o.typed(s.t), nil
}

// withoutDoors returns the object without what Doors added to it.
func withoutDoors(t tb, o object) string {
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	meta, s := doc["metadata"].(document), doc["spec"].(document)
	if annotations, ok := meta["annotations"].(document); ok {
		delete(annotations, routing.DoorsAnnotation)
		if len(annotations) == 0 {
			delete(meta, "annotations")
		}
	}
	s["http"] = slices.DeleteFunc(s["http"].([]any), func(r any) bool {
		name, _ := r.(document)["name"].(string)
		return strings.HasPrefix(name, "serin-door-")
	})
	text, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(text)
}

var doorMatches = rapid.SampledFrom([]string{
	`[{"uri":{"prefix":"/a"}}]`, `[{"uri":{"prefix":"/b"},"novel":1},{"headers":{"x":{"exact":"1"}}}]`,
	`[{"method":{"exact":"POST"}},{"headers":{},"uri":{"exact":"/a/b"}}]`, `[{"withoutHeaders":{"x":{}}}]`, `[{"uri":{"prefix":"/"}}]`, `[]`,
})

// drawDoorObject draws an object whose rules match on more, and may have other
// mirrors.
func drawDoorObject(t *rapid.T) object {
	var doc document
	require.NoError(t, json.Unmarshal(drawObject(t), &doc))
	for _, r := range doc["spec"].(document)["http"].([]any) {
		var match any
		require.NoError(t, json.Unmarshal([]byte(doorMatches.Draw(t, "match")), &match))
		r.(document)["match"] = match
	}
	o, err := json.Marshal(doc)
	require.NoError(t, err)
	return o
}

// Whatever happens, the object with its doors is the one without, and the doors.
func TestDoorsChangeNothingElseAndLeaveNoTrace(t *testing.T) {
	h := renderer(t, routing.Target{
		Namespace: "prod", Name: "reviews", Rules: []routing.Rule{{Name: "b"}, {Name: "a"}}, Arms: lawArms,
	})
	rapid.Check(t, func(t *rapid.T) {
		var r routing.Renderer[networking.VirtualService] = h
		if rapid.Bool().Draw(t, "safe") {
			r = mirror.Safe(h)
		}
		before := drawDoorObject(t)
		with, without := &shelf{t: t, o: before}, before
		d, err := routing.NewDoors(routing.DoorsConfig{Client: with, Rules: h})
		require.NoError(t, err)
		render := func(want canary.Traffic) {
			with.o, without = with.o.render(t, r, want), without.render(t, r, want)
			require.JSONEq(t, withoutDoors(t, without), withoutDoors(t, with.o))
		}
		for i := range int64(rapid.IntRange(1, 6).Draw(t, "steps")) {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				_, err := d.Ensure(context.Background(), canary.Question{Traffic: share(5), Fence: at(1 + i)})
				require.NoError(t, err)
				patches := with.patches
				a, err := d.Ensure(context.Background(), canary.Question{Traffic: share(5), Fence: at(1 + i)})
				require.NoError(t, err)
				require.Equal(t, canary.Yes, a.Reply)
				require.Equal(t, patches, with.patches, "raised twice: %s", with.o)
				require.JSONEq(t, withoutDoors(t, without), withoutDoors(t, with.o))
			case 1:
				_, err := d.Cleanup(context.Background(), canary.Question{Fence: at(1 + i)})
				require.NoError(t, err)
				require.JSONEq(t, string(without), withoutDoors(t, with.o))
			default:
				render(drawTraffic(t))
			}
		}
		render(canary.Traffic{})
		_, err = d.Cleanup(context.Background(), canary.Question{Fence: at(99)})
		require.NoError(t, err)
		require.Equal(t, canonical(t, before), withoutDoors(t, with.o))
		require.NotContains(t, string(with.o), "serin-door-")
	})
}

func canonical(t tb, o object) string {
	var doc any
	require.NoError(t, json.Unmarshal(o, &doc))
	text, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(text)
}

const doorWorld = `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: prod}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: prod}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
`

const doorDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-%[1]s, namespace: prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: reviews, version: %[1]s}}
  template:
    metadata: {labels: {app: reviews, version: %[1]s}}
    spec: {containers: [{name: reviews, image: "reviews:%[1]s"}]}
`

// mesh is one that serves the object to v1 and v2.
func mesh(t tb, o object) *fake.Mesh {
	s := apiserver.New()
	for _, text := range []string{doorWorld, fmt.Sprintf(doorDeployment, "v1"), fmt.Sprintf(doorDeployment, "v2"), string(o)} {
		require.NoError(t, s.Load([]byte(text)))
	}
	m := fake.NewMesh(s, fake.Config{Seed: 7})
	require.Empty(t, m.Problems())
	return m
}

// drawSteered draws rules a and b, which route, among others that answer 299.
func drawSteered(t *rapid.T) object {
	var http []any
	for _, name := range rapid.Permutation([]string{"a", "b", "x", "y"}).Draw(t, "order") {
		var match any
		require.NoError(t, json.Unmarshal([]byte(doorMatches.Draw(t, "match")), &match))
		rule := document{"name": name, "match": match}
		if strings.Contains("xy", name) {
			rule["directResponse"] = document{"status": 299}
		} else {
			rule["route"] = []any{document{"destination": document{"host": "reviews", "subset": "v1"}}}
		}
		http = append(http, rule)
	}
	o, err := json.Marshal(document{
		"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": document{"name": "reviews", "namespace": "prod", "resourceVersion": "1"},
		"spec": document{"hosts": []any{"reviews"}, "http": http},
	})
	require.NoError(t, err)
	return o
}

func TestWithDoorsRequestsGoWhereTheyWentAndThoseWithTheHeaderToTheirArm(t *testing.T) {
	h := renderer(t, routing.Target{
		Namespace: "prod", Name: "reviews", Rules: []routing.Rule{{Name: "a"}, {Name: "b"}}, Arms: subsets("reviews"),
	})
	rapid.Check(t, func(t *rapid.T) {
		want := canary.Traffic{Canary: canary.Weight(rapid.IntRange(0, 100).Draw(t, "canary")) * canary.Percent}
		without := drawSteered(t).render(t, h, want)
		with := &shelf{t: t, o: without}
		d, err := routing.NewDoors(routing.DoorsConfig{Client: with, Rules: h})
		require.NoError(t, err)
		_, err = d.Ensure(context.Background(), canary.Question{Traffic: share(5), Fence: at(1)})
		require.NoError(t, err)
		old, now, other := mesh(t, without), mesh(t, with.o), mesh(t, with.o)
		for range 20 {
			const n = 50
			r := fake.Request{
				Host: "reviews", From: fake.Source{Namespace: "prod"}, Headers: map[string]string{},
				Path:   rapid.SampledFrom([]string{"/", "/a", "/a/b", "/b"}).Draw(t, "path"),
				Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
			}
			if rapid.Bool().Draw(t, "x") {
				r.Headers["x"] = "1"
			}
			sent := old.Send(n, r)
			require.Equal(t, sent, now.Send(n, r))

			arm := rapid.SampledFrom([]string{"stable", "canary"}).Draw(t, "arm")
			r.Headers[routing.DoorHeader] = arm
			through := other.Send(n, r)
			if steered := sent.To("reviews-v1") + sent.To("reviews-v2"); steered == 0 {
				require.Equal(t, sent, through, "a rule that is not steered has no doors")
			} else {
				require.EqualValues(t, n, through.To(map[string]string{"stable": "reviews-v1", "canary": "reviews-v2"}[arm]))
			}
		}
	})
}
