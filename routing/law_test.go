package routing_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
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
	return canary.Traffic{Canary: c, Baseline: weight("baseline", canary.Full-c), Mirror: weight("mirror", canary.Full)}
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
	rule := document{
		"match": []any{document{"uri": document{"prefix": "/" + name}}},
		"route": rapid.Permutation(route).Draw(t, "order"), "timeout": "3s", "newerRule": document{"a": []any{1, "2"}},
	}
	if name != "" {
		rule["name"] = name
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
	for _, r := range doc["spec"].(document)["http"].([]any) {
		rule := r.(document)
		if rule["name"] != "a" && rule["name"] != "b" {
			continue
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
	h := renderer(t, routing.Target{
		Namespace: "prod", Name: "reviews", Rules: []routing.Rule{{Name: "a"}, {Name: "b"}}, Arms: lawArms,
	})
	rapid.Check(t, func(t *rapid.T) {
		before := drawObject(t)
		o := before
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			o = o.render(t, h, drawTraffic(t))
			require.Equal(t, withoutOwned(t, before), withoutOwned(t, o))
			checkWeights(t, before, o)
		}
		after := o.render(t, h, canary.Traffic{})
		require.JSONEq(t, string(before), string(after))
	})
}

// checkWeights holds the invariants of the weights of every steered rule.
func checkWeights(t tb, before, after object) {
	was := before.typed(t).Spec.Http
	for i, rule := range after.typed(t).Spec.Http {
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
