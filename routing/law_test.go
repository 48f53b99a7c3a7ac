package routing_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

type document = map[string]any

var lawArms = routing.Arms{
	Stable:   routing.Destination{Host: "reviews", Subset: "v1"},
	Canary:   routing.Destination{Host: "reviews.prod.svc.cluster.local", Subset: "v2"},
	Baseline: routing.Destination{Host: "reviews-baseline"},
}

// drawTraffic draws any valid traffic, round percentages more often.
func drawTraffic(t *rapid.T) canary.Traffic {
	weight := func(name string, most canary.Weight) canary.Weight {
		if rapid.Bool().Draw(t, name+" round") {
			return canary.Weight(rapid.Int64Range(0, int64(most/canary.Percent)).Draw(t, name)) * canary.Percent
		}
		return canary.Weight(rapid.Int64Range(0, int64(most)).Draw(t, name))
	}
	c := weight("canary", canary.Full)
	return canary.Traffic{
		Canary: c, Baseline: weight("baseline", canary.Full-c), Mirror: rapid.SampledFrom([]canary.Weight{0, weight("mirror", canary.Full)}).Draw(t, "mirrors"),
		HeaderRoutes: rapid.Bool().Draw(t, "header routes"),
	}
}

// lawMatches are what rules match on.
var lawMatches = []string{
	`[{"uri":{"prefix":"/a"}}]`, `[{"uri":{"prefix":"/b"},"novel":1},{"headers":{"x":{"exact":"1"}}}]`,
	`[{"method":{"exact":"POST"}},{"headers":{},"uri":{"exact":"/a/b"}}]`, `[{"withoutHeaders":{"x":{}}}]`, `[]`,
	`[{"method":{"regex":"GET|POST"},"novel":1},{"queryParams":{"q":{"exact":"1"}}},{"method":{"exact":"PUT"}}]`,
}

// drawRule draws a rule with the stable destination somewhere in it. A rule to
// be steered asks for no canary traffic yet.
func drawRule(t *rapid.T, name string) document {
	stable := document{"destination": document{"host": "reviews", "subset": "v1"}, "newer": "field"}
	route := []any{stable}
	for i := range rapid.IntRange(0, 3).Draw(t, "foreign") {
		host := rapid.SampledFrom([]string{"reviews-v2", "reviews.other", "ratings"}).Draw(t, "host")
		route = append(route, document{
			"destination": document{"host": host, "subset": fmt.Sprint("v", i)},
			"weight":      rapid.IntRange(0, 300).Draw(t, "foreign weight"),
		})
	}
	if len(route) > 1 || rapid.Bool().Draw(t, "weighed") {
		stable["weight"] = rapid.IntRange(1, 300).Draw(t, "stable weight")
	}
	if rapid.Bool().Draw(t, "canary there") {
		route = append(route, document{
			"destination": document{"host": "reviews", "subset": "v2"}, "weight": 0,
			"headers": document{"request": document{"set": document{"x": "1"}}},
		})
		if _, ok := stable["weight"]; !ok {
			stable["weight"] = 100
		}
	}
	if len(route) == 1 && rapid.Bool().Draw(t, "odd") {
		stable["weight"] = 7
	}
	var match any
	require.NoError(t, json.Unmarshal([]byte(rapid.SampledFrom(lawMatches).Draw(t, "match")), &match))
	rule := document{
		"match": match,
		"route": rapid.Permutation(route).Draw(t, "order"), "timeout": "3s", "newerRule": document{"a": []any{1, "2"}},
	}
	if name != "" {
		rule["name"] = name
	}
	switch rapid.IntRange(0, 4).Draw(t, "mirrors") {
	case 0:
		rule["mirrors"] = []any{document{"destination": document{"host": "audit"}, "percentage": document{"value": 3}}}
	case 1:
		rule["mirrors"] = []any{}
	}
	return rule
}

func drawObject(t *rapid.T) object {
	http := []any{drawRule(t, "a"), drawRule(t, "b")}
	for range rapid.IntRange(0, 3).Draw(t, "others") {
		http = append(http, rapid.SampledFrom([]document{
			{"route": []any{document{"destination": document{"host": "reviews", "subset": "v1"}}}, "mirrors": []any{document{"destination": document{"host": "m"}}}},
			{"name": "moved", "redirect": document{"uri": "/new"}},
			{"name": "c", "route": []any{document{"destination": document{"host": "reviews", "subset": "v2"}, "weight": 100}}, "novel": true},
		}).Draw(t, "other"))
	}
	metadata := document{"name": "reviews", "namespace": "prod", "resourceVersion": "7"}
	if rapid.Bool().Draw(t, "annotated") {
		metadata["annotations"] = document{"a/b~c": "d"}
	}
	o, err := json.Marshal(document{
		"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata,
		"spec": document{"hosts": []any{"reviews"}, "exportTo": []any{"."}, "http": rapid.Permutation(http).Draw(t, "rules"), "future": 1.5},
	})
	require.NoError(t, err)
	return o
}

// withoutOwned returns the object without what a rollout may change.
func withoutOwned(t tb, o object) string {
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	meta := doc["metadata"].(document)
	if annotations, ok := meta["annotations"].(document); ok {
		delete(annotations, routing.OriginalAnnotation("reviews"))
		if len(annotations) == 0 {
			delete(meta, "annotations")
		}
	}
	s := doc["spec"].(document)
	s["http"] = slices.DeleteFunc(s["http"].([]any), func(r any) bool {
		name, _ := r.(document)["name"].(string)
		return strings.HasPrefix(name, "serin/")
	})
	for _, r := range s["http"].([]any) {
		rule := r.(document)
		if rule["name"] != "a" && rule["name"] != "b" {
			continue
		}
		if list, ok := rule["mirrors"].([]any); ok {
			rule["mirrors"] = slices.DeleteFunc(list, func(m any) bool { return m.(document)["destination"].(document)["subset"] == "v2" })
		}
		delete(rule, "mirror")
		delete(rule, "mirrorPercentage")
		rule["route"] = slices.DeleteFunc(rule["route"].([]any), func(d any) bool {
			delete(d.(document), "weight")
			to := d.(document)["destination"].(document)
			ours := []any{"reviews", "reviews.prod.svc.cluster.local", "reviews-baseline"}
			return slices.Contains(ours, to["host"]) && to["subset"] != "v1"
		})
	}
	text, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(text)
}

func TestRenderingIsTheInverseOfReadingAndLeavesNoTrace(t *testing.T) {
	lawful := func(m mirror.Methods) *routing.HTTP {
		return renderer(t, routing.Target{
			Namespace: "prod", Name: "reviews", Rules: []routing.Rule{{Name: "b"}, {Name: "a"}}, Arms: lawArms, Mirror: m,
		})
	}
	all := []*routing.HTTP{lawful(nil), lawful(everyMethod), lawful(mirror.Methods{"GET", "POST"})}
	rapid.Check(t, func(t *rapid.T) {
		before, h := drawObject(t), rapid.SampledFrom(all).Draw(t, "renderer")
		o, was, bare := before, before.typed(t), withoutOwned(t, before)
		vs := was
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			o, vs = o.renderFrom(t, vs, h, drawTraffic(t))
			require.Equal(t, bare, withoutOwned(t, o))
			checkWeights(t, was.Spec.Http, vs.Spec.Http)
		}
		after, _ := o.renderFrom(t, vs, h, canary.Traffic{})
		require.JSONEq(t, string(before), string(after))
	})
}

// checkWeights holds the invariants of the weights of every steered rule.
func checkWeights(t tb, was, now []*api.HTTPRoute) {
	bare := slices.DeleteFunc(slices.Clone(now), func(r *api.HTTPRoute) bool { return strings.HasPrefix(r.Name, "serin/") })
	for i, rule := range bare {
		if rule.Name != "a" && rule.Name != "b" {
			continue
		}
		stable := slices.ContainsFunc(rule.Route, func(d *api.HTTPRouteDestination) bool {
			return d.Destination.Host == "reviews" && d.Destination.Subset == "v1"
		})
		require.True(t, stable, "stable stays in the rule")
		sum, oldSum := total(t, rule), total(t, was[i])
		require.True(t, sum > 0 || len(rule.Route) == 1)
		for j, d := range rule.Route {
			if slices.Contains([]string{"reviews-v2", "reviews.other", "ratings"}, d.Destination.Host) {
				require.Equal(t, int64(was[i].Route[j].Weight)*sum, int64(d.Weight)*oldSum, "part of %v", d.Destination)
			}
		}
	}
}

// total adds up the weights of a rule.
func total(t tb, rule *api.HTTPRoute) int64 {
	sum := int64(0)
	for _, d := range rule.Route {
		require.GreaterOrEqual(t, d.Weight, int32(0))
		sum += int64(d.Weight)
	}
	require.LessOrEqual(t, sum, int64(math.MaxInt32))
	return sum
}
