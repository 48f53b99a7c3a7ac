package canary_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

const pushed = "canary v2: its pod template has changed since the rollout began"

// E11: shop:3 is pushed to the canary's Deployment while shop:2 is walked.
func TestACanaryThatBecomesAnotherVersionIsAnsweredAsThePlanSays(t *testing.T) {
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.CanaryChanged = pushed
		began := time.Now()
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorContains(t, err, pushed)
		require.Less(t, s.read().State.Shifted.Sub(began), 20*time.Second, "in the turn that sees it")
	})
	holding(t, twoSteps().OnChange(canary.ChangeHold), func(t *testing.T, s *stage) {
		s.workload.CanaryChanged = pushed
		s.judge.Script = nil
		s.turns(time.Hour)
		require.Equal(t, 0, s.read().State.Step)
		s.heard("another version: " + pushed)
		s.workload.CanaryChanged = ""
		s.promotes()
	})
	holding(t, twoSteps().OnChange(canary.ChangeHold), func(t *testing.T, s *stage) {
		s.workload.CanaryChanged = pushed
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorContains(t, err, "the judge failed step")
	})
	holding(t, twoSteps().OnChange(canary.ChangeRestart), func(t *testing.T, s *stage) {
		first := s.read().State.Began
		s.workload.CanaryChanged = pushed
		require.NotEqual(t, first, s.turns(15*time.Second).Began)
		s.heard("RolledBack: over: " + pushed)
		s.heard("Preparing: moved on: begun again: " + pushed)
		s.workload.CanaryChanged = ""
		s.judge.Script = nil
		state := s.promotes()
		require.NotEqual(t, first, state.Began, "it is another rollout")
		require.False(t, state.Restart)
	})
}

// A driver that comes later begins the rollout again as well.
func TestARestartIsNotForgotten(t *testing.T) {
	holding(t, twoSteps().OnChange(canary.ChangeRestart), func(t *testing.T, s *stage) {
		s.workload.CanaryChanged = pushed
		for s.read().State.Phase != phase.RolledBack {
			_, err := s.runner.Turn(t.Context())
			require.NoError(t, err)
		}
		s.workload.CanaryChanged = ""
		s.judge.Script = nil
		later := s.driver(mustBuild(t, twoSteps().OnChange(canary.ChangeRestart)))
		state, err := later.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, phase.Promoted, state.Phase)
	})
}

// E32: a security fix is applied to stable in mid-rollout. The rollout holds, and a failing
// canary goes back all the same.
func TestAStableThatSomebodyChangedHoldsTheStep(t *testing.T) {
	const fixed = "stable v1: somebody has changed its pod template since the rollout began"
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.StableChanged = fixed
		s.judge.Script = nil
		s.turns(time.Hour)
		require.Equal(t, 0, s.read().State.Step)
		s.heard("another version: " + fixed)
		s.send(canary.Command{Order: order.Promote, By: "ann"})
		s.turns(time.Hour)
		require.Equal(t, 0, s.read().State.Step, "nobody overwrites it by an order")
		s.workload.StableChanged = ""
		s.promotes()
	})
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.StableChanged = fixed
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
	})
}

// E33: somebody puts the promoted stable back: users have the old version, and that is said.
func TestAPromotionThatSomebodyUndoesIsNoPromotion(t *testing.T) {
	const undone = "stable v1: somebody has changed its pod template since it was promoted"
	plan := twoSteps().Bake(time.Hour).End(canary.End{Kind: canary.PromoteStable})
	story(t, plan, func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.Baking {
			s.turns(10 * time.Second)
		}
		s.workload.StableChanged = undone
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorContains(t, err, undone)
		require.Zero(t, s.read().Traffic)
	})
}

// Only the canary's readings are missing, and must exist: nobody sees what happens to its
// requests. With all traffic on stable they cannot come back, so a person decides.
func TestACanaryThatNobodySeesWaitsForAPerson(t *testing.T) {
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Blindness: analysis.NoCanaryReadings, Reason: "stable has 4000 requests and the canary none"}}
		s.turns(2 * time.Minute)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.heard("no readings of the canary: no readings for ")
		s.judge.Script = nil
		s.turns(12 * time.Hour)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.send(canary.Command{Order: order.Resume})
		s.promotes()
	})
}

// A canary whose pods nobody can look at keeps its users for the error limit, and no step is
// left meanwhile.
func TestPodsThatNobodyCanLookAtHoldTheStepForTheErrorLimit(t *testing.T) {
	story(t, twoSteps().ErrorLimit(20*time.Minute), func(t *testing.T, s *stage) {
		s.workload.Before = func(method string) error { return map[string]error{"Inspect": canary.ErrForbidden}[method] }
		began := time.Now()
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorContains(t, err, "unreachable for 20m0s: the pods cannot be looked at: no answer: ")
		require.Equal(t, 0, s.read().State.Step)
		require.InDelta(t, 20*time.Minute, s.read().State.Shifted.Sub(began), float64(time.Minute))
	})
}

// P5: stable has no pod, so the judge has nobody to compare with. That is said, with what helps.
func TestAStableWithoutPodsHoldsTheStepAndSaysWhatHelps(t *testing.T) {
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = nil
		s.workload.StableDead = "stable v1: no pod is ready: mend it, or order promote"
		s.turns(time.Hour)
		require.Equal(t, 0, s.read().State.Step)
		s.heard("waiting for capacity: stable v1: no pod is ready: mend it, or order promote")
		s.send(canary.Command{Order: order.Promote})
		s.promotes()
	})
}

// While users are on the canary the steps are not the only time in which that counts.
func TestPodsThatNobodyCanLookAtHoldTheEndToo(t *testing.T) {
	for _, at := range []phase.Phase{phase.CompletingShift, phase.Baking} {
		t.Run(at.String(), func(t *testing.T) {
			plan := canary.NewPlan("reviews").Weights(canary.List(10*percent, canary.Full), canary.Step{Hold: 10 * time.Minute}).Bake(30 * time.Minute)
			if at == phase.CompletingShift {
				plan = canary.NewPlan("reviews").Weights(canary.List(10*percent, 95*percent), canary.Step{Hold: 10 * time.Minute}).Bake(30 * time.Minute).End(canary.End{Kind: canary.PromoteStable})
			}
			story(t, plan, func(t *testing.T, s *stage) {
				for s.read().State.Phase != at {
					s.turns(time.Second)
				}
				s.workload.Before = func(method string) error { return map[string]error{"Inspect": errors.New("403")}[method] }
				_, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
				require.ErrorContains(t, err, "unreachable for 15m0s: the pods cannot be looked at: ")
			})
		})
	}
}

// A State that was restored from memory may be an old one, until stable is promoted after it.
func TestARestoredStateDoesNotHideAChangeInTheBakeTime(t *testing.T) {
	story(t, smallPlan(), func(t *testing.T, s *stage) {
		s.turns(5 * time.Minute)
		s.router.Corrupt("")
		s.turns(30 * time.Second)
		require.True(t, s.read().State.Recalled)
		for s.read().State.Phase != phase.Baking {
			s.turns(10 * time.Second)
		}
		require.False(t, s.read().State.Recalled)
		s.workload.StableChanged = "stable v1: somebody has changed its pod template since it was promoted"
		s.turns(10 * time.Second)
		s.heard("RestoringStable: turned back: stable v1: somebody has changed its pod template since it was promoted")
	})
}
