package routing_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// A whole rollout through the engine and an API server, with two objects and
// header routes, a missing subset and safe copies, while a hand and a broken server interfere.
func TestAWholeRolloutLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, twoRules, gatewayRules, reviewsRule)
		before := []string{spec(t, w.document(t, "reviews")), spec(t, w.document(t, "gateway")), spec(t, w.rule(t))}
		like := canary.Step{Hold: time.Minute, Requires: canary.Nothing}
		plan, err := canary.NewPlan("reviews").HeaderRoutes().
			Step(mirror.Steps(like, canary.Full)...).
			Weights(canary.List(20*canary.Percent, canary.Percent/3, canary.Full), like).
			Settle(5 * time.Second).Interval(10 * time.Second).End(canary.End{Kind: canary.Discard}).Build()
		require.NoError(t, err)
		lead, gateway := w.object(t, "reviews", "b"), w.object(t, "gateway", "b")
		seen := map[canary.Traffic]bool{}
		runner, err := canary.NewRunner(canary.Config{
			Plan: plan, Router: routing.NewRouter(lead, gateway), Prerequisites: []canary.Prerequisite{w.subsets(t, 10*time.Second)},
			Observers: []canary.Observer{func(_ context.Context, e canary.Event) { seen[e.Traffic] = true }},
		})
		require.NoError(t, err)
		patching(w, "gateway", 2, apiserver.ServerError())
		patching(w, "reviews", 5, apiserver.LoseAnswer())
		time.AfterFunc(2*time.Minute, func() {
			err := w.Update(virtualServices, "prod", "gateway", func(o map[string]any) {
				o["spec"].(document)["http"].([]any)[0].(document)["route"].([]any)[0].(document)["weight"] = 7
			})
			require.NoError(t, err)
		})

		state, err := runner.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, phase.Discarded, state.Phase)
		require.NotZero(t, state.Drifts)
		for _, traffic := range []canary.Traffic{{}, {Mirror: canary.Full}, share(20), {Canary: canary.Percent / 3}, share(100)} {
			traffic.HeaderRoutes = true
			require.True(t, seen[traffic], "%v", traffic)
		}
		require.True(t, seen[canary.Traffic{}])
		require.JSONEq(t, before[0], spec(t, w.document(t, "reviews")))
		require.JSONEq(t, before[1], spec(t, w.document(t, "gateway")))
		require.JSONEq(t, before[2], spec(t, w.rule(t)))
		for _, o := range []object{w.document(t, "gateway"), w.rule(t)} {
			require.Empty(t, o.typed(t).Annotations, "only the lead keeps the record")
		}
		require.Len(t, w.document(t, "reviews").typed(t).Annotations, 1)
	})
}
