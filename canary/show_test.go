package canary_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// P1: a plan that is printed says what it is.
func ExamplePlan_String() {
	plan, err := canary.NewPlan("shop").Settle(10*time.Second).ScrapeLag(30*time.Second).HeaderRoutes().
		Step(canary.Step{Name: "dark launch", Traffic: canary.Traffic{Mirror: canary.Full}, Hold: 5 * time.Minute, Requires: canary.NoFailure}).
		Weights(canary.List(20*canary.Percent, canary.Full), canary.Step{Hold: 10 * time.Minute, Deadline: time.Hour, EnterGates: []string{"office hours"}}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: 15 * time.Minute}).
		Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.For("v2"))
	// Output:
	// shop v2, settle 10s, scrape lag 30s, interval 10s, on drift reassert, 5 times at most, header routes
	//    1  dark launch  canary 0%, mirror 100%  hold 5m0s; requires no failure
	//    2  canary 20%                           hold 10m0s; requires pass; deadline 1h0m0s; enter by office hours
	//    3  canary 100%                          hold 10m0s; requires pass; deadline 1h0m0s; enter by office hours
	// then promote stable, deadline 15m0s
}

func TestAPlanTellsItsSettings(t *testing.T) {
	plan := mustBuild(t, half(canary.Stay).Step(canary.Step{Name: "all", Traffic: canary.Traffic{Canary: canary.Full}, Deadline: time.Hour, OnDeadline: canary.DeadlinePause}).
		Owner("bot").Settle(time.Second).ScrapeLag(2*time.Second).Interval(3*time.Second).Bake(4*time.Second).OnDrift(canary.Adopt).DriftLimit(2))
	require.Equal(t, []time.Duration{1e9, 2e9, 3e9, 4e9}, []time.Duration{plan.Settle(), plan.ScrapeLag(), plan.Interval(), plan.Bake()})
	require.Equal(t, "bot", plan.Owner())
	require.Contains(t, plan.String(), "owner bot, settle 1s, scrape lag 2s, interval 3s, bake 4s, on drift adopt, 2 times at most\n")
	require.Contains(t, plan.String(), "deadline 1h0m0s, then pause\nthen stay")
	require.Equal(t, 10*time.Second, mustBuild(t, half(canary.Discard)).Interval(), "the default")

	var none canary.Plan
	require.Equal(t, "no plan", none.String())
	require.Zero(t, none.Settle())
}

// P3: a logged Event is one short line in words.
func TestEventsAndStatesAreLoggedInWords(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	state := canary.State{
		Rollout: canary.Rollout{Name: "shop", Revision: "v2"},
		Place:   canary.Place{Phase: phase.Progressing, Step: 1, Traffic: canary.Traffic{Canary: 20 * percent}},
		History: canary.History{Reason: "step done"},
	}
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	log.Info("turn", "event", canary.Event{
		After: state, Traffic: state.Traffic, Reason: canary.Reason{Cause: cause.Hold, Until: at}, Wait: time.Second,
	})
	log.Info("turn", "event", canary.Event{After: state, Wrote: true, Done: true, Missed: 2, Err: errors.New("503"), Reason: canary.Reason{Cause: cause.Drift, Detail: "somebody"}})
	log.Info("state", "state", state)
	require.Equal(t, `level=INFO msg=turn event.plan=shop event.revision=v2 event.phase=Progressing event.step=2 event.traffic="canary 20%" event.cause=holding event.until=2030-01-02T03:04:05.000Z event.wait=1s
level=INFO msg=turn event.plan=shop event.revision=v2 event.phase=Progressing event.step=2 event.traffic="canary 20%" event.cause=drift event.detail=somebody event.found="stable only" event.wrote=true event.done=true event.missed=2 event.error=503
level=INFO msg=state state.plan=shop state.revision=v2 state.phase=Progressing state.step=2 state.traffic="canary 20%" state.reason="step done"
`, b.String())
}

// R7: weights that were meant as percentages are told as such.
func TestWeightsWithoutAUnitAreTold(t *testing.T) {
	like := canary.Step{Hold: time.Minute}
	for _, end := range []canary.EndKind{canary.Stay, canary.PromoteStable} {
		_, err := canary.NewPlan("p").Weights(canary.List(1, 5, 25, 50, canary.Full), like).End(canary.End{Kind: end}).Build()
		require.ErrorContains(t, err, `steps 1 "canary 0.0001%" canary: 1 parts per million, and no step has more than 0.01% but 100%; if these are percentages, write 1*canary.Percent`)
	}
	for _, weights := range [][]canary.Weight{{1, 100, canary.Percent, canary.Full}, {canary.Full}, {canary.Percent / 10, canary.Full}, {101, canary.Full}} {
		_, err := canary.NewPlan("p").Weights(canary.List(weights...), like).Build()
		require.NoError(t, err, weights)
	}
	_, err := canary.NewPlan("p").Weights(canary.List(1, 5), like).End(canary.End{Kind: canary.Discard}).Build()
	require.ErrorContains(t, err, "if these are percentages, write 1*canary.Percent")
}

// E29: what servers say is printed in one line, without control characters.
func TestAReasonIsCleaned(t *testing.T) {
	r := canary.Reason{Cause: cause.JudgeError, Detail: "\x1b[31mred\x1b[0m\nalert\u202e"}
	text := r.String()
	require.NotContains(t, text, "\x1b")
	require.NotContains(t, text, "\n")
	require.Contains(t, text, "judge error: ")
}
