package routing_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// shopRules has one rule to steer that uses much of what a rule can have, and a
// rule of the user's own for the header.
const shopRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - name: mine
    match: [{headers: {x-serin-arm: {exact: gold}}}]
    route: [{destination: {host: gold}}]
  - name: b
    match: [{uri: {prefix: /b}, novel: 1}, {headers: {beta: {exact: "1"}}}]
    rewrite: {uri: /}
    timeout: 3s
    mirrors: [{destination: {host: audit}}]
    newer: {a: 1}
    route:
    - {destination: {host: third}, weight: 10}
    - {destination: {host: reviews, subset: v1, port: {number: 80}}, weight: 90, headers: {request: {set: {x: z}}}, newer: 2}
  - redirect: {uri: /}
`

var preview = canary.Traffic{HeaderRoutes: true}

// ofB are the arms v1 and v2 of the rule b.
var ofB = routing.Target{Namespace: "prod", Name: "reviews", Arms: subsets("reviews"), Rules: []routing.Rule{{Name: "b"}}}

func (o object) names(t tb) string {
	t.Helper()
	var all []string
	for _, r := range o.typed(t).Spec.Http {
		all = append(all, r.Name)
	}
	return strings.Join(all, ", ")
}

func TestAHeaderRouteIsTheRuleWithOneArmForRequestsWithTheHeader(t *testing.T) {
	h, before := renderer(t, ofB), fromYAML(t, shopRules)
	o := before.render(t, h, preview)
	require.Equal(t, "mine, serin/reviews/stable/b, serin/reviews/canary/b, b, ", o.names(t))
	// What stable does to requests and answers is done to the canary's as well (R5).
	route := func(arm, version string) string {
		return fmt.Sprintf(`{"name": "serin/reviews/%[1]s/b", "rewrite": {"uri": "/"}, "timeout": "3s", "newer": {"a": 1}, "match": [
			{"uri": {"prefix": "/b"}, "novel": 1, "headers": {"x-serin-arm": {"exact": %[1]q}}},
			{"headers": {"beta": {"exact": "1"}, "x-serin-arm": {"exact": %[1]q}}}], "route": [
			{"destination": {"host": "reviews", "subset": %[2]q, "port": {"number": 80}}, "headers": {"request": {"set": {"x": "z"}}}, "newer": 2}]}`, arm, version)
	}
	require.JSONEq(t, route("stable", "v1"), encode(t, o.rules(t)[1]))
	require.JSONEq(t, route("canary", "v2"), encode(t, o.rules(t)[2]))
	require.Empty(t, o.typed(t).Annotations, "nobody has live traffic")

	// They stay as they are while the weights move.
	for _, w := range []canary.Weight{canary.Full, 20 * canary.Percent, 1} {
		p, err := h.Render(o.typed(t), canary.Traffic{Canary: w, HeaderRoutes: true})
		require.NoError(t, err)
		moved := o.apply(t, p)
		require.JSONEq(t, encode(t, o.rules(t)[1:3]), encode(t, moved.rules(t)[1:3]))
		o = moved
	}
	p, err := h.Render(o.typed(t), canary.Traffic{Canary: canary.Percent, HeaderRoutes: true})
	require.NoError(t, err)
	require.NotContains(t, p.String(), "serin/", "a change of weights writes weights")
	require.JSONEq(t, string(before), string(o.render(t, h, preview).render(t, h, canary.Traffic{})))
}

func TestDerivedRulesThatDoNotFitAnyMoreAreMadeAnew(t *testing.T) {
	wanted := canary.Traffic{Canary: 10 * canary.Percent, Mirror: 50 * canary.Percent, HeaderRoutes: true}
	member := func(v any, path ...any) any {
		for _, p := range path {
			if i, ok := p.(int); ok {
				v = v.([]any)[i]
			} else {
				v = v.(document)[p.(string)]
			}
		}
		return v
	}
	for name, change := range map[string]func(http []any) []any{
		"the rule has another timeout": func(r []any) []any { r[4].(document)["timeout"] = "9s"; return r },
		"the rule has another match":   func(r []any) []any { r[4].(document)["match"] = []any{}; return r },
		"the rule's weights":           func(r []any) []any { member(r, 4, "route", 1).(document)["weight"] = 7; return r },
		"another rule stands between":  func(r []any) []any { return []any{r[0], r[1], r[2], r[3], r[5], r[4]} },
		"the rule stands before them":  func(r []any) []any { return []any{r[0], r[4], r[1], r[2], r[3], r[5]} },
		"a header route is gone":       func(r []any) []any { return append(r[:1], r[2:]...) },
		"another header route is gone": func(r []any) []any { return append(r[:2], r[3:]...) },
		"the copy is gone":             func(r []any) []any { return append(r[:3], r[4:]...) },
		"all are gone":                 func(r []any) []any { return append(r[:1], r[4:]...) },
		"the order is another":         func(r []any) []any { r[1], r[2] = r[2], r[1]; return r },
		"the copy comes first":         func(r []any) []any { return []any{r[0], r[3], r[1], r[2], r[4], r[5]} },
		"one is there twice":           func(r []any) []any { return append(r, r[1]) },
		"the copy is there twice":      func(r []any) []any { return append([]any{r[3]}, r...) },
		"a header route leads elsewhere": func(r []any) []any {
			member(r, 1, "route", 0).(document)["destination"] = document{"host": "x"}
			return r
		},
		"the copy is a redirect": func(r []any) []any {
			r[3] = document{"name": "serin/reviews/mirror/b", "redirect": document{"uri": "/"}}
			return r
		},
		"the copy's weights": func(r []any) []any { member(r, 3, "route", 2).(document)["weight"] = 77; return r },
		"the copy's share": func(r []any) []any {
			member(r, 3, "mirrors", 1).(document)["percentage"] = document{"value": 3}
			return r
		},
		"the copy's mirror": func(r []any) []any { delete(r[3].(document), "mirrors"); return r },
		"the copy's methods": func(r []any) []any {
			member(r, 3, "match", 1).(document)["method"] = document{"regex": "GET|POST"}
			return r
		},
		"the copy's match": func(r []any) []any { delete(r[3].(document), "match"); return r },
		"the rule mirrors everything": func(r []any) []any {
			r[4].(document)["mirrors"] = []any{document{"destination": document{"host": "reviews", "subset": "v2"}, "percentage": document{"value": 50}}}
			return append(r[:3], r[4:]...)
		},
		"one of a rule that is gone": func(r []any) []any {
			return append(r, document{"name": "serin/reviews/stable/gone", "route": member(r, 0, "route")})
		},
		"one of no kind": func(r []any) []any {
			return append([]any{document{"name": "serin/reviews/", "route": member(r, 0, "route")}}, r...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, before := renderer(t, ofB), fromYAML(t, shopRules)
			edited := before.render(t, h, wanted).changeAll(t, change)
			for _, last := range []canary.Traffic{wanted, {}, preview} {
				got, err := h.Read(edited.typed(t), last)
				require.NoError(t, err)
				require.NotEqual(t, last, got)
				require.NoError(t, got.Validate())
				require.LessOrEqual(t, got.Canary, 60*canary.Percent, "who asks for the canary by a header is no share")
			}
			mended := edited.render(t, h, wanted)
			// They are those that they would have been.
			bare := edited.render(t, h, canary.Traffic{})
			require.NotContains(t, string(bare), "serin/")
			require.NotContains(t, string(bare), "serin-go")
			require.JSONEq(t, encode(t, bare.render(t, h, wanted).rules(t)), encode(t, mended.rules(t)))
		})
	}
}

func TestARuleThatMatchesOnTheHeaderGetsNoHeaderRoutes(t *testing.T) {
	for name, match := range map[string]string{
		"with":    `[{uri: {prefix: /}}, {headers: {x-serin-arm: {prefix: s}}}]`,
		"without": `[{uri: {prefix: /}}, {withoutHeaders: {X-Serin-Arm: {}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			o := fromYAML(t, shopRules).changeAll(t, func(http []any) []any {
				var value any
				require.NoError(t, yaml.Unmarshal([]byte(match), &value))
				http[1].(document)["match"] = value
				return http
			})
			_, err := renderer(t, ofB).Render(o.typed(t), preview)
			require.ErrorIs(t, err, routing.ErrHeaderTaken)
			require.ErrorIs(t, err, canary.ErrRefused)
			require.ErrorContains(t, err, `routing: VirtualService prod/reviews: rule "b": match 1: the rule already matches on the header`)
			other := ofB
			other.Header = "version"
			o.render(t, renderer(t, other), preview).render(t, renderer(t, other), canary.Traffic{})
		})
	}
}

func TestABaselineHasAHeaderRouteAndAnyHeaderWillDo(t *testing.T) {
	arms := subsets("reviews")
	arms.Baseline = routing.Destination{Host: "baseline", Port: 81}
	h := renderer(t, routing.Target{
		Namespace: "prod", Name: "reviews", ID: "r.1", Arms: arms, Rules: []routing.Rule{{Name: "b"}, {Name: "a"}}, Header: "version",
	})
	o := fromYAML(t, twoRules).render(t, h, preview)
	require.Equal(t, "serin/r.1/stable/a, serin/r.1/canary/a, serin/r.1/baseline/a, a, "+
		"serin/r.1/stable/b, serin/r.1/canary/b, serin/r.1/baseline/b, b", o.names(t))
	route := o.typed(t).Spec.Http[2]
	require.Equal(t, "baseline", route.Match[0].Headers["version"].GetExact())
	require.Equal(t, uint32(81), route.Route[0].Destination.Port.Number)
	require.Equal(t, "baseline", route.Route[0].Destination.Host)
}

// Arms that are told apart by a header alone have header routes that set it (R13).
func TestAHeaderRouteToAnArmThatAHeaderTells(t *testing.T) {
	model := func(v string) routing.Destination {
		return routing.Destination{Host: "models", Sets: routing.Header{Name: "x-model", Value: v}}
	}
	for name, headers := range map[string]string{
		"alone":           `{request: {set: {x-model: v1}}}`,
		"with others":     `{request: {set: {x-model: v1, x: why}, remove: [z]}, response: {set: {a: b}}}`,
		"beside a canary": `{request: {set: {x-model: v1}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			route := `[{destination: {host: models}, headers: ` + headers + `, weight: 100}]`
			if name == "beside a canary" {
				route = strings.Replace(route, "}]", "}, {destination: {host: models}, headers: {request: {set: {x-model: v2}}}, weight: 0}]", 1)
			}
			before := service(t, `[{name: all, route: `+route+`}]`)
			h := renderer(t, routing.Target{Namespace: "prod", Name: "reviews", Arms: routing.Arms{Stable: model("v1"), Canary: model("v2")}})
			o := before.render(t, h, preview)
			for i, arm := range []string{"v1", "v2"} {
				d := o.typed(t).Spec.Http[i].Route
				require.Len(t, d, 1)
				require.Equal(t, arm, d[0].Headers.Request.Set["x-model"])
			}
			o = o.render(t, h, canary.Traffic{Canary: canary.Percent, HeaderRoutes: true}).render(t, h, canary.Traffic{Canary: canary.Full, HeaderRoutes: true})
			require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
		})
	}
}

// Several targets have their derived rules in one object, and none of them touches
// another's (E13).
func TestTargetsOfOneObjectHaveDerivedRulesOfTheirOwn(t *testing.T) {
	before := fromYAML(t, sharedGateway)
	on := canary.Traffic{Canary: canary.Percent, Mirror: canary.Full, HeaderRoutes: true}
	of := func(host string) *routing.HTTP {
		return renderer(t, routing.Target{Namespace: "prod", Name: "gw", Arms: subsets(host)})
	}
	cart, pay := of("cart"), of("pay")
	o := before.render(t, cart, on).render(t, pay, on)
	require.Equal(t, "serin/cart/stable/cart, serin/cart/canary/cart, serin/cart/mirror/cart, cart, "+
		"serin/pay/stable/pay, serin/pay/canary/pay, serin/pay/mirror/pay, pay", o.names(t))
	got, err := cart.Read(o.typed(t), on)
	require.NoError(t, err)
	require.Equal(t, on, got)
	alone := before.render(t, pay, on)
	require.JSONEq(t, encode(t, alone.rules(t)), encode(t, o.render(t, cart, canary.Traffic{}).rules(t)))

	// Requests that choose another target's version are not copied for this one.
	three := renderer(t, routing.Target{Namespace: "prod", Name: "gw", ID: "third", Arms: subsets("pay"), Header: "x-third"})
	o = before.render(t, pay, preview).render(t, three, preview).render(t, pay, canary.Traffic{Mirror: 1, HeaderRoutes: true})
	require.Equal(t, "cart, serin/third/stable/pay, serin/third/canary/pay, serin/pay/stable/pay, serin/pay/canary/pay, serin/pay/mirror/pay, pay", o.names(t))
	o = before.render(t, pay, preview).render(t, three, preview).render(t, three, canary.Traffic{Mirror: 1, HeaderRoutes: true})
	require.Equal(t, "cart, serin/third/stable/pay, serin/third/canary/pay, serin/pay/stable/pay, serin/pay/canary/pay, serin/third/mirror/pay, pay", o.names(t))

	// Two previews of one rule do not take each other down either.
	second := renderer(t, routing.Target{Namespace: "prod", Name: "gw", ID: "second", Arms: subsets("cart"), Header: "x-second"})
	both := before.render(t, cart, preview).render(t, second, preview)
	got, err = cart.Read(both.typed(t), preview)
	require.NoError(t, err)
	require.Equal(t, preview, got)
	require.JSONEq(t, encode(t, before.render(t, second, preview).rules(t)), encode(t, both.render(t, cart, canary.Traffic{}).rules(t)))
}

func TestADelegateGetsNothingThatMatchesOnMore(t *testing.T) {
	o := service(t, `[{name: a, route: [`+v1+`]}]`)
	delegate := object(strings.Replace(string(o), `"hosts":["reviews"]`, `"hosts":[]`, 1))
	require.NotEqual(t, string(o), string(delegate))
	h := renderer(t, target("a"))
	for _, traffic := range []canary.Traffic{preview, {Mirror: canary.Full}} {
		_, err := h.Render(delegate.typed(t), traffic)
		require.ErrorIs(t, err, routing.ErrDelegate)
		require.ErrorIs(t, err, canary.ErrRefused)
	}
	delegate.render(t, h, share(1))
	every := target("a")
	every.Mirror = everyMethod
	delegate.render(t, renderer(t, every), canary.Traffic{Mirror: canary.Full})

	// What somebody else left there is removed all the same.
	left := delegate.changeAll(t, func(r []any) []any {
		return append([]any{document{"name": "serin/reviews/stable/a", "route": []any{}}}, r...)
	})
	require.Equal(t, "a", left.render(t, h, canary.Traffic{}).names(t))
}

func TestOptionsOfDerivedRulesAreChecked(t *testing.T) {
	_, err := routing.NewHTTP(routing.Target{
		Namespace: "prod", Name: "reviews", Arms: subsets("reviews"), Rules: []routing.Rule{{Name: "serin/x/mirror/a"}},
		Header: "X-Arm", Mirror: []string{"get"},
	})
	for _, want := range []string{
		`rule 0: "serin/x/mirror/a": names that begin with "serin/" are reserved for Serin's rules`,
		`header: "X-Arm": want lower-case letters, digits, "-", "_" and ".", but not uri`, `mirror: method 0: "get" is listed twice or is not a method`,
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = routing.NewHTTP(routing.Target{Namespace: "prod", Name: "reviews", Arms: subsets("reviews"), Header: "authority"})
	require.ErrorContains(t, err, `"authority": want lower-case letters`)
}

// Whatever somebody did to the destinations of a rule meanwhile, its header routes are
// those of the rule as it is when the canary's has gone.
func TestHeaderRoutesFollowTheDestinationsOfTheirRule(t *testing.T) {
	route := func(r []any) []any { return r[len(r)-1].(document)["route"].([]any) }
	for name, change := range map[string]func(rule []any){
		"the canary has other headers": func(r []any) {
			route(r)[1].(document)["headers"] = document{"request": document{"set": document{"x": "w"}}}
		},
		"stable has other headers": func(r []any) { delete(route(r)[0].(document), "headers") },
		"the canary comes first":   func(r []any) { slices.Reverse(route(r)) },
		"both":                     func(r []any) { slices.Reverse(route(r)); delete(route(r)[0].(document), "headers") },
	} {
		t.Run(name, func(t *testing.T) {
			h := renderer(t, target())
			before := service(t, `[{name: b, route: [{destination: {host: reviews, subset: v1}, headers: {request: {set: {x: z}}}}]}]`)
			o := before.render(t, h, preview).render(t, h, canary.Traffic{Canary: 20 * canary.Percent, HeaderRoutes: true})
			o = o.changeAll(t, func(r []any) []any { change(r); return r })
			o = o.render(t, h, canary.Traffic{Canary: 20 * canary.Percent, HeaderRoutes: true})
			require.Equal(t, o.render(t, h, canary.Traffic{}).render(t, h, preview).rules(t), o.render(t, h, preview).rules(t))
		})
	}
}

// What is left of a rollout is seen, though it gives nobody anything.
func TestDerivedRulesThatAreLeftAreSeen(t *testing.T) {
	h, before := renderer(t, target()), service(t, `[{name: b, route: [`+v1+`]}]`)
	rule := before.rules(t)[0].(document)
	toCanary := []any{document{"destination": document{"host": "reviews", "subset": "v2"}}}
	for name, left := range map[string]document{
		"a header route of a rule that is gone": {"name": "serin/reviews/stable/gone", "route": rule["route"]},
		"one of this rule":                      {"name": "serin/reviews/canary/b", "route": toCanary},
		"a copy that mirrors nothing":           {"name": "serin/reviews/mirror/b", "route": rule["route"]},
		"one of no kind":                        {"name": "serin/reviews/", "redirect": document{"uri": "/"}},
	} {
		for place := range 2 {
			o := before.changeAll(t, func(r []any) []any { return slices.Insert(r, place, any(left)) })
			got, err := h.Read(o.typed(t), canary.Traffic{})
			require.NoError(t, err)
			require.NotZero(t, got, "%s at %d", name, place)
			require.Zero(t, got.Canary)
			require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
		}
	}
	o := before.render(t, h, preview)
	for i := range 2 {
		one := o.changeAll(t, func(r []any) []any { return slices.Delete(r, i, i+1) })
		got, err := h.Read(one.typed(t), preview)
		require.NoError(t, err)
		require.Zero(t, got, "one of two is none")
	}
}

// At a gateway, a rule that matches everything comes behind those of other
// VirtualServices, and what is derived from it would not.
func TestDerivedRulesTakeNothingFromOtherVirtualServices(t *testing.T) {
	const front, both = "gateways: [front], ", "gateways: [mesh, front], "
	for name, c := range map[string]struct {
		spec, rule string
		refused    bool
	}{
		"no match":             {front, ``, true},
		"an empty block":       {front, `match: [{name: all}]`, true},
		"a prefix":             {both, `match: [{uri: {prefix: /}}]`, true},
		"an expression":        {front, `match: [{uri: {regex: ".*"}}]`, true},
		"one of two blocks":    {front, `match: [{uri: {exact: /a}}, {uri: {prefix: /}}]`, true},
		"a block's gateway":    {"", `match: [{gateways: [front]}]`, true},
		"the mesh":             {"", ``, false},
		"the mesh by name":     {"gateways: [mesh], ", `match: [{uri: {prefix: /}}]`, false},
		"a block for the mesh": {both, `match: [{gateways: [mesh]}]`, false},
		"a longer prefix":      {front, `match: [{uri: {prefix: /api}}]`, false},
		"all, exactly":         {front, `match: [{uri: {exact: /}}]`, false},
		"a method":             {front, `match: [{method: {exact: GET}}]`, false},
		"a host":               {front, `match: [{authority: {exact: a}}]`, false},
		"a header":             {front, `match: [{headers: {x: {exact: a}}}]`, false},
		"no header":            {front, `match: [{withoutHeaders: {x: {exact: a}}}]`, false},
		"a parameter":          {front, `match: [{queryParams: {x: {exact: a}}}]`, false},
		"a scheme":             {front, `match: [{scheme: {exact: https}}]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := fromYAML(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec: {hosts: [reviews], `+c.spec+`http: [{route: [`+v1+`], `+strings.Trim(c.rule+"}", ", ")+`]}
`)
			to := target()
			for _, traffic := range []canary.Traffic{preview, copyAll} {
				_, err := renderer(t, to).Render(o.typed(t), traffic)
				require.Equal(t, c.refused, errors.Is(err, routing.ErrShared), err)
				require.Equal(t, c.refused, errors.Is(err, canary.ErrRefused), err)
			}
			o.render(t, renderer(t, to), share(20))
			every := to
			every.Mirror = everyMethod
			o.render(t, renderer(t, every), copyAll)
			to.Exclusive = true
			o.render(t, renderer(t, to), preview).render(t, renderer(t, to), copyAll)
		})
	}
}
