package routing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

// E5: what a later step needs and the Router cannot do is told before the first
// write of traffic, not after hours.
func TestAPlanThatTheRouterCannotCarryOutIsRefusedBeforeItBegins(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	plan, err := canary.NewPlan("p").
		Step(canary.Step{Name: "few", Traffic: share(5)},
			canary.Step{Name: "staff", Traffic: canary.Traffic{Canary: 10 * canary.Percent, Cohorts: "staff"}},
			canary.Step{Name: "fresh", Traffic: canary.Traffic{Canary: 10 * canary.Percent, Baseline: canary.Percent}}).
		End(canary.End{Kind: canary.Discard}).Build()
	require.NoError(t, err)
	runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: r, Analyzer: new(canarytest.Judge)})
	require.NoError(t, err)
	found, err := runner.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Contains(t, found[0].Problem, `Router: step "staff": `)
	require.Contains(t, found[0].Problem, "Cohorts")
	require.Contains(t, found[1].Problem, `Router: step "fresh": `)

	_, err = runner.Run(t.Context())
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, `step "staff"`)
	require.ErrorContains(t, err, `step "fresh"`)
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Zero(t, reading.Traffic)
	require.Equal(t, phase.Preparing, reading.State.Phase)

	// E18: a name that is wrong.
	runner, err = canary.NewRunner(canary.Config{Plan: plan, Router: routing.NewRouter(w.object(t, "review", "b")), Analyzer: new(canarytest.Judge)})
	require.NoError(t, err)
	found, err = runner.Check(t.Context())
	require.NoError(t, err)
	require.Equal(t, []canary.Finding{{Problem: "Router: VirtualService prod/review does not exist; create it, or correct its name or the namespace of the client", Refuses: true}}, found)
	_, err = runner.Turn(t.Context())
	require.ErrorIs(t, err, canary.ErrNotFound)

	w.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	_, err = runner.Check(t.Context())
	require.ErrorContains(t, err, "canary: Router: ")
}

// E5: nor after the promotion.
func TestAShareOfAReturnThatTheRouterCannotWriteIsRefusedBeforeItBegins(t *testing.T) {
	w := newWorld(t, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - name: b
    route:
    - destination: {host: reviews, subset: v1}
      weight: 1
    - destination: {host: other}
      weight: 999983
`)
	plan, err := canary.NewPlan("p").Step(canary.Step{Traffic: share(100)}).
		End(canary.End{Kind: canary.PromoteStable}).ReturnInSteps(0, 10*canary.Percent+1, 50*canary.Percent).Build()
	require.NoError(t, err)
	found, err := routing.NewRouter(w.object(t, "reviews", "b")).Check(t.Context(), plan)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Contains(t, found[0].Problem, "return of 10.0001% to stable: ")
	require.True(t, found[0].Refuses)
}
