package mirror_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
)

// edit changes the http rules of the object by hand.
func (o object) edit(t tb, change func(rules []any) []any) object {
	t.Helper()
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	s := doc["spec"].(document)
	s["http"] = change(s["http"].([]any))
	edited, err := json.Marshal(doc)
	require.NoError(t, err)
	return edited
}

func TestAHandEditIsDriftAndIsMended(t *testing.T) {
	wanted := canary.Traffic{Canary: 10 * canary.Percent, Mirror: 50 * canary.Percent}
	r := mirror.Safe(inner(t, "a"))
	before := shop(t, `[{name: a, timeout: 3s, route: [`+v1+`]}, {name: z, redirect: {uri: /}}]`)
	good := before.render(t, r, wanted)
	for _, c := range []struct {
		name   string
		change func(rules []any) []any
		left   string // of the change, in the end
	}{
		{"the copy was removed", func(r []any) []any { return r[1:] }, ""},
		{"the copy was put at the end", func(r []any) []any { return []any{r[1], r[2], r[0]} }, ""},
		{"the copy is there twice", func(r []any) []any { return append(r, r[0]) }, ""},
		{"the copy's original was renamed and another added", func(r []any) []any {
			return append(r, document{"name": "serin-mirror-gone", "route": []any{}})
		}, ""},
		{"the copy's weights were changed", func(r []any) []any {
			r[0].(document)["route"].([]any)[1].(document)["weight"] = 77
			return r
		}, ""},
		{"the copy's share was changed", func(r []any) []any {
			r[0].(document)["mirrorPercentage"] = document{"value": 3}
			return r
		}, ""},
		{"the copy's mirror was removed", func(r []any) []any { delete(r[0].(document), "mirror"); return r }, ""},
		{"the copy's match was removed", func(r []any) []any { delete(r[0].(document), "match"); return r }, ""},
		{"the rule mirrors everything", func(r []any) []any {
			r[1].(document)["mirror"], r[1].(document)["mirrorPercentage"] = r[0].(document)["mirror"], document{"value": 50}
			return r[1:]
		}, ""},
		{"the rule was changed", func(r []any) []any {
			r[1].(document)["timeout"] = "9s"
			return r
		}, "9s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			edited := good.edit(t, c.change)
			got, err := r.Read(edited.typed(t), wanted)
			require.NoError(t, err)
			require.NotEqual(t, wanted, got)
			require.NoError(t, got.Validate())

			mended := edited.render(t, r, wanted)
			if c.left == "" {
				require.JSONEq(t, string(good), string(mended))
			}
			end := edited.render(t, r, canary.Traffic{})
			if c.left == "" {
				require.JSONEq(t, string(before), string(end))
			}
			require.Contains(t, end.rules(t), c.left)
		})
	}
}

func TestALeftCopyWithOtherWeightsIsSeenWhenNothingIsMirrored(t *testing.T) {
	r := mirror.Safe(inner(t, "a"))
	before := shop(t, `[{name: a, route: [`+v1+`]}]`)
	o := before.render(t, r, canary.Traffic{Canary: 10 * canary.Percent, Mirror: 1})
	stray := o.edit(t, func(rules []any) []any { delete(rules[0].(document), "mirror"); return rules })
	stray = stray.edit(t, func(rules []any) []any {
		rules[1].(document)["route"].([]any)[1].(document)["weight"] = 0
		return rules
	})
	got, err := r.Read(stray.typed(t), canary.Traffic{})
	require.NoError(t, err)
	require.Equal(t, 10*canary.Percent, got.Canary, "the copy answers live requests")
	require.JSONEq(t, string(before), string(stray.render(t, r, canary.Traffic{})))
}

func TestErrorsOfTheInnerRendererAreTold(t *testing.T) {
	r := mirror.Safe(inner(t, "missing"))
	o := shop(t, `[{name: serin-mirror-a, route: [`+v1+`]}]`)
	_, err := r.Read(o.typed(t), canary.Traffic{})
	require.ErrorIs(t, err, canary.ErrRefused)
	for _, traffic := range []canary.Traffic{{}, copyAll} {
		_, err = r.Render(o.typed(t), traffic)
		require.ErrorIs(t, err, canary.ErrRefused)
	}
	o = shop(t, `[{route: [`+v1+`], mirrors: [{destination: {host: other}}]}]`)
	_, err = mirror.Safe(inner(t)).Render(o.typed(t), copyAll)
	require.ErrorIs(t, err, canary.ErrRefused)
}

func TestAnyCourseOfTrafficLeavesNoTrace(t *testing.T) {
	matches := rapid.SampledFrom([]string{
		`[]`, `[{uri: {prefix: /a}}]`, `[{method: {regex: "GET|POST"}, novel: 1}, {queryParams: {q: {exact: "1"}}}, {method: {exact: PUT}}]`,
	})
	weight := rapid.Custom(func(t *rapid.T) canary.Weight {
		w := canary.Weight(rapid.Int64Range(0, int64(canary.Full)).Draw(t, "weight"))
		return rapid.SampledFrom([]canary.Weight{0, w, canary.Full}).Draw(t, "which")
	})
	rapid.Check(t, func(t *rapid.T) {
		rule := func(name string) string {
			return fmt.Sprintf(`{name: %s, match: %s, novel: {b: 2}, route: [{destination: {host: shop, subset: v1}, weight: 7}, {destination: {host: third}, weight: %d}]}`,
				name, matches.Draw(t, "match"), rapid.IntRange(0, 30).Draw(t, "foreign"))
		}
		before := shop(t, "["+rule("a")+", {route: [{destination: {host: other}}]}, "+rule("b")+"]")
		r := mirror.Safe(inner(t, "b", "a"))
		o := before
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			o = o.render(t, r, canary.Traffic{Canary: weight.Draw(t, "canary"), Mirror: weight.Draw(t, "mirror")})
		}
		require.JSONEq(t, string(before), string(o.render(t, r, canary.Traffic{})))
	})
}
