package routing_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// tb is what *testing.T, *testing.B and *rapid.T have in common.
type tb interface {
	require.TestingT
	Helper()
}

// object is the JSON document of a VirtualService as an API server keeps it.
type object []byte

func fromYAML(t tb, text string) object {
	t.Helper()
	doc, err := yaml.YAMLToJSONStrict([]byte(text))
	require.NoError(t, err)
	return doc
}

// typed decodes the document as a typed client does.
func (o object) typed(t tb) *networking.VirtualService {
	t.Helper()
	vs := &networking.VirtualService{}
	require.NoError(t, json.Unmarshal(o, vs))
	return vs
}

func (o object) apply(t tb, p routing.Patch) object {
	t.Helper()
	return applyRaw(t, o, p.Bytes())
}

func applyRaw(t tb, o object, data []byte) object {
	t.Helper()
	patch, err := jsonpatch.DecodePatch(data)
	require.NoError(t, err, string(data))
	after, err := patch.Apply(o)
	require.NoError(t, err, string(data))
	return after
}

// render brings the object to want by a renderer, and checks what must hold
// for every object and traffic.
func (o object) render(t tb, r routing.Renderer[networking.VirtualService], want canary.Traffic) object {
	t.Helper()
	after, _ := o.renderFrom(t, o.typed(t), r, want)
	return after
}

// renderFrom is render for an object that was decoded, and returns the next one
// decoded as well.
func (o object) renderFrom(t tb, before *networking.VirtualService, r routing.Renderer[networking.VirtualService], want canary.Traffic) (object, *networking.VirtualService) {
	t.Helper()
	untouched := before.DeepCopy()
	p, err := r.Render(before, want)
	require.NoError(t, err)
	require.True(t, proto.Equal(&untouched.Spec, &before.Spec) && maps.Equal(untouched.Annotations, before.Annotations), "the argument was changed")
	after := o.apply(t, p)
	typed := after.typed(t)
	got, err := r.Read(typed, want)
	require.NoError(t, err)
	require.Equal(t, want, got, "%s\nby %s\n%s", o, &p, after)
	again, err := r.Render(typed, want)
	require.NoError(t, err)
	require.True(t, again.Empty(), "rendered twice: %s after\n%s", &again, &p)
	return after, typed
}

// weights prints the destinations of a rule: "v1 90, v2 10".
func (o object) weights(t tb, rule string) string {
	t.Helper()
	var parts []string
	for _, r := range o.typed(t).Spec.Http {
		if r.Name != rule {
			continue
		}
		for _, d := range r.Route {
			name := d.Destination.Subset
			if name == "" {
				name = d.Destination.Host
			}
			parts = append(parts, fmt.Sprintf("%s %d", name, d.Weight))
		}
	}
	return strings.Join(parts, ", ")
}

func renderer(t testing.TB, target routing.Target) *routing.HTTP {
	t.Helper()
	h, err := routing.NewHTTP(target)
	require.NoError(t, err)
	return h
}

// share is canary traffic of so many percent.
func share(percent canary.Weight) canary.Traffic {
	return canary.Traffic{Canary: percent * canary.Percent}
}

// subsets are the arms v1 and v2 of one host.
func subsets(host string) routing.Arms {
	return routing.Arms{
		Stable: routing.Destination{Host: host, Subset: "v1"},
		Canary: routing.Destination{Host: host, Subset: "v2"},
	}
}

// rules are the http rules as the document has them.
func (o object) rules(t tb) []any {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(o, &doc))
	return doc["spec"].(map[string]any)["http"].([]any)
}

// changeAll returns the document with other http rules.
func (o object) changeAll(t tb, f func(rules []any) []any) object {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal(o, &doc))
	spec := doc["spec"].(map[string]any)
	spec["http"] = f(spec["http"].([]any))
	changed, err := json.Marshal(doc)
	require.NoError(t, err)
	return changed
}
