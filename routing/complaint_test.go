package routing_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// What users of today's tools complain about, as far as rendering is concerned.

// crowded is a VirtualService of which only rule "a" is steered.
const crowded = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  namespace: prod
  labels: {team: books}
  annotations: {note: "mine"}
spec:
  hosts: [reviews]
  exportTo: [".", other]
  future: {x: [1, 2.5, null]}
  tls: [{match: [{port: 443, sniHosts: [reviews]}], route: [{destination: {host: reviews, subset: v1}}]}]
  tcp: [{route: [{destination: {host: reviews, subset: v1}, weight: 100}]}]
  http:
  - match: [{uri: {prefix: /unnamed}}]
    route: [{destination: {host: reviews, subset: v1}, weight: 100}, {destination: {host: reviews, subset: v2}, weight: 0}]
  - name: b
    route: [{destination: {host: reviews, subset: v1}, weight: 0}, {destination: {host: reviews, subset: v2}}]
    mirrors: [{destination: {host: log}, percentage: {value: 3}}]
  - name: a
    match: [{uri: {prefix: /a}, novel: 1}]
    rewrite: {uri: /b}
    timeout: 3s
    retries: {attempts: 2, novel: true}
    corsPolicy: {allowMethods: [GET]}
    mirrors: [{destination: {host: log}}]
    route:
    - {destination: {host: reviews, subset: v1}, weight: 80, headers: {request: {set: {x: "1"}}}, novel: {deep: [1]}}
    - {destination: {host: reviews, subset: v2}, weight: 0}
    - {destination: {host: reviews, subset: v3}, weight: 20}
  - redirect: {uri: /moved}
  - route: [{destination: {host: reviews, subset: v1}}]
`

// others returns all but rule "a" and the annotations of Serin.
func others(t *testing.T, o object) string {
	t.Helper()
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	delete(doc["metadata"].(document)["annotations"].(document), routing.OriginalAnnotation("reviews"))
	http := doc["spec"].(document)["http"].([]any)
	for i, r := range http {
		if r.(document)["name"] == "a" {
			delete(r.(document), "route")
			http[i] = r
		}
	}
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(b)
}

func TestUnnamedRulesAreByteIdenticalAfter100Steps(t *testing.T) {
	before := fromYAML(t, crowded)
	h := renderer(t, target("a"))
	o := before
	for percent := range canary.Weight(100) {
		o = o.render(t, h, share(percent+1))
		require.Equal(t, others(t, before), others(t, o))
	}
	require.JSONEq(t, string(before), string(o.render(t, h, canary.Traffic{})))
}

func TestExportToMirrorsTLSAndAFieldThatNoTypeKnowsAreKept(t *testing.T) {
	o := fromYAML(t, crowded).render(t, renderer(t, target("a")), share(33))
	for _, kept := range []string{
		`"exportTo":[".","other"]`, `"mirrors":[{"destination":{"host":"log"}}]`, `"sniHosts":["reviews"]`,
		`"future":{"x":[1,2.5,null]}`, `"novel":{"deep":[1]}`, `"note":"mine"`, `"team":"books"`,
	} {
		require.Contains(t, string(o), kept)
	}
}

func TestAThirdDestinationIsKept(t *testing.T) {
	o := fromYAML(t, crowded).render(t, renderer(t, target("a")), share(10))
	require.Equal(t, "v1 72, v2 8, v3 20", o.weights(t, "a"), "not 90/10")
}

func TestAHandAddedRuleIsKept(t *testing.T) {
	h := renderer(t, target("a"))
	o := fromYAML(t, crowded).render(t, h, share(10))
	added := document{"name": "new", "match": []any{document{"uri": document{"exact": "/new"}}}, "route": []any{document{"destination": document{"host": "new"}}}}
	var doc document
	require.NoError(t, json.Unmarshal(o, &doc))
	s := doc["spec"].(document)
	s["http"] = append([]any{added}, s["http"].([]any)...)
	o, err := json.Marshal(doc)
	require.NoError(t, err)

	after := o.render(t, h, share(50))
	require.Equal(t, others(t, o), others(t, after))
	after = after.render(t, h, canary.Traffic{})
	require.Equal(t, others(t, o), others(t, after))
	require.Equal(t, "v1 80, v2 0, v3 20", after.weights(t, "a"))
}

func TestWeightsResetByArgoCDAreSetAgainFromTheSameOriginal(t *testing.T) {
	h := renderer(t, target("a"))
	before := fromYAML(t, crowded)
	wanted := canary.Traffic{Canary: canary.Percent / 10}
	o := before.render(t, h, wanted)
	require.Equal(t, "v1 999, v2 1, v3 250", o.weights(t, "a"))
	// Argo CD writes the weights of Git and keeps annotations that Git has not.
	kept := o.typed(t).Annotations[routing.OriginalAnnotation("reviews")]
	reset := annotate(t, before, routing.OriginalAnnotation("reviews"), kept)
	got, err := h.Read(reset.typed(t), wanted)
	require.NoError(t, err)
	require.Equal(t, canary.Traffic{}, got, "drift")
	require.JSONEq(t, string(o), string(reset.render(t, h, wanted)))
	require.JSONEq(t, string(before), string(reset.render(t, h, canary.Traffic{})))
}

func TestAHandEditToAWeightThatIsNotInAnyListIsReadAsItIs(t *testing.T) {
	h := renderer(t, target("a"))
	o := fromYAML(t, crowded).render(t, h, share(10))
	o = object(applyRaw(t, o, []byte(`[{"op":"replace","path":"/spec/http/2/route/1/weight","value":37}]`)))
	got, err := h.Read(o.typed(t), share(10))
	require.NoError(t, err)
	require.Equal(t, canary.Weight(339_450), got.Canary, "37 of 72+37")
	require.Equal(t, "v1 72, v2 8, v3 20", o.render(t, h, share(10)).weights(t, "a"))
}

func TestAHostOfTheSameNameInAnotherNamespaceIsNotTheCanary(t *testing.T) {
	to := target()
	to.Arms = routing.Arms{Stable: routing.Destination{Host: "reviews"}, Canary: routing.Destination{Host: "canary"}}
	o := service(t, `[{route: [{destination: {host: reviews}, weight: 60}, {destination: {host: canary.other.svc.cluster.local}, weight: 40}]}]`)
	require.Equal(t, "reviews 54, canary.other.svc.cluster.local 40, canary 6", o.render(t, renderer(t, to), share(10)).weights(t, ""))
}
