package routing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/api/networking/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// http prints what each rule leads to: "v1 80 v2 20 | v2".
func (o object) http(t tb) string {
	t.Helper()
	var rules []string
	for _, r := range o.typed(t).Spec.Http {
		var parts []string
		for _, d := range r.Route {
			parts = append(parts, d.Destination.Subset)
			if d.Weight != 0 || len(r.Route) > 1 {
				parts = append(parts, fmt.Sprint(d.Weight))
			}
		}
		rules = append(rules, strings.Join(parts, " "))
	}
	return strings.Join(rules, " | ")
}

const (
	forJason = `{match: [{headers: {end-user: {exact: jason}}}], route: [{destination: {host: reviews, subset: v2}}]}`
	forAPI   = `{match: [{uri: {prefix: /api}}], route: [` + v1 + `]}`
	forAll   = `{route: [` + v1 + `]}`
	toOthers = `{match: [{uri: {prefix: /ratings}}], route: [{destination: {host: ratings, subset: v9}}]}`
)

// R4: rules are chosen by where they lead, whether they have names or not, and all
// else stays as it is: also a rule that leads to the canary for those who ask for it.
func TestRulesAreChosenByWhereTheyLead(t *testing.T) {
	for name, c := range map[string]struct{ rules, half string }{
		"one":              {forAll, "v1 50 v2 50"},
		"two":              {forAPI + "," + forAll, "v1 50 v2 50 | v1 50 v2 50"},
		"a preview before": {forJason + "," + forAll, "v2 | v1 50 v2 50"},
		"one of others":    {toOthers + "," + forAPI + "," + forAll, "v9 | v1 50 v2 50 | v1 50 v2 50"},
		"twins":            {forAPI + "," + forAPI + "," + forAll, "v1 50 v2 50 | v1 50 v2 50 | v1 50 v2 50"},
	} {
		t.Run(name, func(t *testing.T) {
			h := renderer(t, target())
			before := service(t, "["+c.rules+"]")
			o := before.render(t, h, share(50))
			require.Equal(t, c.half, o.http(t))
			full := o.render(t, h, share(100))
			require.Equal(t, strings.ReplaceAll(c.half, "v1 50 v2 50", "v1 0 v2 100"), full.http(t))
			require.JSONEq(t, string(before), string(full.render(t, h, canary.Traffic{})))
		})
	}
}

// E39: a rule that somebody adds in mid-rollout is left alone, wherever it stands,
// and the rollout goes on with those that it began with.
func TestARuleThatIsAddedMeanwhileIsLeftAlone(t *testing.T) {
	h := renderer(t, target())
	before := service(t, "["+forAPI+","+forAll+"]")
	for place := range 3 {
		for name, added := range map[string]string{
			"to stable": `{name: new, match: [{uri: {prefix: /new}}], route: [` + v1 + `]}`,
			"unnamed":   `{match: [{uri: {prefix: /new}}], route: [` + v1 + `]}`,
			"elsewhere": toOthers,
			"redirect":  `{match: [{uri: {prefix: /old}}], redirect: {uri: /new}}`,
		} {
			t.Run(fmt.Sprint(name, " ", place), func(t *testing.T) {
				rule := service(t, "["+added+"]").rules(t)[0]
				insert := func(o object) object {
					return o.changeAll(t, func(all []any) []any {
						return append(all[:place:place], append([]any{rule}, all[place:]...)...)
					})
				}
				o := insert(before.render(t, h, share(20)))
				got, err := h.Read(o.typed(t), share(20))
				require.NoError(t, err)
				require.Equal(t, share(20), got, "it is no drift")
				for _, percent := range []canary.Weight{50, 100, 0} {
					o = o.render(t, h, share(percent))
					require.Equal(t, rule, o.rules(t)[place])
				}
				require.JSONEq(t, string(insert(before)), string(o))
			})
		}
	}
}

// Without live traffic a rule that is added is one of the others.
func TestARuleThatIsAddedBeforeTheCanaryHasTrafficIsSteered(t *testing.T) {
	h := renderer(t, target())
	o := service(t, "["+forAll+"]").render(t, h, canary.Traffic{Mirror: canary.Full})
	got, err := h.Read(service(t, "["+forAPI+","+forAll+"]").typed(t), canary.Traffic{Mirror: canary.Full})
	require.NoError(t, err)
	require.Zero(t, got)
	require.NotEmpty(t, o)
}

// Whatever becomes of a rule meanwhile, the others go back, and so does what of it
// divides the traffic still.
func TestARuleThatIsChangedMeanwhileKeepsNoOtherFromGoingBack(t *testing.T) {
	h := renderer(t, target())
	for name, c := range map[string]struct {
		change func(rule document)
		after  string
	}{
		"renamed":           {func(r document) { r["name"] = "api" }, "v1 100 v2 0 | v1"},
		"matches other":     {func(r document) { r["match"] = []any{document{"uri": document{"prefix": "/v2"}}} }, "v1 100 v2 0 | v1"},
		"leads elsewhere":   {func(r document) { r["route"] = []any{document{"destination": document{"host": "x", "subset": "x"}}} }, "x | v1"},
		"a redirect":        {func(r document) { delete(r, "route"); r["redirect"] = document{"uri": "/"} }, " | v1"},
		"removed by halves": {func(r document) { r["route"] = r["route"].([]any)[1:] }, "v1 | v1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := service(t, "["+forAPI+","+forAll+"]").render(t, h, share(20))
			o = o.changeAll(t, func(all []any) []any { c.change(all[0].(document)); return all })
			require.Equal(t, c.after, o.render(t, h, canary.Traffic{}).http(t))
		})
	}
}

// A rollout that stayed with its canary leaves its originals, which say nothing of
// the next one, that goes the other way.
func TestTheNextRolloutGoesTheOtherWay(t *testing.T) {
	there, back := target(), target()
	back.Arms.Stable, back.Arms.Canary = back.Arms.Canary, back.Arms.Stable
	o := service(t, "["+forAPI+","+forAll+"]").render(t, renderer(t, there), share(100))
	require.Equal(t, "v1 0 v2 100 | v1 0 v2 100", o.http(t))
	h := renderer(t, back)
	got, err := h.Read(o.typed(t), canary.Traffic{})
	require.NoError(t, err)
	require.Zero(t, got)
	require.Equal(t, "v1 30 v2 70 | v1 30 v2 70", o.render(t, h, share(30)).http(t))
}

// R3: http moves, and what of the same object does not is said beforehand.
func TestRulesOfOtherProtocolsAreTold(t *testing.T) {
	w := newWorld(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews.example.com]
  gateways: [front]
  http:
  - {route: [{destination: {host: reviews, subset: v1}}]}
  tls:
  - {match: [{sniHosts: [reviews.example.com], port: 443}], route: [{destination: {host: elsewhere}}]}
  - {match: [{sniHosts: [reviews.example.com], port: 8443}], route: [{destination: {host: reviews, subset: v1}}]}
  tcp:
  - {match: [{port: 9000}], route: [{destination: {host: reviews, subset: v2}}]}
`)
	router := routing.NewRouter(renderer(t, target()).Object(w.client.VirtualServices("prod")))
	plan, err := canary.NewPlan("p").Step(canary.Step{Requires: canary.Nothing, Traffic: share(25)}).End(canary.End{Kind: canary.Discard}).Build()
	require.NoError(t, err)
	found, err := router.Check(t.Context(), plan)
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Contains(t, found[0].Problem, "VirtualService prod/reviews: tls[1] also leads to stable (reviews, subset v1); tls rules are not steered, so their traffic does not change")
	require.Contains(t, found[1].Problem, "tcp[0] also leads to canary")
	require.False(t, found[0].Refuses || found[1].Refuses)
}

// R13: versions behind one address are told by the header that the rule sets.
func TestArmsAreToldByAHeader(t *testing.T) {
	to := target()
	model := func(name string) routing.Destination {
		return routing.Destination{Host: "models", Sets: routing.Header{Name: "x/model", Value: name}}
	}
	to.Arms = routing.Arms{Stable: model("iris1"), Canary: model("iris2"), Baseline: model("iris1b")}
	h := renderer(t, to)
	for name, c := range map[string]struct{ rule, half string }{
		"both are there": {
			`[{route: [{destination: {host: models}, headers: {request: {set: {x/model: iris1}}}, weight: 100}, {destination: {host: models}, headers: {request: {set: {x/model: iris2}}}, weight: 0}]}]`,
			"iris1 50 iris2 50",
		},
		"the canary is not": {
			`[{route: [{destination: {host: models}, headers: {request: {set: {x/model: iris1, b: c}, add: {d: e}}, response: {set: {f: g}}}}]}]`,
			"iris1 50 iris2 50",
		},
		"another one as well": {
			`[{route: [{destination: {host: models}, headers: {request: {set: {x/model: old}}}, weight: 20}, {destination: {host: models}, headers: {request: {set: {x/model: iris1}}}, weight: 80}]}]`,
			"old 20 iris1 40 iris2 40",
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := service(t, c.rule)
			o := before.render(t, h, share(50))
			var parts []string
			for _, d := range o.typed(t).Spec.Http[0].Route {
				parts = append(parts, d.Headers.Request.Set["x/model"], fmt.Sprint(d.Weight))
			}
			require.Equal(t, c.half, strings.Join(parts, " "))
			require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{}).render(t, h, canary.Traffic{})))
			_, err := h.Render(before.typed(t), canary.Traffic{Mirror: canary.Full})
			require.ErrorContains(t, err, "the canary is told apart by a header, and mirrored requests have no headers of their own")
		})
	}
	for words, arms := range map[string]routing.Arms{
		"stable and canary are the same destination: models":                 {Stable: routing.Destination{Host: "models"}, Canary: model("iris2")},
		"stable and canary are the same destination: models, x/model: iris1": {Stable: model("iris1"), Canary: model("iris1")},
		`canary: header "x": "": want both a name and a value`:               {Stable: model("iris1"), Canary: routing.Destination{Host: "models", Sets: routing.Header{Name: "x"}}},
	} {
		_, err := routing.NewHTTP(routing.Target{Namespace: "prod", Name: "reviews", Arms: arms})
		require.ErrorContains(t, err, words)
	}
	// Only what is not there at all is added without a pattern.
	lone := routing.Arms{Stable: routing.Destination{Host: "old"}, Canary: model("iris2")}
	o := service(t, `[{route: [{destination: {host: old}}]}]`).render(t, renderer(t, routing.Target{Namespace: "prod", Name: "reviews", Arms: lone}), share(50))
	require.Equal(t, "iris2", o.typed(t).Spec.Http[0].Route[1].Headers.Request.Set["x/model"])
}

// Rules without names are told by what they match.
func TestRulesAreChosenByWhatTheyMatch(t *testing.T) {
	api := &networking.HTTPMatchRequest{Uri: &networking.StringMatch{MatchType: &networking.StringMatch_Prefix{Prefix: "/api"}}}
	old := &networking.HTTPMatchRequest{Uri: &networking.StringMatch{MatchType: &networking.StringMatch_Prefix{Prefix: "/old"}}}
	get := &networking.HTTPMatchRequest{Method: &networking.StringMatch{MatchType: &networking.StringMatch_Exact{Exact: "GET"}}}
	by := func(m ...*networking.HTTPMatchRequest) routing.Target {
		to := target()
		for _, one := range m {
			to.Rules = append(to.Rules, routing.Rule{Match: one})
		}
		return to
	}
	forTwo := `{match: [{method: {exact: GET}}, {uri: {prefix: /api}}], route: [` + v1 + `]}`
	for name, c := range map[string]struct {
		rules string
		match []*networking.HTTPMatchRequest
		want  string // the weights, or the error
	}{
		"one of two":                           {forAPI + "," + forAll, []*networking.HTTPMatchRequest{api}, "v1 50 v2 50 | v1"},
		"one that its copy matches on as well": {forAll + "," + strings.Replace(forTwo, "/api", "/", 1), []*networking.HTTPMatchRequest{get}, "v1 | v1 50 v2 50"},
		"one of its blocks":                    {forAll + "," + forTwo, []*networking.HTTPMatchRequest{api}, "v1 | v1 50 v2 50"},
		"none":                                 {forAll, []*networking.HTTPMatchRequest{old}, `no such rule: match {"uri":{"prefix":"/old"}}; none of 1 http rules has it`},
		"two":                                  {forAPI + "," + forTwo, []*networking.HTTPMatchRequest{api}, `more than one rule fits: http[0] and http[1] both fit match {"uri":{"prefix":"/api"}}`},
		"one that does not lead to stable": {toOthers + "," + strings.ReplaceAll(forAPI, "v1", "v7"), []*networking.HTTPMatchRequest{api},
			"http[1]: stable destination not in the rule: reviews, subset v1"},
	} {
		t.Run(name, func(t *testing.T) {
			h, before := renderer(t, by(c.match...)), service(t, "["+c.rules+"]")
			_, err := h.Render(before.typed(t), share(50))
			if !strings.HasPrefix(c.want, "v1") {
				require.ErrorIs(t, err, canary.ErrRefused)
				require.ErrorContains(t, err, c.want)
				return
			}
			// Its header routes match on the same and on more, and are none of them.
			o := before.render(t, h, preview).render(t, h, copyAll).render(t, h, canary.Traffic{Canary: 50 * canary.Percent, Mirror: canary.Full, HeaderRoutes: true})
			bare := o.changeAll(t, func(all []any) []any {
				return slices.DeleteFunc(all, func(r any) bool { return r.(document)["name"] != nil })
			})
			require.Equal(t, c.want, bare.http(t))
			require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
		})
	}
	_, err := routing.NewHTTP(by(api, api))
	require.ErrorContains(t, err, `rule 1: match {"uri":{"prefix":"/api"}} is listed twice`)
	_, err = routing.NewHTTP(routing.Target{Namespace: "prod", Name: "reviews", Arms: subsets("reviews"), Rules: []routing.Rule{{Name: "a", Match: api}}})
	require.ErrorContains(t, err, "rule 0: want either a name or a match")
}

// Two entries of a target that mean one rule of the object are refused: what is done
// twice to one rule would be done to its neighbours.
func TestTwoEntriesOfATargetAreTwoRules(t *testing.T) {
	block := func(prefix string) *networking.HTTPMatchRequest {
		return &networking.HTTPMatchRequest{Uri: &networking.StringMatch{MatchType: &networking.StringMatch_Prefix{Prefix: prefix}}}
	}
	o := service(t, `[{name: b, match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}], route: [`+v1+`]}, {name: c, route: [`+v1+`]}]`)
	for name, rules := range map[string][]routing.Rule{
		"two blocks":         {{Match: block("/a")}, {Match: block("/b")}},
		"a name and a block": {{Name: "c"}, {Name: "b"}, {Match: block("/b")}},
	} {
		to := target()
		to.Rules = rules
		_, err := renderer(t, to).Render(o.typed(t), preview)
		require.ErrorIs(t, err, routing.ErrAmbiguousRule, name)
		require.ErrorContains(t, err, "are both http[0]")
	}
}

// While users are on the canary, a rule is known by what it does, whatever somebody calls
// it or has it match.
func TestARuleThatDividesIsFoundUnderAnotherName(t *testing.T) {
	by := target()
	by.Rules = []routing.Rule{{Match: &networking.HTTPMatchRequest{Uri: &networking.StringMatch{MatchType: &networking.StringMatch_Prefix{Prefix: "/api"}}}}}
	for name, to := range map[string]routing.Target{"by name": target("api"), "by match": by} {
		for change, edit := range map[string]func(r []any) []any{
			"renamed and matching other": func(r []any) []any {
				r[0].(document)["name"], r[0].(document)["match"] = "v2", []any{document{"uri": document{"prefix": "/v2"}}}
				return r
			},
			"there twice, of which one divides": func(r []any) []any {
				twin := document{"name": "api", "match": r[0].(document)["match"], "route": []any{document{"destination": document{"host": "x"}}}}
				return append(r, twin)
			},
		} {
			t.Run(name+" "+change, func(t *testing.T) {
				h := renderer(t, to)
				before := service(t, `[{name: api, match: [{uri: {prefix: /api}}], route: [`+v1+`]}, `+forAll+`]`)
				o := before.render(t, h, share(20)).changeAll(t, edit)
				got, err := h.Read(o.typed(t), share(20))
				require.NoError(t, err)
				require.Equal(t, share(20), got)
				o = o.render(t, h, share(50))
				p, err := h.Render(o.typed(t), canary.Traffic{})
				require.NoError(t, err)
				o = o.apply(t, p)
				require.Contains(t, []string{"v1 100 v2 0 | v1", "v1 | v1 | "}, o.http(t), "stable has everything")
				_, err = h.Read(o.typed(t), canary.Traffic{})
				require.ErrorIs(t, err, canary.ErrRefused, "nothing tells any more which one it was")
			})
		}
	}
	// Where several divide, nobody can know.
	o := service(t, `[{name: api, route: [`+v1+`]}, {name: other, route: [`+v1+`, `+v2+`]}]`).render(t, renderer(t, target("api")), share(20))
	o = o.changeAll(t, func(r []any) []any { r[0].(document)["name"] = "renamed"; return r })
	_, err := renderer(t, target("api")).Read(o.typed(t), share(20))
	require.ErrorIs(t, err, routing.ErrNoRule)
}

// Istio asks for no unique names: what rules of one name were is known of each.
func TestRulesOfOneNameAreToldApart(t *testing.T) {
	one := `{name: %s, match: [{uri: {prefix: /%d}}], route: [{destination: {host: reviews, subset: v1}, weight: %d}, {destination: {host: x}, weight: 1}]}`
	var rules []string
	for i, name := range []string{"a", "a~1", "a", "a", "b"} {
		rules = append(rules, fmt.Sprintf(one, name, i, 10+i))
	}
	h, before := renderer(t, target()), service(t, "["+strings.Join(rules, ",")+"]")
	o := before.render(t, h, share(20)).render(t, h, canary.Traffic{Canary: canary.Percent / 3})
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
}

// A rule that is looked for by what it does is none of the others, and is looked for
// only while there is traffic of this rollout.
func TestARuleThatDividesIsNoOtherOne(t *testing.T) {
	half := `route: [{destination: {host: reviews, subset: v1}, weight: 80}, {destination: {host: reviews, subset: v2}, weight: 20}]`
	_, err := renderer(t, target("api")).Read(service(t, `[{name: other, `+half+`}]`).typed(t), canary.Traffic{})
	require.ErrorIs(t, err, routing.ErrNoRule, "it may be somebody else's")

	h := renderer(t, target("a", "b"))
	o := service(t, `[{name: a, route: [`+v1+`]}, {name: b, route: [`+v1+`]}]`).render(t, h, share(20))
	o = o.changeAll(t, func(r []any) []any { r[0].(document)["name"] = "c"; return r })
	require.Equal(t, "v1 50 v2 50 | v1 50 v2 50", o.render(t, h, share(50)).http(t))
}
