package mirror_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// object is the JSON document of a VirtualService.
type object []byte

type document = map[string]any

// tb is what *testing.T and *rapid.T have in common.
type tb interface {
	require.TestingT
	Helper()
}

// shop is a VirtualService with these http rules.
func shop(t tb, rules string) object {
	t.Helper()
	doc, err := yaml.YAMLToJSONStrict(fmt.Appendf(nil, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: prod}
spec:
  hosts: [shop]
  future: 1.5
  http: %s`, rules))
	require.NoError(t, err)
	return doc
}

const v1 = `{destination: {host: shop, subset: v1}}`

func (o object) typed(t tb) *networking.VirtualService {
	t.Helper()
	vs := &networking.VirtualService{}
	require.NoError(t, json.Unmarshal(o, vs))
	return vs
}

func (o object) apply(t tb, p routing.Patch) object {
	t.Helper()
	patch, err := jsonpatch.DecodePatch(p.Bytes())
	require.NoError(t, err, p.String())
	after, err := patch.Apply(o)
	require.NoError(t, err, p.String())
	return after
}

// render brings the object to want and checks what must hold for every object.
func (o object) render(t tb, r routing.Renderer[networking.VirtualService], want canary.Traffic) object {
	t.Helper()
	before := o.typed(t)
	p, err := r.Render(before, want)
	require.NoError(t, err)
	require.True(t, proto.Equal(&o.typed(t).Spec, &before.Spec), "the argument was changed")
	after := o.apply(t, p)
	for _, last := range []canary.Traffic{want, {Canary: 1}} {
		got, err := r.Read(after.typed(t), last)
		require.NoError(t, err)
		require.Equal(t, want, got, "%s\nby %s\n%s", o, &p, after)
	}
	again, err := r.Render(after.typed(t), want)
	require.NoError(t, err)
	require.True(t, again.Empty(), "rendered twice: %s after\n%s", &again, &p)
	return after
}

// rules returns the http rules of the object as YAML.
func (o object) rules(t tb) string {
	t.Helper()
	var doc struct {
		Spec struct{ HTTP []any }
	}
	require.NoError(t, json.Unmarshal(o, &doc))
	text, err := yaml.Marshal(doc.Spec.HTTP)
	require.NoError(t, err)
	return string(text)
}

func inner(t tb, rules ...string) *routing.HTTP {
	t.Helper()
	target := routing.Target{
		Namespace: "prod", Name: "shop",
		Arms: routing.Arms{
			Stable: routing.Destination{Host: "shop", Subset: "v1"},
			Canary: routing.Destination{Host: "shop", Subset: "v2"},
		},
	}
	for _, r := range rules {
		target.Rules = append(target.Rules, routing.Rule{Name: r})
	}
	h, err := routing.NewHTTP(target)
	require.NoError(t, err)
	return h
}

var copyAll = canary.Traffic{Mirror: canary.Full}

func TestSafeMirrorsGetHeadAndOptionsInARuleOfTheirOwn(t *testing.T) {
	before := shop(t, `[{name: api, timeout: 3s, newer: {a: 1}, route: [`+v1+`]}]`)
	after := before.render(t, mirror.Safe(inner(t)), copyAll)
	require.Equal(t, `- match:
  - method:
      regex: GET|HEAD|OPTIONS
  mirror:
    host: shop
    subset: v2
  mirrorPercentage:
    value: 100
  name: serin-mirror-api
  newer:
    a: 1
  route:
  - destination:
      host: shop
      subset: v1
  timeout: 3s
- name: api
  newer:
    a: 1
  route:
  - destination:
      host: shop
      subset: v1
  timeout: 3s
`, after.rules(t))
	require.JSONEq(t, string(before), string(after.render(t, mirror.Safe(inner(t)), canary.Traffic{})))
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
			after := shop(t, `[{match: `+c.match+`, route: [`+v1+`]}]`).render(t, mirror.Safe(inner(t)), copyAll)
			var doc struct {
				Spec struct {
					HTTP []struct{ Match json.RawMessage }
				}
			}
			require.NoError(t, json.Unmarshal(after, &doc))
			require.JSONEq(t, c.want, string(doc.Spec.HTTP[0].Match))
		})
	}
}

func TestARuleWithoutAnySuchMethodIsRefused(t *testing.T) {
	o := shop(t, `[{name: api, match: [{method: {exact: POST}}], route: [`+v1+`]}]`)
	_, err := mirror.Safe(inner(t)).Render(o.typed(t), copyAll)
	require.ErrorIs(t, err, mirror.ErrNoMethod)
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, `mirror: VirtualService prod/shop: rule "api": the rule matches none of the methods to mirror`)
}

func TestOtherMethodsAreMirroredByExplicitChoice(t *testing.T) {
	r, err := mirror.Methods(inner(t), "POST")
	require.NoError(t, err)
	after := shop(t, `[{route: [`+v1+`]}]`).render(t, r, copyAll)
	require.Contains(t, after.rules(t), "exact: POST")
	for _, methods := range [][]string{{}, {"get"}, {"GET", "GET"}, {""}, {"A|B"}} {
		_, err := mirror.Methods(inner(t), methods...)
		require.Error(t, err, methods)
	}
}

func TestTheCopyCarriesTheWeightsOfTheRule(t *testing.T) {
	r := mirror.Safe(inner(t, "a", "b"))
	before := shop(t, `[{name: a, route: [`+v1+`]}, {route: [`+v1+`]}, {name: b, rewrite: {uri: /}, route: [`+v1+`]}]`)
	o := before.render(t, r, copyAll)
	o = o.render(t, r, canary.Traffic{Canary: 10 * canary.Percent, Mirror: canary.Percent / 10})
	o = o.render(t, r, canary.Traffic{Canary: 20 * canary.Percent, Mirror: canary.Percent / 10})
	vs := o.typed(t)
	require.Len(t, vs.Spec.Http, 5)
	for i, name := range []string{"serin-mirror-a", "a", "", "serin-mirror-b", "b"} {
		require.Equal(t, name, vs.Spec.Http[i].Name)
		if name != "" {
			require.Equal(t, int32(20), vs.Spec.Http[i].Route[1].Weight)
		}
	}
	require.Nil(t, vs.Spec.Http[1].Mirror)
	require.InDelta(t, 0.1, vs.Spec.Http[3].MirrorPercentage.Value, 1e-9)
	require.JSONEq(t, string(before), string(o.render(t, r, canary.Traffic{})))
}

func TestStepsMirrorTheSharesInTurn(t *testing.T) {
	like := canary.Step{Name: "dark", Hold: time.Minute, Traffic: canary.Traffic{Canary: 3}}
	require.Equal(t, []canary.Step{
		{Name: "dark 1%", Hold: time.Minute, Traffic: canary.Traffic{Mirror: canary.Percent}},
		{Name: "dark 100%", Hold: time.Minute, Traffic: canary.Traffic{Mirror: canary.Full}},
	}, mirror.Steps(like, canary.Percent, canary.Full))
	require.Empty(t, mirror.Steps(canary.Step{}, canary.Full)[0].Name)
}

// R2: the root of a delegate may match on the method as well, and Istio drops the
// copies then without a word.
func TestADelegateIsNotSplitByMethods(t *testing.T) {
	o := shop(t, `[{name: a, route: [`+v1+`]}]`)
	delegate := object(strings.Replace(string(o), `"hosts":["shop"]`, `"hosts":[]`, 1))
	require.NotEqual(t, string(o), string(delegate))
	r := mirror.Safe(inner(t, "a"))
	_, err := r.Render(delegate.typed(t), canary.Traffic{Mirror: canary.Full})
	require.ErrorIs(t, err, routing.ErrDelegate)
	require.ErrorIs(t, err, canary.ErrRefused)
	delegate.render(t, r, canary.Traffic{Canary: canary.Percent})
}
