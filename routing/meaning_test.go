package routing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

// meshWorld has a service with two versions behind a gateway, and another one whose
// VirtualService shares the host.
const meshWorld = `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: prod}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: prod}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: prod}
spec: {selector: {istio: ingress}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: z-other, namespace: prod}
spec:
  hosts: [shop.example.com]
  gateways: [front]
  http:
  - {match: [{uri: {prefix: /a}}], directResponse: {status: 298}}
`

const meshDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-%[1]s, namespace: prod}
spec:
  replicas: 2
  selector: {matchLabels: {app: reviews, version: %[1]s}}
  template:
    metadata: {labels: {app: reviews, version: %[1]s}}
    spec: {containers: [{name: reviews, image: "reviews:%[1]s"}]}
`

// mesh is one that serves the object to v1 and v2.
func mesh(t tb, o object) *fake.Mesh {
	s := apiserver.New()
	for _, text := range []string{string(o), meshWorld, fmt.Sprintf(meshDeployment, "v1"), fmt.Sprintf(meshDeployment, "v2")} {
		require.NoError(t, s.Load([]byte(text)))
	}
	m := fake.NewMesh(s, fake.Config{Seed: 7})
	require.Empty(t, m.Problems())
	return m
}

// drawSteered draws rules a and b, which route, among others that answer 299.
func drawSteered(t *rapid.T) object {
	var http []any
	for _, name := range rapid.Permutation([]string{"a", "b", "x", "y"}).Draw(t, "order") {
		var match any
		require.NoError(t, json.Unmarshal([]byte(rapid.SampledFrom(lawMatches).Draw(t, "match")), &match))
		rule := document{"name": name, "match": match}
		if strings.Contains("xy", name) {
			rule["directResponse"] = document{"status": 299}
		} else {
			rule["route"] = []any{document{"destination": document{"host": "reviews", "subset": "v1"}}}
		}
		http = append(http, rule)
	}
	o, err := json.Marshal(document{
		"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
		"metadata": document{"name": "reviews", "namespace": "prod", "resourceVersion": "1"},
		"spec":     document{"hosts": []any{"reviews", "shop.example.com"}, "gateways": rapid.SampledFrom([][]any{{"mesh"}, {"mesh", "front"}}).Draw(t, "gateways"), "http": http},
	})
	require.NoError(t, err)
	return o
}

// Whatever is derived, requests are answered by whom they were, also those of another
// VirtualService for the same host; and those with the header by their arm, if a steered
// rule is the one for them.
func TestDerivedRulesChangeNobodysAnswerButByTheHeader(t *testing.T) {
	h := renderer(t, routing.Target{
		Namespace: "prod", Name: "reviews", Rules: []routing.Rule{{Name: "a"}, {Name: "b"}}, Arms: subsets("reviews"),
	})
	derived, shared := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		before := drawSteered(t)
		want := canary.Traffic{Canary: canary.Weight(rapid.IntRange(0, 100).Draw(t, "canary")) * canary.Percent}
		without := before.render(t, h, want)
		want.HeaderRoutes, want.Mirror = true, rapid.SampledFrom([]canary.Weight{0, canary.Full}).Draw(t, "mirror")
		if _, err := h.Render(before.typed(t), want); err != nil {
			require.ErrorIs(t, err, canary.ErrRefused)
			if errors.Is(err, routing.ErrShared) {
				shared++
			}
			return
		}
		derived++
		with := before.render(t, h, want)
		old, now, other := mesh(t, without), mesh(t, with), mesh(t, with)
		for range 20 {
			const n = 50
			r := fake.Request{
				Host: "reviews", From: fake.Source{Namespace: "prod"}, Headers: map[string]string{},
				Path:   rapid.SampledFrom([]string{"/", "/a", "/a/b", "/b"}).Draw(t, "path"),
				Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"),
			}
			if rapid.Bool().Draw(t, "from outside") {
				r.Host, r.From = "shop.example.com", fake.Source{Gateway: "prod/front"}
			}
			if rapid.Bool().Draw(t, "x") {
				r.Headers["x"] = "1"
			}
			sent := old.Send(n, r)
			again := now.Send(n, r)
			require.Equal(t, answers(sent), answers(again), "%+v\n%s", r, with)

			arm := rapid.SampledFrom([]string{"stable", "canary"}).Draw(t, "arm")
			r.Headers[routing.ArmHeader] = arm
			through := other.Send(n, r)
			if steered := sent.To("reviews-v1") + sent.To("reviews-v2"); steered == 0 {
				require.Equal(t, answers(sent), answers(through), "a rule that is not steered has no header routes")
			} else {
				require.EqualValues(t, n, through.To(map[string]string{"stable": "reviews-v1", "canary": "reviews-v2"}[arm]))
			}
		}
	})
	require.Greater(t, derived, 10)
	require.NotZero(t, shared)
}

// answers are those that somebody saw, by either version of the service.
func answers(r fake.Result) map[fake.Outcome]uint64 {
	all := map[fake.Outcome]uint64{}
	for _, c := range r {
		if c.Workload != "" {
			c.Workload, c.Revision, c.Image = "reviews", "", ""
		}
		if !c.Mirrored {
			all[c.Outcome] += c.N
		}
	}
	return all
}
