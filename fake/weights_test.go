package fake_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/serin-go/serin/fake"
)

func yamlInto(document string, value any) error { return yaml.Unmarshal([]byte(document), value) }

func TestWeights(t *testing.T) {
	cases := []struct {
		name   string
		route  string
		canary float64 // share of v2
		broken float64 // share
	}{
		{"need not sum to 100", "[{destination: {host: reviews, subset: v1}, weight: 1}, {destination: {host: reviews, subset: v2}, weight: 3}]", 0.75, 0},
		{"give a lone destination everything", "[{destination: {host: reviews, subset: v2}, weight: 7}]", 1, 0},
		{"give a lone destination everything, even at 0", "[{destination: {host: reviews, subset: v2}, weight: 0}]", 1, 0},
		{"mean 0 when they are absent", "[{destination: {host: reviews, subset: v1}, weight: 1}, {destination: {host: reviews, subset: v2}}]", 0, 0},
		{"of 0 send nothing, not even to a missing subset", "[{destination: {host: reviews, subset: v1}, weight: 1}, {destination: {host: reviews, subset: v9}, weight: 0}]", 0, 0},
		{"below one percent", "[{destination: {host: reviews, subset: v1}, weight: 9999}, {destination: {host: reviews, subset: v2}, weight: 1}]", 0.0001, 0},
		{"send their share to a missing subset", "[{destination: {host: reviews, subset: v1}, weight: 50}, {destination: {host: reviews, subset: v9}, weight: 50}]", 0, 0.5},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := bookinfo(t)
			setRules(t, server, "- route: "+c.route)
			mesh := fake.NewMesh(server, fake.Config{Seed: 2})
			const n = 1_000_000
			result := mesh.Send(n, client)
			require.Empty(t, mesh.Problems())
			within(t, n, c.canary, result.To("reviews-v2"))
			within(t, n, c.broken, result.Broken())
		})
	}
}

// within requires that k of n lies in a band that a binomial draw leaves less
// than once in 500 million times, also where few are expected.
func within[N int | int64](t require.TestingT, n N, p float64, k uint64) {
	band := 0.0
	if 0 < p && p < 1 {
		band = 12 + 6*math.Sqrt(float64(n)*p*(1-p))
	}
	require.InDelta(t, p*float64(n), float64(k), band+1e-9)
}

func TestAnyWeightsAreDrawnWithinABinomialBand(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		some := func(w []int) bool { return w[0]+w[1]+w[2] > 0 } // all zero is refused by validation
		weights := rapid.SliceOfN(rapid.IntRange(0, 1000), 3, 3).Filter(some).Draw(rt, "weights")
		sum := weights[0] + weights[1] + weights[2]
		n := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 1_000_000)).Draw(rt, "n")
		server := bookinfo(t, deploymentV3)
		setRules(t, server, split(weights))
		mesh := fake.NewMesh(server, fake.Config{Seed: rapid.Uint64().Draw(rt, "seed"), Spread: 1})
		result := mesh.Send(n, client)
		require.EqualValues(rt, n, result.Sent())
		require.Zero(rt, result.Broken())
		for i, weight := range weights {
			within(rt, n, float64(weight)/float64(sum), result.To(fmt.Sprint("reviews-v", i+1)))
		}
	})
}

const deploymentV3 = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v3, namespace: bookinfo}
spec:
  replicas: 1
  selector: {matchLabels: {app: reviews, version: v3}}
  template:
    metadata: {labels: {app: reviews, version: v3}}
    spec: {containers: [{name: reviews, image: "reviews:3"}]}
`

func split(weights []int) string {
	var b strings.Builder
	b.WriteString("- route:\n")
	for i, weight := range weights {
		fmt.Fprintf(&b, "  - {destination: {host: reviews, subset: v%d}, weight: %d}\n", i+1, weight)
	}
	return b.String()
}

func TestObjectsThatIstioRefusesLeaveTheLastGoodOneInForce(t *testing.T) {
	for name, rules := range map[string]string{
		"negative weight":    "[{route: [{destination: {host: reviews, subset: v1}, weight: -1}, {destination: {host: reviews, subset: v2}, weight: 5}]}]",
		"weights sum to 0":   "[{route: [{destination: {host: reviews, subset: v1}}, {destination: {host: reviews, subset: v2}}]}]",
		"no destination":     "[{timeout: 1s}]",
		"mirror and mirrors": "[{route: [{destination: {host: reviews}}], mirror: {host: reviews}, mirrors: [{destination: {host: reviews}}]}]",
		"bad uri":            "[{match: [{uri: {regex: '('}}], route: [{destination: {host: reviews}}]}]",
		"bad method":         "[{match: [{method: {regex: '('}}], route: [{destination: {host: reviews}}]}]",
		"bad header":         "[{match: [{headers: {a: {regex: '('}}}], route: [{destination: {host: reviews}}]}]",
		"bad without header": "[{match: [{withoutHeaders: {a: {regex: '('}}}], route: [{destination: {host: reviews}}]}]",
		"bad query":          "[{match: [{queryParams: {a: {regex: '('}}}], route: [{destination: {host: reviews}}]}]",
		"not a rule":         "[{route: 7}]",
	} {
		t.Run(name, func(t *testing.T) {
			server := bookinfo(t)
			mesh := fake.NewMesh(server, fake.Config{})
			setRules(t, server, rules)
			require.Len(t, mesh.Problems(), 1)
			require.ErrorContains(t, mesh.Problems()[0], "virtualservices bookinfo/reviews is left as it was")
			result := mesh.Send(1000, client)
			require.NotZero(t, result.To("reviews-v1"))
			require.NotZero(t, result.To("reviews-v2"))
		})
	}
}
