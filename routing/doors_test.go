package routing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// shopRules has one rule to steer that uses much of what a rule can have, and a
// door of the user's own.
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

func (w world) doors(t *testing.T, settle time.Duration, rules ...string) *routing.Doors {
	t.Helper()
	target := routing.Target{Namespace: "prod", Name: "reviews", Arms: subsets("reviews")}
	for _, r := range rules {
		target.Rules = append(target.Rules, routing.Rule{Name: r})
	}
	d, err := routing.NewDoors(routing.DoorsConfig{
		Client: w.client.VirtualServices("prod"), Rules: renderer(t, target), Settle: settle,
	})
	require.NoError(t, err)
	return d
}

// patches counts those of VirtualServices.
func (w world) patches() int {
	return w.Requests()[apiserver.Request{Verb: "patch", Resource: virtualServices}]
}

func (w world) edit(t *testing.T, change func(http []any) []any) {
	t.Helper()
	require.NoError(t, w.Update(virtualServices, "prod", "reviews", func(o map[string]any) {
		s := o["spec"].(document)
		s["http"] = change(s["http"].([]any))
	}))
}

func names(t tb, o object) string {
	var all []string
	for _, r := range o.typed(t).Spec.Http {
		all = append(all, r.Name)
	}
	return strings.Join(all, ", ")
}

func TestADoorIsTheRuleWithOneArmForRequestsWithTheHeader(t *testing.T) {
	w := newWorld(t, shopRules)
	before := spec(t, w.document(t, "reviews"))
	d := w.doors(t, 0, "b")
	raise(t, d, 1)
	require.Equal(t, "mine, serin-door-stable-b, serin-door-canary-b, b, ", names(t, w.document(t, "reviews")))
	var doc struct{ Spec struct{ HTTP []document } }
	require.NoError(t, json.Unmarshal(w.document(t, "reviews"), &doc))
	door := func(arm, route string) string {
		return fmt.Sprintf(`{"name": "serin-door-%[1]s-b", "rewrite": {"uri": "/"}, "timeout": "3s", "newer": {"a": 1}, "match": [
			{"uri": {"prefix": "/b"}, "novel": 1, "headers": {"x-serin-arm": {"exact": %[1]q}}},
			{"headers": {"beta": {"exact": "1"}, "x-serin-arm": {"exact": %[1]q}}}], "route": [%s]}`, arm, route)
	}
	for i, want := range []string{
		door("stable", `{"destination": {"host": "reviews", "subset": "v1", "port": {"number": 80}}, "headers": {"request": {"set": {"x": "z"}}}, "newer": 2}`),
		door("canary", `{"destination": {"host": "reviews", "subset": "v2", "port": {"number": 80}}}`),
	} {
		got, err := json.Marshal(doc.Spec.HTTP[1+i])
		require.NoError(t, err)
		require.JSONEq(t, want, string(got))
	}
	shut(t, w.doors(t, 0, "gone"), 2)
	require.Equal(t, before, spec(t, w.document(t, "reviews")))
}

func TestDoorsSettleAfterRaiseAndAfterRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, twoRules)
		before := spec(t, w.document(t, "reviews"))
		d := w.doors(t, 10*time.Second, "b")
		a, err := d.Ensure(t.Context(), canary.Question{Traffic: canary.Traffic{}, Fence: at(3)})
		require.NoError(t, err)
		require.Equal(t, canary.Yes, a.Reply, "stable traffic needs none")
		require.Zero(t, w.patches())

		settling := canary.Answer{Reply: canary.Wait, Reason: "the doors of VirtualService prod/reviews settle until 00:00:10"}
		require.Equal(t, settling, first(d.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(3)})))
		time.Sleep(9 * time.Second)
		require.Equal(t, settling, first(w.doors(t, 10*time.Second, "b").Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(4)})), "another process knows the time, too")
		time.Sleep(time.Second)
		require.Equal(t, canary.Yes, raise(t, d, 4).Reply)
		write(t, routing.NewRouter(w.object(t, "reviews", "b")), share(60))
		require.Equal(t, canary.Yes, raise(t, d, 5).Reply)
		require.Equal(t, 2, w.patches(), "weights are no business of the doors")
		write(t, routing.NewRouter(w.object(t, "reviews", "b")), canary.Traffic{})

		settling.Reason = strings.Replace(settling.Reason, "10", "20", 1)
		require.Equal(t, settling, first(d.Cleanup(t.Context(), canary.Question{Fence: at(9)})))
		require.Equal(t, before, spec(t, w.document(t, "reviews")))
		time.Sleep(10 * time.Second)
		remove(t, d, 9)
		require.Equal(t, 4, w.patches())
	})
}

// shut removes the doors, which is seen by the second look.
func shut(t *testing.T, d *routing.Doors, serial int64) {
	t.Helper()
	require.Equal(t, canary.Wait, first(d.Cleanup(t.Context(), canary.Question{Fence: at(serial)})).Reply)
	remove(t, d, serial)
}

// first is the answer, or the error as one.
func first(a canary.Answer, err error) canary.Answer {
	if err != nil {
		return canary.Answer{Reason: err.Error()}
	}
	return a
}

func TestDoorsThatDoNotFitAnyMoreAreMadeAnew(t *testing.T) {
	for name, change := range map[string]func(http []any) []any{
		"the rule has another timeout": func(r []any) []any { r[3].(document)["timeout"] = "9s"; return r },
		"the rule has another match":   func(r []any) []any { r[3].(document)["match"] = []any{}; return r },
		"another rule stands between":  func(r []any) []any { return []any{r[0], r[1], r[2], r[4], r[3]} },
		"a door is gone":               func(r []any) []any { return append(r[:1], r[2:]...) },
		"a door leads elsewhere": func(r []any) []any {
			r[1].(document)["route"].([]any)[0].(document)["destination"] = document{"host": "x"}
			return r
		},
		"a door of another rule": func(r []any) []any {
			return append(r, document{"name": "serin-door-stable-gone", "route": r[0].(document)["route"]})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, fresh := newWorld(t, shopRules), newWorld(t, shopRules)
			d := w.doors(t, 0, "b")
			raise(t, d, 1)
			w.edit(t, change)
			require.Equal(t, canary.Wait, raise(t, d, 2).Reply)
			require.Equal(t, canary.Yes, raise(t, d, 2).Reply)

			// The doors are those that they would have been.
			want := object(spec(t, w.document(t, "reviews")))
			shut(t, d, 3)
			var http any
			require.NoError(t, json.Unmarshal([]byte(spec(t, w.document(t, "reviews"))), &http))
			fresh.edit(t, func([]any) []any { return http.(document)["http"].([]any) })
			raise(t, fresh.doors(t, 0, "b"), 1)
			require.JSONEq(t, string(want), spec(t, fresh.document(t, "reviews")))
		})
	}
}

func TestARuleThatMatchesOnTheHeaderGetsNoDoors(t *testing.T) {
	for name, match := range map[string]string{
		"with":    `[{uri: {prefix: /}}, {headers: {x-serin-arm: {prefix: s}}}]`,
		"without": `[{uri: {prefix: /}}, {withoutHeaders: {X-Serin-Arm: {}}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, shopRules)
			w.edit(t, func(http []any) []any {
				var value any
				require.NoError(t, yaml.Unmarshal([]byte(match), &value))
				http[1].(document)["match"] = value
				return http
			})
			before := w.document(t, "reviews")
			_, err := w.doors(t, 0, "b").Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(1)})
			require.ErrorIs(t, err, routing.ErrHeaderTaken)
			require.ErrorIs(t, err, canary.ErrRefused)
			require.ErrorContains(t, err, `routing: VirtualService prod/reviews: rule "b": match 1: the rule matches on the header of the doors`)
			require.Equal(t, before, w.document(t, "reviews"))
		})
	}
}

func TestTheOnlyRuleThatRoutesIsStillTheOnlyOneBehindItsDoors(t *testing.T) {
	for name, safe := range map[string]bool{"all mirrored": false, "a safe mirror": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strings.Replace(bookinfo, "namespace: bookinfo", "namespace: prod", 1))
			before := spec(t, w.document(t, "reviews"))
			o := renderer(t, routing.Target{Namespace: "prod", Name: "reviews", Arms: subsets("reviews")}).Object(w.client.VirtualServices("prod"))
			want := "serin-door-stable, serin-door-canary, "
			if safe {
				o.Renderer = mirror.Safe(o.Renderer.(*routing.HTTP))
				want += "serin-mirror, "
			}
			r, d := routing.NewRouter(o), w.doors(t, 0)
			raise(t, d, 1)
			write(t, r, canary.Traffic{Canary: 10 * canary.Percent, Mirror: canary.Full})
			require.Equal(t, want, names(t, w.document(t, "reviews")))
			require.Equal(t, canary.Yes, raise(t, d, 2).Reply, "the doors fit with a mirror, too")
			w.edit(t, func(http []any) []any { return http[2:] })
			raise(t, d, 3)
			require.Equal(t, want, names(t, w.document(t, "reviews")), "doors come before the rule for the mirror")
			write(t, r, canary.Traffic{})
			shut(t, d, 4)
			require.Equal(t, before, spec(t, w.document(t, "reviews")))
		})
	}
}

func TestABaselineHasADoorAndAnyHeaderWillDo(t *testing.T) {
	w := newWorld(t, twoRules)
	arms := subsets("reviews")
	arms.Baseline = routing.Destination{Host: "baseline", Port: 81}
	rules := renderer(t, routing.Target{Namespace: "prod", Name: "reviews", Arms: arms, Rules: []routing.Rule{{Name: "b"}, {Name: "a"}}})
	d, err := routing.NewDoors(routing.DoorsConfig{Client: w.client.VirtualServices("prod"), Rules: rules, Header: "version"})
	require.NoError(t, err)
	raise(t, d, 1)
	o := w.document(t, "reviews")
	require.Equal(t, "serin-door-stable-a, serin-door-canary-a, serin-door-baseline-a, a, "+
		"serin-door-stable-b, serin-door-canary-b, serin-door-baseline-b, b", names(t, o))
	door := o.typed(t).Spec.Http[2]
	require.Equal(t, "baseline", door.Match[0].Headers["version"].GetExact())
	require.Equal(t, uint32(81), door.Route[0].Destination.Port.Number)
	require.Equal(t, canary.Yes, raise(t, d, 1).Reply)
}

func TestDoorsOfWhatIsNotThereAreRefused(t *testing.T) {
	w := newWorld(t, twoRules)
	_, err := w.doors(t, 0, "gone").Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(1)})
	require.ErrorIs(t, err, routing.ErrNoRule)
	require.NoError(t, w.Update(virtualServices, "prod", "reviews", func(o map[string]any) {
		o["metadata"].(document)["annotations"] = document{routing.DoorsAnnotation: `{"up":7}`}
	}))
	_, err = w.doors(t, 0, "b").Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(1)})
	require.ErrorIs(t, err, canary.ErrBadState)
	_, err = newWorld(t).doors(t, 0, "b").Cleanup(t.Context(), canary.Question{Fence: at(1)})
	require.ErrorContains(t, err, `routing: VirtualService prod/reviews: virtualservices.networking.istio.io "reviews" not found`)
}

func TestDoorsNeedNoRightsThatTheirRouterHasNot(t *testing.T) {
	w := newWorld(t)
	router := routing.NewRouter(w.object(t, "reviews", "b"))
	require.Equal(t, router.Rights(canary.Plan{}), w.doors(t, 0, "b").Rights(canary.Plan{}))
}

func TestNewDoorsReportsAllMistakesAtOnce(t *testing.T) {
	rules := renderer(t, routing.Target{
		Namespace: "prod", Name: "reviews", Arms: subsets("reviews"), Rules: []routing.Rule{{Name: "serin-door-a"}},
	})
	_, err := routing.NewDoors(routing.DoorsConfig{Rules: rules, Header: "X-Arm", Settle: -1})
	for _, want := range []string{
		"routing: doors of VirtualService prod/reviews: ", "client is missing", `"X-Arm" is not a header in lower case`, "settle is -1ns", `rule "serin-door-a"`,
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = routing.NewDoors(routing.DoorsConfig{Header: "authority"})
	require.ErrorContains(t, err, "rules are missing")
	require.ErrorContains(t, err, `"authority" is not a header`)
}
