package routing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// service is a VirtualService prod/reviews with these http rules.
func service(t tb, rules string) object {
	t.Helper()
	return fromYAML(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http: `+rules)
}

func target(rules ...string) routing.Target {
	t := routing.Target{Namespace: "prod", Name: "reviews", Arms: subsets("reviews")}
	for _, r := range rules {
		t.Rules = append(t.Rules, routing.Rule{Name: r})
	}
	return t
}

const (
	v1 = `{destination: {host: reviews, subset: v1}}`
	v2 = `{destination: {host: reviews, subset: v2}, weight: 40}`
)

func TestWhatCannotBeSteeredIsRefusedWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		name, rules, rule string
		traffic           canary.Traffic
		want              error
		words             string
	}{
		{"no rule of that name", `[{name: a, route: [` + v1 + `]}]`, "b", share(5), routing.ErrNoRule, `no such rule: "b"; the named rules are "a"`},
		{"no rule with a name", `[{route: [` + v1 + `]}]`, "b", share(5), routing.ErrNoRule, `none of 1 http rules has a name: leave Target.Rules empty`},
		{"a short name in another namespace", `[{route: [{destination: {host: reviews.test.svc.cluster.local, subset: v1}}, {destination: {host: x}, weight: 3}]}]`, "", share(5), routing.ErrNoStable,
			"reviews, subset v1 (in full: reviews.prod.svc.cluster.local); the destinations are reviews.test.svc.cluster.local, subset v1; x"},
		{"a root of delegates", `[{delegate: {name: checkout}}, {delegate: {name: cart, namespace: shop}}]`, "", share(5), routing.ErrNoStable,
			"http[0] delegates to VirtualService prod/checkout: steer that object instead; http[1] delegates to VirtualService shop/cart: steer that object instead"},
		{"a rule without a name", `[{route: [{destination: {host: x}}]}, {route: [` + v1 + `, ` + v1 + `]}]`, "", share(5), routing.ErrTwice, "http[1]: destination listed"},

		{"no rule that routes", `[{name: a, redirect: {uri: /}}]`, "", share(5), routing.ErrNoStable, "none of 1 http rules has destinations"},
		{"a name twice", `[{name: a, route: [` + v1 + `]}, {name: a}]`, "a", share(5), routing.ErrAmbiguousRule, `both fit "a"`},
		{"a redirect", `[{name: a, redirect: {uri: /}}]`, "a", share(5), routing.ErrNotRouting, `rule "a": the rule does not route: it has a redirect`},
		{"a direct response", `[{name: a, directResponse: {status: 200}}]`, "a", share(5), routing.ErrNotRouting, "it has a directResponse"},
		{"a delegate", `[{name: a, delegate: {name: x}}]`, "a", share(5), routing.ErrNotRouting, "it has a delegate"},
		{"no stable", `[{route: [` + v2 + `]}]`, "", share(5), routing.ErrNoStable, "stable destination not in the rule: reviews, subset v1"},
		{"stable twice", `[{route: [` + v1 + `, ` + v1 + `]}]`, "", share(5), routing.ErrTwice, "stable reviews, subset v1"},
		{"nothing to divide", `[{route: [` + v1 + `, {destination: {host: x}, weight: 9}]}]`, "", share(5), routing.ErrNoShare, "no share of the traffic"},
		{"too large", `[{route: [{destination: {host: reviews, subset: v1}, weight: 1}, {destination: {host: x}, weight: 999983}]}]`, "",
			canary.Traffic{Canary: 1}, routing.ErrTooLarge, "the exact weights are too large for an int32"},
		{"too large in sum", `[{route: [{destination: {host: reviews, subset: v1}, weight: 2147483647}, {destination: {host: x}, weight: 2147483646}]}]`, "",
			share(50), routing.ErrTooLarge, "the exact weights are too large for an int32"},
		{"a mirror to somewhere else", `[{route: [` + v1 + `], mirror: {host: log}}]`, "", canary.Traffic{Mirror: 1}, routing.ErrForeignMirror, "the rule mirrors to another destination: log; move that mirror to the rule's list of mirrors"},
		{"impossible traffic", `[{route: [` + v1 + `]}]`, "", share(101), canary.ErrRefused, "canary is 101%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var names []string
			if c.rule != "" {
				names = append(names, c.rule)
			}
			h := renderer(t, target(names...))
			p, err := h.Render(service(t, c.rules).typed(t), c.traffic)
			require.ErrorIs(t, err, c.want)
			require.ErrorIs(t, err, canary.ErrRefused)
			require.ErrorContains(t, err, "routing: VirtualService prod/reviews: ")
			require.ErrorContains(t, err, c.words)
			require.True(t, p.Empty())
		})
	}
}

func TestFieldsOfTrafficThatCannotBeServedAreNamed(t *testing.T) {
	h := renderer(t, target())
	for field, traffic := range map[string]canary.Traffic{
		"Cohorts": {Cohorts: "staff"}, "Baseline": {Baseline: canary.Percent},
	} {
		_, err := h.Render(service(t, `[{route: [`+v1+`]}]`).typed(t), traffic)
		var unsupported *routing.UnsupportedError
		require.ErrorAs(t, err, &unsupported)
		require.Equal(t, field, unsupported.Field)
		require.ErrorIs(t, err, canary.ErrRefused)
		require.ErrorContains(t, err, "traffic."+field)
	}
}

func TestHostsAreComparedInFull(t *testing.T) {
	for _, c := range []struct {
		target, host string
		same         bool
	}{
		{"reviews", "reviews", true},
		{"reviews", "reviews.prod.svc.cluster.local", true},
		{"reviews.prod.svc.cluster.local", "reviews", true},
		{"reviews", "reviews.other.svc.cluster.local", false},
		{"reviews.other.svc.cluster.local", "reviews", false},
		{"reviews.other.svc.cluster.local", "reviews.other.svc.cluster.local", true},
		{"reviews", "reviews.prod", false}, // Istio takes a name with a dot for a full one
		{"reviews", "review", false},
		{"reviews.example.com", "reviews.example.com", true},
	} {
		to := target()
		to.Arms = routing.Arms{Stable: routing.Destination{Host: c.target}, Canary: routing.Destination{Host: "canary"}}
		_, err := renderer(t, to).Read(service(t, `[{route: [{destination: {host: `+c.host+`}}]}]`).typed(t), canary.Traffic{})
		require.Equal(t, c.same, err == nil, "%v: %v", c, err)
	}
	to := target()
	to.ClusterDomain = "corp"
	_, err := renderer(t, to).Read(service(t, `[{route: [{destination: {host: reviews.prod.svc.corp, subset: v1}}]}]`).typed(t), canary.Traffic{})
	require.NoError(t, err)
}

func TestPortsOfTheRuleAreTakenOverUnlessTheTargetHasItsOwn(t *testing.T) {
	o := service(t, `[{route: [{destination: {host: reviews, subset: v1, port: {number: 9080}}}]}]`)
	to := target()
	rules := o.render(t, renderer(t, to), canary.Traffic{Canary: canary.Percent, Mirror: canary.Percent, HeaderRoutes: true}).typed(t).Spec.Http
	require.Len(t, rules, 4)
	require.Equal(t, uint32(9080), rules[1].Route[0].Destination.Port.Number, "the header route")
	require.Equal(t, uint32(9080), rules[2].Mirror.Port.Number)
	require.Equal(t, uint32(9080), rules[3].Route[1].Destination.Port.Number)

	to.Arms.Canary.Port = 8080
	after := o.render(t, renderer(t, to), share(1)).typed(t).Spec.Http[0]
	require.Equal(t, uint32(8080), after.Route[1].Destination.Port.Number)

	to.Arms.Stable.Port = 1
	_, err := renderer(t, to).Read(o.typed(t), canary.Traffic{})
	require.ErrorIs(t, err, routing.ErrNoStable)
	require.ErrorContains(t, err, "reviews:1, subset v1")
}

func TestReadUnderstandsWhatOthersWrote(t *testing.T) {
	for _, c := range []struct {
		name, rule string
		want       canary.Traffic
	}{
		{"a lone stable without weight", `route: [` + v1 + `]`, canary.Traffic{}},
		{"a lone stable of weight 0", `route: [{destination: {host: reviews, subset: v1}, weight: 0}]`, canary.Traffic{}},
		{"no weights at all", `route: [` + v1 + `, {destination: {host: reviews, subset: v2}}]`, canary.Traffic{}},
		{"a negative weight", `route: [{destination: {host: reviews, subset: v1}, weight: 5}, {destination: {host: reviews, subset: v2}, weight: -7}]`, canary.Traffic{}},
		{"others take nothing of the arms' part", `route: [{destination: {host: reviews, subset: v1}, weight: 3}, {destination: {host: reviews, subset: v2}, weight: 1}, {destination: {host: x}, weight: 96}]`, share(25)},
		{"the nearest part per million", `route: [{destination: {host: reviews, subset: v1}, weight: 1}, {destination: {host: reviews, subset: v2}, weight: 2}]`, canary.Traffic{Canary: 666_667}},
		{"a trace of canary is not none", `route: [{destination: {host: reviews, subset: v1}, weight: 2000000000}, {destination: {host: reviews, subset: v2}, weight: 1}]`, canary.Traffic{Canary: 1}},
		{"a trace of stable is not none", `route: [{destination: {host: reviews, subset: v1}, weight: 1}, {destination: {host: reviews, subset: v2}, weight: 2000000000}]`, canary.Traffic{Canary: canary.Full - 1}},
		{"the greater share gives back what rounding took of stable", `route: [{destination: {host: reviews, subset: v1}, weight: 1}, {destination: {host: reviews, subset: v2}, weight: 600000000}, {destination: {host: b}, weight: 1000000000}]`, canary.Traffic{Canary: 375_000, Baseline: 624_999}},
		{"rounding gives nobody more than all", `route: [{destination: {host: reviews, subset: v1}, weight: 0}, {destination: {host: reviews, subset: v2}, weight: 1999999}, {destination: {host: b}, weight: 1}]`, canary.Traffic{Canary: canary.Full - 1, Baseline: 1}},
		{"a mirror without percentage", `route: [` + v1 + `], mirror: {host: reviews, subset: v2}`, canary.Traffic{Mirror: canary.Full}},
		{"a mirror in old percent", `route: [` + v1 + `], mirror: {host: reviews, subset: v2}, mirrorPercent: 7`, canary.Traffic{Mirror: 7 * canary.Percent}},
		{"mirrorPercentage beats mirrorPercent", `route: [` + v1 + `], mirror: {host: reviews, subset: v2}, mirrorPercent: 7, mirrorPercentage: {value: 0.57}`, canary.Traffic{Mirror: 5699}},
		{"a mirror to somewhere else", `route: [` + v1 + `], mirror: {host: log}`, canary.Traffic{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := target()
			to.Arms.Baseline.Host = "b"
			got, err := renderer(t, to).Read(service(t, `[{`+c.rule+`}]`).typed(t), canary.Traffic{Canary: 12345})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestALoneCanaryHasEverything(t *testing.T) {
	o := service(t, `[{route: [`+v2+`]}]`)
	got, err := renderer(t, target()).Read(annotate(t, o, routing.OriginalAnnotation("reviews"), `[]`).typed(t), canary.Traffic{})
	require.NoError(t, err)
	require.Equal(t, share(100), got)
	_, err = renderer(t, target()).Read(o.typed(t), canary.Traffic{})
	require.ErrorIs(t, err, routing.ErrNoStable, "stable was never there")
}

func TestRulesThatDisagreeNeverReadAsWhatWasWanted(t *testing.T) {
	rule := func(name string, stable, canary int) string {
		return fmt.Sprintf(`{name: %s, route: [{destination: {host: reviews, subset: v1}, weight: %d}, {destination: {host: reviews, subset: v2}, weight: %d}]}`, name, stable, canary)
	}
	o := service(t, `[`+rule("a", 80, 20)+`, `+rule("b", 50, 50)+`]`)
	h := renderer(t, target("a", "b"))
	for wanted, want := range map[canary.Traffic]canary.Traffic{
		share(20): share(50), share(50): share(20), share(7): share(20), {}: share(20),
	} {
		got, err := h.Read(o.typed(t), wanted)
		require.NoError(t, err)
		require.Equal(t, want, got)
		o.render(t, h, wanted)
	}
}

func TestNewHTTPReportsAllMistakesAtOnce(t *testing.T) {
	_, err := routing.NewHTTP(routing.Target{
		Rules: []routing.Rule{{Name: ""}, {Name: "a"}, {Name: "a", Arms: routing.Arms{
			Stable: routing.Destination{Host: "x"}, Canary: routing.Destination{Host: "x.prod.svc.cluster.local", Port: 70000}, Baseline: routing.Destination{Subset: "s"},
		}}},
		Arms: routing.Arms{Stable: routing.Destination{Host: "*.x"}},
	})
	require.Error(t, err)
	for _, want := range []string{
		"namespace is missing", "name is missing", "rule 0: want either a name or a match", `rule 2: "a" is listed twice`,
		"port 70000 is not between 0 and 65535", "baseline: host is missing", `stable: "*.x" is not the host of a service`, "canary: host is missing",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = routing.NewHTTP(routing.Target{Namespace: "prod", Name: "n", Arms: routing.Arms{
		Stable: routing.Destination{Host: "x"}, Canary: routing.Destination{Host: "x.prod.svc.cluster.local"},
	}})
	require.ErrorContains(t, err, "stable and canary are the same destination: x.prod.svc.cluster.local")
}

func TestARendererKeepsItsTarget(t *testing.T) {
	to := target("a")
	to.Mirror = mirror.Methods{"GET"}
	h := renderer(t, to)
	to.Rules[0].Name, to.Mirror[0] = "changed", "POST"
	o := service(t, `[{name: a, route: [`+v1+`]}]`).render(t, h, copyAll)
	require.Contains(t, string(o), `"exact":"GET"`)
}

// annotate returns o with an annotation.
func annotate(t tb, o object, key, value string) object {
	t.Helper()
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	meta := doc["metadata"].(document)
	if meta["annotations"] == nil {
		meta["annotations"] = document{}
	}
	if value == "" {
		delete(meta["annotations"].(document), key)
	} else {
		meta["annotations"].(document)[key] = value
	}
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	return b
}

func TestAPatchPrintsAsJSON(t *testing.T) {
	p, err := renderer(t, target()).Render(service(t, `[{route: [`+v1+`]}]`).typed(t), share(5))
	require.NoError(t, err)
	require.True(t, json.Valid([]byte(p.String())))
	require.True(t, strings.HasPrefix(p.String(), `[{"op":"add","path":"/spec/http/0/route/0/weight","value":95},{"op":"copy","path":"/spec/http/0/route/1","from":"/spec/http/0/route/0"},`))
	var none routing.Patch
	require.Equal(t, "[]", none.String())
}

// E19: somebody gave the rule another direction in mid-rollout.
func TestARuleThatLostStableAndCanaryIsNotSteered(t *testing.T) {
	h := renderer(t, target())
	o := service(t, `[{route: [`+v1+`]}]`).render(t, h, share(20))
	o = o.change(t, func(rule document) {
		rule["route"] = []any{document{"destination": document{"host": "somewhere-else"}}}
	})
	_, err := h.Read(o.typed(t), share(20))
	require.ErrorIs(t, err, routing.ErrNoStable)
	for _, traffic := range []canary.Traffic{{}, share(20), share(100)} {
		_, err = h.Render(o.typed(t), traffic)
		require.ErrorIs(t, err, routing.ErrNoStable)
	}
}

// E19, E21: Istio adds the weights of a rule up in an int32.
func TestWeightsThatIstioCannotAddUpAreRefused(t *testing.T) {
	rule := func(w int) object {
		return service(t, fmt.Sprintf(`[{route: [{destination: {host: reviews, subset: v1}, weight: %d}, {destination: {host: reviews, subset: v2}, weight: %d}]}]`, w, w))
	}
	h := renderer(t, target())
	_, err := h.Render(rule(2_000_000_000).typed(t), share(50))
	require.ErrorIs(t, err, routing.ErrTooLarge)
	rule(1_000_000_000).render(t, h, share(50))
}

// R1: a Service without a subset selects the pods of every subset.
func TestArmsThatMayHaveTheSamePodsAreRefusedUnlessItIsSaid(t *testing.T) {
	whole, part := routing.Destination{Host: "reviews"}, routing.Destination{Host: "reviews.prod.svc.cluster.local", Subset: "v2"}
	v1 := routing.Destination{Host: "reviews", Subset: "v1"}
	for _, c := range []struct {
		arms  routing.Arms
		words string
	}{
		{routing.Arms{Stable: whole, Canary: part}, "stable (reviews) and canary (reviews.prod.svc.cluster.local, subset v2) may select the same pods"},
		{routing.Arms{Stable: part, Canary: whole}, "stable (reviews.prod.svc.cluster.local, subset v2) and canary (reviews) may select the same pods"},
		{routing.Arms{Stable: v1, Canary: part, Baseline: whole}, "canary (reviews.prod.svc.cluster.local, subset v2) and baseline (reviews) may select the same pods"},
		{routing.Arms{Stable: v1, Canary: part}, ""},
		{routing.Arms{Stable: whole, Canary: routing.Destination{Host: "reviews-v2", Subset: "v2"}}, ""},
	} {
		for _, to := range []routing.Target{
			{Namespace: "prod", Name: "reviews", Arms: c.arms},
			{Namespace: "prod", Name: "reviews", Rules: []routing.Rule{{Name: "a", Arms: c.arms}}},
		} {
			if _, err := routing.NewHTTP(to); c.words == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.words)
			}
			to.Overlapping = true
			_, err := routing.NewHTTP(to)
			require.NoError(t, err)
		}
	}
}

// R5: a destination that is added is stable's with another address: what that does to
// requests and answers, the canary's does as well, known to us or not.
func TestAnAddedDestinationIsLikeStables(t *testing.T) {
	const stable = `{destination: {host: reviews, subset: v1, port: {number: 9080}}, headers: {response: {set: {x-served-by: reviews}}}, novel: {a: 1}}`
	before := service(t, `[{route: [{destination: {host: other}, weight: 10}, `+strings.TrimSuffix(stable, "}")+`, weight: 90}]}]`)
	to := target()
	to.Arms.Baseline = routing.Destination{Host: "reviews", Subset: "v1b"}
	h := renderer(t, to)
	o := before.render(t, h, canary.Traffic{Canary: 20 * canary.Percent, Baseline: 10 * canary.Percent})
	routes := o.rules(t)[0].(document)["route"].([]any)
	require.Len(t, routes, 4)
	for i, subset := range []string{"v2", "v1b"} {
		want := routes[1].(document)
		added := routes[2+i].(document)
		require.Equal(t, document{"host": "reviews", "subset": subset, "port": document{"number": 9080.0}}, added["destination"])
		require.Equal(t, want["headers"], added["headers"])
		require.Equal(t, want["novel"], added["novel"])
	}
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
}

// What is kept must be read again (E21): rules that are too many are refused before
// they get any live traffic, and have header routes and copies all the same.
func TestTooManyRulesAreRefusedBeforeTheirOriginalsAreLost(t *testing.T) {
	many := func(n int) object {
		one := `{name: %q, match: [{uri: {prefix: "/%d"}}], route: [` + v1 + `]}`
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(one, fmt.Sprint("a rule with a name that is rather long ", i), i))
		}
		return service(t, "["+strings.Join(all, ",")+"]")
	}
	h := renderer(t, target())
	before := many(300)
	o := before.render(t, h, share(5))
	require.Greater(t, len(o.typed(t).Annotations[routing.OriginalAnnotation("reviews")]), 30<<10)
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))

	o = many(600)
	_, err := h.Render(o.typed(t), share(5))
	require.ErrorIs(t, err, routing.ErrManyRules)
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, "the original weights of 600 rules take")
	o.render(t, h, preview).render(t, h, canary.Traffic{})
}
