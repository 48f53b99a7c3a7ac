package routing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

var (
	everyMethod = mirror.Methods{mirror.Every}
	copyAll     = canary.Traffic{Mirror: canary.Full}
)

func TestCopiesAreOfGetHeadAndOptionsInARuleOfTheirOwn(t *testing.T) {
	h, before := renderer(t, target()), service(t, `[{name: api, timeout: 3s, newer: {a: 1}, route: [`+v1+`]}]`)
	after := before.render(t, h, copyAll)
	require.JSONEq(t, `[
		{"name": "serin/reviews/mirror/api", "match": [{"method": {"regex": "GET|HEAD|OPTIONS"}}], "timeout": "3s", "newer": {"a": 1},
			"route": [{"destination": {"host": "reviews", "subset": "v1"}}],
			"mirror": {"host": "reviews", "subset": "v2"}, "mirrorPercentage": {"value": 100}},
		{"name": "api", "timeout": "3s", "newer": {"a": 1}, "route": [{"destination": {"host": "reviews", "subset": "v1"}}]}]`,
		encode(t, after.rules(t)))
	require.JSONEq(t, string(before), string(after.render(t, h, canary.Traffic{})))
}

func TestTheMethodIsAddedToEveryBlockOfTheMatch(t *testing.T) {
	for _, c := range []struct{ name, match, want string }{
		{"blocks are alternatives, and keep what they have",
			`[{uri: {prefix: /a}, future: 1}, {headers: {x: {exact: why}}}]`,
			`[{"future":1,"method":{"regex":"GET|HEAD|OPTIONS"},"uri":{"prefix":"/a"}},{"headers":{"x":{"exact":"why"}},"method":{"regex":"GET|HEAD|OPTIONS"}}]`},
		{"a block for one safe method stays as it is",
			`[{method: {exact: GET}}]`, `[{"method":{"exact":"GET"}}]`},
		{"a block for other methods is left out",
			`[{method: {exact: POST}}, {uri: {exact: /}}, {method: {prefix: PU}}]`,
			`[{"method":{"regex":"GET|HEAD|OPTIONS"},"uri":{"exact":"/"}}]`},
		{"an expression is narrowed to the safe methods that it matches",
			`[{method: {regex: "GET|POST"}}, {method: {regex: ".*"}}, {method: {regex: "[GH].*"}}]`,
			`[{"method":{"exact":"GET"}},{"method":{"regex":"GET|HEAD|OPTIONS"}},{"method":{"regex":"GET|HEAD"}}]`},
		{"an expression that does not compile matches nothing",
			`[{method: {regex: "("}}, {method: {prefix: H}}]`, `[{"method":{"exact":"HEAD"}}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := service(t, `[{match: `+c.match+`, route: [`+v1+`]}]`).render(t, renderer(t, target()), copyAll)
			require.JSONEq(t, c.want, encode(t, after.rules(t)[0].(document)["match"]))
		})
	}
}

func TestARuleWithoutAnySuchMethodIsRefused(t *testing.T) {
	o := service(t, `[{name: api, match: [{method: {exact: POST}}], route: [`+v1+`]}]`)
	_, err := renderer(t, target()).Render(o.typed(t), copyAll)
	require.ErrorIs(t, err, routing.ErrNoMethod)
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, `routing: VirtualService prod/reviews: rule "api": the rule matches none of the methods to mirror: GET, HEAD, OPTIONS`)
}

func TestOtherMethodsAreMirroredByExplicitChoice(t *testing.T) {
	to := target()
	to.Mirror = mirror.Methods{"POST"}
	after := service(t, `[{route: [`+v1+`]}]`).render(t, renderer(t, to), copyAll)
	require.JSONEq(t, `[{"method": {"exact": "POST"}}]`, encode(t, after.rules(t)[0].(document)["match"]))
	to.Mirror = everyMethod
	after = service(t, `[{route: [`+v1+`]}]`).render(t, renderer(t, to), copyAll)
	require.Len(t, after.rules(t), 1)
	require.Contains(t, string(after), `"mirror":{"host":"reviews","subset":"v2"}`)
}

// A driver that mirrors in another way reads what the one before wrote as what it is
// not, and mends it.
func TestAnotherChoiceOfMethodsIsDrift(t *testing.T) {
	safe, every := renderer(t, target()), target()
	every.Mirror = everyMethod
	all := renderer(t, every)
	before := service(t, `[{name: api, route: [`+v1+`]}]`)
	for _, c := range [][2]*routing.HTTP{{safe, all}, {all, safe}} {
		o := before.render(t, c[0], copyAll)
		got, err := c[1].Read(o.typed(t), copyAll)
		require.NoError(t, err)
		require.NotEqual(t, copyAll, got)
		mended := o.render(t, c[1], copyAll)
		require.JSONEq(t, encode(t, before.render(t, c[1], copyAll).rules(t)), encode(t, mended.rules(t)))
		require.JSONEq(t, string(before), string(o.render(t, c[1], canary.Traffic{})))
	}
}

func TestTheCopyCarriesTheWeightsOfTheRule(t *testing.T) {
	h := renderer(t, target("a", "b"))
	before := service(t, `[{name: a, route: [`+v1+`]}, {route: [`+v1+`]}, {name: b, rewrite: {uri: /}, route: [`+v1+`]}]`)
	o := before.render(t, h, copyAll)
	o = o.render(t, h, canary.Traffic{Canary: 10 * canary.Percent, Mirror: canary.Percent / 10})
	o = o.render(t, h, canary.Traffic{Canary: 20 * canary.Percent, Mirror: canary.Percent / 10})
	require.Equal(t, "serin/reviews/mirror/a, a, , serin/reviews/mirror/b, b", o.names(t))
	for _, rule := range o.typed(t).Spec.Http {
		if rule.Name != "" {
			require.Equal(t, int32(20), rule.Route[1].Weight)
		}
	}
	require.Nil(t, o.typed(t).Spec.Http[1].Mirror)
	require.InDelta(t, 0.1, o.typed(t).Spec.Http[3].MirrorPercentage.Value, 1e-9)
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
}

func TestALeftCopyWithOtherWeightsIsSeenWhenNothingIsMirrored(t *testing.T) {
	h := renderer(t, target("a"))
	before := service(t, `[{name: a, route: [`+v1+`]}]`)
	o := before.render(t, h, canary.Traffic{Canary: 10 * canary.Percent, Mirror: 1}).changeAll(t, func(rules []any) []any {
		delete(rules[0].(document), "mirror")
		rules[1].(document)["route"].([]any)[1].(document)["weight"] = 0
		return rules
	})
	got, err := h.Read(o.typed(t), canary.Traffic{})
	require.NoError(t, err)
	require.Equal(t, 10*canary.Percent, got.Canary, "the copy answers live requests")
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
}

// A mirror to the canary of nothing is no mirror, in whichever way it is written, and
// makes no other one of its copy.
func TestAMirrorOfNothingIsNoMirror(t *testing.T) {
	const to = `{host: reviews, subset: v2}`
	for name, mirror := range map[string]string{
		"one":                    "mirror: " + to + ", mirrorPercentage: {value: 0}",
		"by its other name":      "mirror: " + to + ", mirror_percentage: {value: 0}",
		"with an old percentage": "mirror: " + to + ", mirrorPercent: 0",
		"by its other name, old": "mirror: " + to + ", mirror_percent: 0",
		"in a list":              "mirrors: [{destination: " + to + ", percentage: {value: 0}}]",
		"in a list, with others": "mirrors: [{destination: {host: log}}, {destination: " + to + ", percentage: {value: 0}}]",
	} {
		t.Run(name, func(t *testing.T) {
			h, before := renderer(t, target()), service(t, `[{name: b, route: [`+v1+`], `+mirror+`}]`)
			got, err := h.Read(before.typed(t), canary.Traffic{})
			require.NoError(t, err)
			require.Zero(t, got)
			o := before.render(t, h, copyAll)
			rule := o.typed(t).Spec.Http[0]
			require.False(t, rule.Mirror != nil && len(rule.Mirrors) > 0, "Istio refuses both: %v", rule)
			require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
		})
	}
}

// A rule that mirrors itself beside its copy mirrors whatever the method is.
func TestARuleThatMirrorsBesideItsCopyIsSeen(t *testing.T) {
	h, before := renderer(t, target()), service(t, `[{name: b, route: [`+v1+`]}]`)
	o := before.render(t, h, copyAll).changeAll(t, func(r []any) []any {
		r[1].(document)["mirror"] = document{"host": "reviews", "subset": "v2"}
		return r
	})
	got, err := h.Read(o.typed(t), copyAll)
	require.NoError(t, err)
	require.NotEqual(t, copyAll, got)
	require.JSONEq(t, string(before), string(o.render(t, h, copyAll).render(t, h, canary.Traffic{})))
}
