package routing_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// division is a rule with stable, canary and another destination.
func division(t tb, stable, canaryWeight, other string) object {
	t.Helper()
	rule := `[{route: [{destination: {host: reviews, subset: v1}` + stable + `}`
	if canaryWeight != "" {
		rule += `, {destination: {host: reviews, subset: v2}` + canaryWeight + `}`
	}
	if other != "" {
		rule += `, {destination: {host: other}` + other + `}`
	}
	return service(t, rule+`]}]`)
}

func w(weight string) string { return ", weight: " + weight }

func TestWeightsKeepTheirSumOrAreTheSmallestExactOnes(t *testing.T) {
	ppm := func(w canary.Weight) canary.Traffic { return canary.Traffic{Canary: w} }
	for _, c := range []struct {
		name    string
		o       object
		traffic canary.Traffic
		want    string
	}{
		{"percentages at first", division(t, "", "", ""), share(20), "v1 80, v2 20"},
		{"one in a thousand", division(t, "", "", ""), ppm(1000), "v1 999, v2 1"},
		{"one in a million", division(t, "", "", ""), ppm(1), "v1 999999, v2 1"},
		{"an odd sum", division(t, w("7"), "", ""), share(50), "v1 1, v2 1"},
		{"the sum of before", division(t, w("10"), w("0"), ""), share(30), "v1 7, v2 3"},
		{"all", division(t, w("10"), "", ""), share(100), "v1 0, v2 10"},
		{"a third destination keeps its part", division(t, w("80"), w("0"), w("20")), share(10), "v1 72, v2 8, other 20"},
		{"33/33/34 loses nothing", division(t, w("33"), w("33"), w("34")), share(10), "v1 297, v2 33, other 170"},
		{"large numbers that can be reduced", division(t, w("100000001"), "", w("100000001")), share(1), "v1 99, v2 1, other 100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := c.o.render(t, renderer(t, target()), c.traffic)
			require.ElementsMatch(t, strings.Split(c.want, ", "), strings.Split(after.weights(t, ""), ", "))
		})
	}
}

func TestASmallStepInBetweenLeavesNoLargeNumbers(t *testing.T) {
	h := renderer(t, target())
	before := division(t, w("80"), w("0"), w("20"))
	o := before.render(t, h, canary.Traffic{Canary: 1})
	require.Equal(t, "v1 999999, v2 1, other 250000", o.weights(t, ""))
	o = o.render(t, h, share(50))
	require.Equal(t, "v1 40, v2 40, other 20", o.weights(t, ""))
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
}

func TestNumbersThatTheUserChangedMeanwhileAreKept(t *testing.T) {
	h := renderer(t, target())
	o := division(t, w("80"), w("0"), w("20")).render(t, h, share(1))
	require.Equal(t, "v1 99, v2 1, other 25", o.weights(t, ""))

	o = setWeight(t, o, 2, 300)
	o = o.render(t, h, share(50))
	require.Equal(t, "v1 50, v2 50, other 300", o.weights(t, ""))
	require.Equal(t, "v1 100, v2 0, other 300", o.render(t, h, canary.Traffic{}).weights(t, ""))
}

func TestADestinationThatTheUserAddsMeanwhileIsKept(t *testing.T) {
	h := renderer(t, target())
	o := division(t, "", "", "").render(t, h, share(20))
	o = o.change(t, func(rule document) {
		rule["route"] = append(rule["route"].([]any), document{"destination": document{"host": "other"}, "weight": 100})
	})
	o = o.render(t, h, share(50))
	require.Equal(t, "v1 50, v2 50, other 100", o.weights(t, ""))
	require.Equal(t, "v1 100, other 100", o.render(t, h, canary.Traffic{}).weights(t, ""))
}

func TestAHandEditOfTheArmsTakesNothingFromTheOthers(t *testing.T) {
	h := renderer(t, target())
	o := division(t, w("80"), w("0"), w("20")).render(t, h, share(1))
	o = setWeight(t, o, 1, 51)
	require.Equal(t, "v1 99, v2 1, other 25", o.render(t, h, share(1)).weights(t, ""))
	require.Equal(t, "v1 80, v2 0, other 20", o.render(t, h, canary.Traffic{}).weights(t, ""))
}

func TestAStableDestinationRemovedByHandIsPutBack(t *testing.T) {
	h := renderer(t, target())
	before := division(t, "", "", "")
	o := before.render(t, h, share(100))
	o = o.change(t, func(rule document) { rule["route"] = rule["route"].([]any)[1:] })
	got, err := h.Read(o.typed(t), share(100))
	require.NoError(t, err)
	require.Equal(t, share(100), got)
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
	require.Equal(t, "v2 40, v1 60", o.render(t, h, share(40)).weights(t, ""))
}

func TestAnOriginalThatCannotBeUnderstoodIsReplaced(t *testing.T) {
	h := renderer(t, target())
	o := division(t, "", "", "").render(t, h, canary.Traffic{Canary: 1000})
	const stable = `"stable":"reviews.prod.svc.cluster.local/v1",`
	require.Contains(t, o.typed(t).Annotations[routing.OriginalAnnotation("reviews")], stable)
	for _, text := range []string{
		"", "{", "[] []", `[{"rule":"",` + stable + `"arms":[-1,5,0],"sum":1}]`, `[{"rule":"",` + stable + `"arms":[-9,-1,-1],"sum":1}]`, `[{"rule":"","x":1}]`,
		`[{"rule":"",` + stable + `"arms":[1,0,0],"foreign":[-4],"sum":1}]`, `[{"rule":"",` + stable + `"arms":[2147483647,1,0],"sum":1}]`,
		`[{"rule":"",` + stable + `"arms":[1,0,0],"sum":1},{"rule":"",` + stable + `"arms":[1,0,0],"sum":1}]`,
	} {
		odd := annotate(t, o, routing.OriginalAnnotation("reviews"), text)
		require.Equal(t, "v1 500, v2 500", odd.render(t, h, share(50)).weights(t, ""), "from the numbers of the moment: %s", text)
		require.Equal(t, "v1 1000, v2 0", odd.render(t, h, canary.Traffic{}).weights(t, ""))
	}
}

func TestARuleThatSplitAlreadyIsBroughtToStableOnly(t *testing.T) {
	h := renderer(t, target())
	o := division(t, w("70"), w("30"), "")
	require.Equal(t, "v1 100, v2 0", o.render(t, h, canary.Traffic{}).weights(t, ""))
	again := o.render(t, h, share(30))
	require.JSONEq(t, string(o), string(again), "nothing to do")
	require.Equal(t, "v1 100, v2 0", o.render(t, h, share(60)).render(t, h, canary.Traffic{}).weights(t, ""))
}

func TestTheOriginalOfAnEarlierRolloutIsNotThatOfTheNext(t *testing.T) {
	before := service(t, `[{route: [`+v1+`, {destination: {host: reviews, subset: v3}, weight: 0}]}]`)
	before = setWeight(t, before, 0, 100)
	stays := before.render(t, renderer(t, target()), share(100))
	require.Equal(t, "v1 0, v3 0, v2 100", stays.weights(t, ""))

	next := target()
	next.Arms.Stable, next.Arms.Canary.Subset = next.Arms.Canary, "v3"
	h := renderer(t, next)
	o := stays.render(t, h, share(10))
	require.Equal(t, "v1 0, v3 10, v2 90", o.weights(t, ""))
	require.Equal(t, "v1 0, v3 0, v2 100", o.render(t, h, canary.Traffic{}).weights(t, ""), "v3 was the user's")
}

func TestRulesMayGoInDirectionsOfTheirOwn(t *testing.T) {
	to := target("a", "b")
	to.Rules[1].Arms = routing.Arms{Stable: to.Arms.Canary, Canary: to.Arms.Stable}
	before := service(t, `[{name: a, route: [`+v1+`]}, {name: b, route: [{destination: {host: reviews, subset: v2}}]}]`)
	o := before.render(t, renderer(t, to), share(30))
	require.Equal(t, "v1 70, v2 30", o.weights(t, "a"))
	require.Equal(t, "v2 70, v1 30", o.weights(t, "b"))
	require.JSONEq(t, string(before), string(o.render(t, renderer(t, to), canary.Traffic{})))
}

func TestAMirrorOfSomebodyElseIsLeftAlone(t *testing.T) {
	before := service(t, `[{route: [`+v1+`], mirror: {host: log}, mirrorPercentage: {value: 3}}]`)
	h := renderer(t, target())
	o := before.render(t, h, share(20))
	require.Equal(t, "log", o.typed(t).Spec.Http[0].Mirror.Host)
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
}

func TestAMirrorToTheCanaryIsTakenOver(t *testing.T) {
	h := renderer(t, target())
	for _, mirror := range []string{``, `, mirrorPercent: 50`, `, mirrorPercentage: {value: 0.57}`} {
		o := service(t, `[{route: [`+v1+`], mirror: {host: reviews.prod.svc.cluster.local, subset: v2}`+mirror+`}]`)
		o.render(t, h, canary.Traffic{Mirror: 5700})
		require.Nil(t, o.render(t, h, canary.Traffic{}).typed(t).Spec.Http[0].Mirror)
	}
}

// change changes the only rule of o by hand.
func (o object) change(t tb, change func(rule document)) object {
	t.Helper()
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	change(doc["spec"].(document)["http"].([]any)[0].(document))
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	return b
}

func setWeight(t tb, o object, destination, weight int) object {
	return o.change(t, func(rule document) { rule["route"].([]any)[destination].(document)["weight"] = weight })
}
