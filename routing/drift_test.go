package routing_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/routing"
)

// edits has a hand change the rule b of a rollout with header routes, at 10 %, and
// returns what came of that.
func edits(t *testing.T, policy canary.DriftPolicy, edit func(rule document), then func(*testing.T, world, *routing.Router, *canary.Runner, *canarytest.Judge)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, twoRules)
		plan, err := canary.NewPlan("p").HeaderRoutes().OnDrift(policy).
			Step(canary.Step{Traffic: share(10), Hold: 100 * time.Hour}).End(canary.End{Kind: canary.Discard}).Build()
		require.NoError(t, err)
		router := routing.NewRouter(w.object(t, "reviews", "b"))
		judge := &canarytest.Judge{Script: []canarytest.Ruling{{Verdict: analysis.Inconclusive, Reason: "few requests"}}}
		runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: router, Analyzer: judge})
		require.NoError(t, err)
		_, err = turns(t, runner, 5)
		require.NoError(t, err)
		require.NoError(t, w.Update(virtualServices, "prod", "reviews", func(o map[string]any) {
			for _, r := range o["spec"].(document)["http"].([]any) {
				if r.(document)["name"] == "b" {
					edit(r.(document))
				}
			}
		}))
		then(t, w, router, runner, judge)
	})
}

// Somebody who changes a rule, but not how it divides, has changed no traffic: the header
// routes follow, whatever the plan says of drift, and as often as it takes.
func TestHeaderRoutesFollowTheirRule(t *testing.T) {
	for _, policy := range []canary.DriftPolicy{canary.Reassert, canary.Adopt, canary.HoldAndAsk, canary.RollBackOnDrift} {
		t.Run(policy.String(), func(t *testing.T) {
			seconds := 0
			edit := func(rule document) { seconds++; rule["timeout"] = (time.Duration(seconds) * time.Second).String() }
			edits(t, policy, edit, func(t *testing.T, w world, _ *routing.Router, runner *canary.Runner, _ *canarytest.Judge) {
				for range 12 {
					e, err := turns(t, runner, 2)
					require.NoError(t, err)
					require.Equal(t, phase.Progressing, e.After.Phase)
					require.Zero(t, e.After.Drifts)
					o := w.document(t, "reviews")
					require.Equal(t, "a, serin/reviews/stable/b, serin/reviews/canary/b, b", o.names(t))
					require.Equal(t, o.typed(t).Spec.Http[3].Timeout.AsDuration(), o.typed(t).Spec.Http[1].Timeout.AsDuration())
					require.NoError(t, w.Update(virtualServices, "prod", "reviews", func(o map[string]any) {
						rules := o["spec"].(document)["http"].([]any)
						edit(rules[len(rules)-1].(document))
					}))
				}
			})
		})
	}
}

// takesTheHeader leaves no room for header routes, and gives the canary half.
func takesTheHeader(rule document) {
	rule["match"] = []any{document{"headers": document{routing.ArmHeader: document{"exact": "gold"}}}}
	for _, d := range rule["route"].([]any) {
		d.(document)["weight"] = 50
	}
}

// What somebody changed and cannot be put back keeps nobody from judging, and from
// turning back.
func TestWhatCannotBePutBackIsJudged(t *testing.T) {
	edits(t, canary.Reassert, takesTheHeader, func(t *testing.T, w world, router *routing.Router, runner *canary.Runner, judge *canarytest.Judge) {
		began := len(judge.Asked())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		state, err := runner.Run(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, phase.Progressing, state.Phase)
		require.Equal(t, 1, state.Drifts)
		require.Greater(t, len(judge.Asked()), began+3)
		e, err := turns(t, runner, 1)
		require.NoError(t, err)
		require.Equal(t, cause.Drift, e.Reason.Cause)
		require.Contains(t, e.Reason.String(), "the rule already matches on the header")
		require.Equal(t, "v1 50, v2 50", w.document(t, "reviews").weights(t, "b"))
		require.NoError(t, canary.Send(t.Context(), router, canary.Command{Order: order.Pause}), "a command changes no traffic")
		judge.Script = []canarytest.Ruling{{Verdict: analysis.Fail, Reason: "too many errors"}}
		_, err = runner.Run(t.Context())
		require.ErrorContains(t, err, "too many errors")
		require.Contains(t, []string{"v1 100", "v1 0"}, w.document(t, "reviews").weights(t, "b"))
		require.NotContains(t, string(w.document(t, "reviews")), "serin/")
	})
}

// What is left alone is left as it is, not as it reads: neither a policy nor a command
// gives anybody more by that.
func TestWhatIsLeftAloneIsNotWritten(t *testing.T) {
	for name, edit := range map[string]func(w world){
		"a stray rule": func(w world) {
			require.NoError(t, w.Update(virtualServices, "prod", "reviews", func(o map[string]any) {
				s := o["spec"].(document)
				s["http"] = append([]any{document{"name": "serin/reviews/stray", "redirect": document{"uri": "/"}}}, s["http"].([]any)...)
			}))
		},
		"one rule of two": func(w world) {
			require.NoError(t, w.Update(virtualServices, "prod", "reviews", func(o map[string]any) {
				for i, d := range o["spec"].(document)["http"].([]any)[0].(document)["route"].([]any) {
					d.(document)["weight"] = 100 * i
				}
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, twoRules)
				to := ofB
				to.Rules = []routing.Rule{{Name: "a"}, {Name: "b"}}
				router := routing.NewRouter(renderer(t, to).Object(w.client.VirtualServices("prod")))
				plan, err := canary.NewPlan("p").OnDrift(canary.HoldAndAsk).
					Step(canary.Step{Traffic: share(10), Requires: canary.Nothing, Hold: time.Hour}).End(canary.End{Kind: canary.Discard}).Build()
				require.NoError(t, err)
				runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: router})
				require.NoError(t, err)
				_, err = turns(t, runner, 3)
				require.NoError(t, err)
				edit(w)
				before := w.document(t, "reviews").rules(t)
				_, err = turns(t, runner, 2)
				require.NoError(t, err)
				require.Equal(t, before, w.document(t, "reviews").rules(t), "the policy is to leave it")
				require.NoError(t, canary.Send(t.Context(), router, canary.Command{Order: order.Pause}))
				require.Equal(t, before, w.document(t, "reviews").rules(t), "a command changes no traffic")
				require.NoError(t, canary.Send(t.Context(), router, canary.Command{Order: order.Abort}))
				_, err = runner.Run(t.Context())
				require.ErrorIs(t, err, canary.ErrRolledBack)
			})
		})
	}
}
