package canary_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// twoSteps is 10 % and then everything, each for a minute.
func twoSteps() canary.Builder {
	return canary.NewPlan("reviews").Weights(canary.List(10*percent, canary.Full), canary.Step{Hold: time.Minute})
}

func TestAPausedRolloutStaysUntilItIsResumed(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.Pause, By: "ann", Why: "lunch"})
		state := s.turns(5 * time.Hour)
		require.Equal(t, 0, state.Step)
		require.Equal(t, 10*percent, s.read().Traffic.Canary)
		s.heard("paused until 00:00:30: pause by ann: lunch")
		s.send(canary.Command{Order: order.Resume, By: "ann"})
		s.promotes()
	})
}

func TestAFailingJudgeRollsBackAPausedRollout(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(20 * time.Second)
		s.send(canary.Command{Order: order.Pause})
		s.turns(time.Second)
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
	})
}

func TestAPauseDoesNotUseUpTheDeadline(t *testing.T) {
	plan := canary.NewPlan("p").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: 20 * time.Second, Deadline: time.Minute})
	story(t, plan, func(t *testing.T, s *stage) {
		s.turns(5 * time.Second)
		s.send(canary.Command{Order: order.Pause})
		s.turns(time.Hour)
		s.send(canary.Command{Order: order.Resume})
		s.promotes()
	})
}

func TestTheDeadlineGoesOnAfterAPauseFromWhereItWas(t *testing.T) {
	plan := canary.NewPlan("p").Interval(time.Second).Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Deadline: time.Minute})
	story(t, plan, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Reason: "no requests yet"}}
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.Pause})
		s.turns(time.Hour)
		s.send(canary.Command{Order: order.Resume})
		resumed := time.Now()
		_, err := s.run()
		require.ErrorContains(t, err, "missed its deadline")
		require.InDelta(t, 30*time.Second, s.read().State.Shifted.Sub(resumed), float64(3*time.Second))
	})
}

func TestAnAbortSendsEverythingToStable(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(10 * time.Second)
		s.send(canary.Command{Order: order.Abort, By: "ann", Why: "looks odd"})
		state, err := s.run()
		require.ErrorContains(t, err, "rolled back: abort by ann: looks odd")
		require.Zero(t, s.read().Traffic)
		require.Equal(t, phase.RolledBack, state.Phase)
		require.Equal(t, "abort by ann: looks odd", state.Trace[len(state.Trace)-1].Reason)
	})
}

func TestAnAbortWhileStableIsPromotedRestoresItBeforeItGetsTraffic(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
		s.workload.RestoreScript = []canary.Answer{canary.Wait.Because("2 of 3 pods are old again"), {Reply: canary.Yes}}
		s.turns(7 * time.Minute)
		require.Equal(t, phase.PromotingStable, s.read().State.Phase)
		s.send(canary.Command{Order: order.Abort})
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		s.heard("RestoringStable: restoring stable: 2 of 3 pods are old again")
		require.False(t, s.workload.Promoted())
		require.Zero(t, s.read().Traffic)
	})
}

func TestAnAbortWhileTrafficReturnsGivesItBackToTheCanaryUntilStableIsRestored(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.Returning {
			s.turns(500 * time.Millisecond)
		}
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 3 replicas available")}
		s.send(canary.Command{Order: order.Abort})
		s.turns(time.Minute)
		require.Zero(t, s.read().Traffic, "the canary gets nothing that it cannot take")
		s.heard("before stable is restored, the canary must take the traffic: 0 of 3 replicas available")
		s.workload.ReadyScript = nil
		s.workload.RestoreScript = []canary.Answer{canary.Wait.Because("2 of 3 pods are old again"), {Reply: canary.Yes}}
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		s.heard("RestoringStable: restoring stable: 2 of 3 pods are old again")
		require.Zero(t, s.read().Traffic)
		require.False(t, s.workload.Promoted())
	})
}

func TestAPromotionThatFailsRestoresOrHoldsAsThePlanSays(t *testing.T) {
	failed := []canary.Answer{canary.No.Because("progress deadline exceeded")}
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = failed
		_, err := s.run()
		require.ErrorContains(t, err, "stable could not be promoted: progress deadline exceeded")
		require.Equal(t, 1, s.workload.Calls("Restore"))
	})
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
		_, err := s.run()
		require.ErrorContains(t, err, "not done after 5m0s: 1 of 3 pods")
	})
	story(t, s2().End(canary.End{Kind: canary.PromoteStable, HoldOnFailure: true}), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = failed
		state := s.turns(10 * time.Hour)
		require.Equal(t, phase.PromotingStable, state.Phase)
		require.Equal(t, canary.Full, s.read().Traffic.Canary)
		s.heard("the canary keeps the traffic: repair stable, or order an abort")
	})
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = failed
		s.workload.RestoreScript = []canary.Answer{canary.No.Because("quota exceeded")}
		state := s.turns(10 * time.Hour)
		require.Equal(t, phase.RestoringStable, state.Phase)
		s.heard("stable cannot be restored, and the canary keeps the traffic: quota exceeded")
	})
}

func TestAPauseHoldsThePromotedStableBeforeItGetsTraffic(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
		s.turns(7 * time.Minute)
		s.workload.PromoteScript = nil
		s.send(canary.Command{Order: order.Pause})
		require.Equal(t, phase.PromotingStable, s.turns(time.Hour).Phase)
		s.send(canary.Command{Order: order.Resume})
		_, err := s.run()
		require.NoError(t, err)
	})
}

func TestPromoteGoesToTheEndWithoutWaitingForVerdicts(t *testing.T) {
	plan := canary.NewPlan("p").Weights(canary.Linear(percent, percent, canary.Full), canary.Step{Hold: time.Hour, LeaveGates: []string{"door"}})
	story(t, plan, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Reason: "no requests yet"}}
		s.turns(time.Minute)
		s.send(canary.Command{Order: order.Pause})
		s.turns(time.Minute)
		s.send(canary.Command{Order: order.Promote, By: "ann"})
		began := time.Now()
		s.promotes()
		require.Less(t, time.Since(began), time.Minute)
	})
}

func TestSkipWaivesTheHoldOfOneStepOnly(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.send(canary.Command{Order: order.Skip})
		began := time.Now()
		_, err := s.run()
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(began), time.Minute)
		require.Less(t, time.Since(began), 90*time.Second)
	})
}

func TestAGateOpensByCommandOrByGates(t *testing.T) {
	gated := twoSteps().Step(canary.Step{Name: "release", Traffic: canary.Traffic{Canary: canary.Full}, LeaveGates: []string{"release"}, Requires: canary.Nothing})
	story(t, gated, func(t *testing.T, s *stage) {
		s.turns(time.Hour)
		s.heard(`waiting for gate: release (order "approve" to open it)`)
		s.send(canary.Command{Order: order.Approve, Gate: "other"})
		s.turns(time.Minute)
		s.heard(`no gate "other" is ahead, but ["release"]`)
		s.send(canary.Command{Order: order.Approve, Gate: "release", By: "ann"})
		s.promotes()
	})
	answer := canary.Wait.Because("ticket 7 is open")
	gates := func(c *canary.Config) {
		c.Gates = map[string]canary.Gate{"release": func(context.Context) (canary.Answer, error) { return answer, nil }}
	}
	story(t, gated, func(t *testing.T, s *stage) {
		s.turns(time.Hour)
		s.heard("waiting for gate: ticket 7 is open")
		answer = canary.No.Because("ticket 7 was rejected")
		_, err := s.run()
		require.ErrorContains(t, err, `gate "release" was denied: ticket 7 was rejected`)
	}, gates)
}

func TestOnlyARetryLeavesAFinalPhase(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		writes := s.router.Writes()
		_, err = s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Equal(t, writes, s.router.Writes(), "a rollout that is over writes nothing")

		s.judge.Script = rulings(analysis.Pass)
		s.send(canary.Command{Order: order.Retry, By: "ann", Why: "v2 is mended"})
		state := s.promotes()
		require.Equal(t, "retry by ann: v2 is mended", state.Trace[0].Reason)
		require.ErrorIs(t, canary.Send(t.Context(), s.router, canary.Command{Order: order.Retry}), canary.ErrNotNow)
	})
}

func TestACommandThatMeansNothingIsRefused(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		refused := func(c canary.Command, want string) {
			t.Helper()
			err := canary.Send(t.Context(), s.router, c)
			require.ErrorIs(t, err, canary.ErrNotNow)
			require.ErrorContains(t, err, want)
		}
		refused(canary.Command{Order: order.Abort}, "a rollout that is Idle cannot abort")
		s.turns(time.Second)
		refused(canary.Command{}, `there is no order "none"`)
		refused(canary.Command{Order: 99}, "there is no order")
		refused(canary.Command{Order: order.Resume}, "a rollout that is Progressing cannot resume")
		refused(canary.Command{Order: order.Approve}, "approve needs the name of a gate")
		s.send(canary.Command{Order: order.Pause, By: "ann"})
		refused(canary.Command{Order: order.Skip}, "pause by ann is not obeyed yet")
		s.send(canary.Command{Order: order.Abort})
		refused(canary.Command{Order: order.Pause}, "abort is not obeyed yet")
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.send(canary.Command{Order: order.Approve, Gate: "no such gate"})
		s.send(canary.Command{Order: order.Pause})
		require.Equal(t, order.Pause, s.read().State.Command.Order, "a pause waits for nothing but an abort")
	})
}

func TestACommandIsWrittenAgainAfterAConflict(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		conflicts := 3
		s.router.BeforeWrite = func() error {
			if conflicts--; conflicts >= 0 {
				return canary.ErrConflict
			}
			return nil
		}
		s.send(canary.Command{Order: order.Pause})
		require.Equal(t, order.Pause, s.read().State.Command.Order)
		s.router.BeforeWrite = func() error { return canary.ErrConflict }
		require.ErrorIs(t, canary.Send(t.Context(), s.router, canary.Command{Order: order.Abort}), canary.ErrConflict)
		down := errors.New("no API server")
		s.router.BeforeRead = func() error { return down }
		require.ErrorIs(t, canary.Send(t.Context(), s.router, canary.Command{Order: order.Abort}), down)
	})
}

// E15, E16: an approval is kept until its gate is reached, opens what is meant for
// people only, and is used once.
func TestAnApprovalIsKeptForItsGateAndUsedOnce(t *testing.T) {
	friday := canary.Wait.Because("it is Friday")
	step := canary.Step{Hold: time.Minute, Requires: canary.Nothing, EnterGates: []string{"calendar", "release manager"}, LeaveGates: []string{"qa"}}
	plan := canary.NewPlan("p").Weights(canary.List(10*percent, canary.Full), step)
	story(t, plan, func(t *testing.T, s *stage) {
		state := s.turns(time.Hour)
		require.Equal(t, phase.Preparing, state.Phase)
		s.heard("Preparing: waiting for gate: it is Friday")
		s.send(canary.Command{Order: order.Approve, Gate: "calendar"})
		s.turns(time.Minute)
		s.heard(`an order has no effect: the gate "calendar" is not opened by command`)
		for _, gate := range []string{"qa", "release manager"} {
			s.send(canary.Command{Order: order.Approve, Gate: gate})
			s.turns(time.Minute)
		}
		friday = canary.Answer{Reply: canary.Yes}
		state = s.turns(time.Hour)
		require.Equal(t, 0, state.Step)
		s.heard(`Progressing: waiting for gate: release manager (order "approve" to open it)`)
		require.Equal(t, []string{"qa"}, state.Approved, "the other one was used")
		s.send(canary.Command{Order: order.Approve, Gate: "release manager"})
		state = s.turns(time.Hour)
		require.Equal(t, 1, state.Step)
		require.Empty(t, state.Approved)
		s.send(canary.Command{Order: order.Approve, Gate: "qa"})
		s.promotes()
	}, func(c *canary.Config) {
		c.Gates = map[string]canary.Gate{"calendar": func(context.Context) (canary.Answer, error) { return friday, nil }}
	})
}

func TestAGateThatNoStepHasIsAMistake(t *testing.T) {
	_, err := canary.NewRunner(canary.Config{
		Plan: mustBuild(t, twoSteps()), Router: new(canarytest.Router), Analyzer: new(canarytest.Judge),
		Gates: map[string]canary.Gate{"realese": func(context.Context) (canary.Answer, error) { return canary.Answer{}, nil }},
	})
	require.ErrorContains(t, err, `Config.Gates: "realese" is nil, or the plan has no such gate`)
	_, err = twoSteps().Step(canary.Step{EnterGates: []string{""}, LeaveGates: strings.Split("a b c d e f g h", " ")}).Build()
	require.ErrorContains(t, err, "enterGates: a gate has no name")
	require.ErrorContains(t, err, "leaveGates: 9 gates, at most 8 are allowed")
}
