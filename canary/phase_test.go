package canary_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// half is a plan whose steps end at 50 %.
func half(end canary.EndKind) canary.Builder {
	return canary.NewPlan("p").Step(canary.Step{Traffic: canary.Traffic{Canary: 50 * percent}, Hold: time.Minute}).End(canary.End{Kind: end})
}

// phases are the phases of the trace, each once in a row.
func phases(s canary.State) string {
	var all []string
	for _, move := range s.Trace {
		if name := move.Phase.String(); len(all) == 0 || all[len(all)-1] != name {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

func TestAPlanThatPromotesStableMayEndItsStepsBelowEverything(t *testing.T) {
	story(t, half(canary.PromoteStable), func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}, canary.Wait.Because("5 of 10 pods"), {Reply: canary.Yes}}
		state, err := s.run()
		require.NoError(t, err)
		require.Equal(t, "Preparing Progressing CompletingShift PromotingStable Returning Promoted", phases(state))
		s.heard("Progressing: waiting for capacity: 5 of 10 pods")
	})
	_, err := half(canary.Stay).Build()
	require.ErrorContains(t, err, `"stay" needs a last step that gives the canary 100%`)
}

func TestACanaryThatFailsWhileTheShiftIsCompletedIsRolledBack(t *testing.T) {
	story(t, half(canary.PromoteStable).Settle(time.Minute), func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Pass)
		for s.read().State.Phase != phase.CompletingShift {
			s.turns(5 * time.Second)
		}
		require.Equal(t, canary.Full, s.read().Traffic.Canary)
		s.send(canary.Command{Order: order.Pause})
		state := s.turns(time.Hour)
		require.Equal(t, phase.CompletingShift, state.Phase)
		s.judge.Script = rulings(analysis.Fail)
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Equal(t, "Preparing Progressing CompletingShift RollingBack RolledBack", phases(state))
		require.False(t, s.workload.Promoted())
	})
}

func TestAnAbortInTheBakeTimeUndoesTheRollout(t *testing.T) {
	for end, want := range map[canary.EndKind]string{
		canary.PromoteStable: "CompletingShift PromotingStable Returning Baking RestoringStable RollingBack RolledBack",
		canary.Stay:          "Preparing Progressing Baking RollingBack RolledBack",
	} {
		t.Run(end.String(), func(t *testing.T) {
			plan := half(end).Bake(10 * time.Minute)
			if end == canary.Stay {
				plan = plan.Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
			}
			story(t, plan, func(t *testing.T, s *stage) {
				state := s.turns(9 * time.Minute)
				require.Equal(t, phase.Baking, state.Phase)
				s.heard("Baking: holding until")
				s.send(canary.Command{Order: order.Abort, By: "ann", Why: "orders are lost"})
				state, err := s.run()
				require.ErrorContains(t, err, "abort by ann: orders are lost")
				require.True(t, strings.HasSuffix(phases(state), want), phases(state))
				require.Zero(t, s.read().Traffic)
				require.False(t, s.workload.Promoted())
			})
		})
	}
}

func TestARolloutIsOverWhenItIsBaked(t *testing.T) {
	story(t, half(canary.PromoteStable).Bake(10*time.Minute), func(t *testing.T, s *stage) {
		began := time.Now()
		state := s.promotes()
		require.Equal(t, 11*time.Minute+10*time.Second, time.Since(began), "one look at everything on the canary")
		require.Equal(t, 10*time.Minute, time.Since(state.Baked))
	})
	_, err := half(canary.Discard).Bake(time.Minute).Build()
	require.ErrorContains(t, err, "nothing to bake")
}

func TestARolloutStepsBackAndEntersTheStepAgain(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}, canary.Wait.Because("0 of 2 pods"), {Reply: canary.Yes}}
		s.turns(50 * time.Second)
		s.send(canary.Command{Order: order.StepBack, By: "ann", Why: "the database is slow"})
		state := s.turns(time.Hour)
		require.Equal(t, phase.Retreating, state.Phase)
		require.Zero(t, s.read().Traffic)
		s.heard("Retreating: stepped back until")
		s.send(canary.Command{Order: order.Resume, By: "ann"})
		state = s.turns(50 * time.Second)
		s.heard("waiting for capacity: 0 of 2 pods")
		require.Equal(t, phase.Progressing, state.Phase)
		require.Equal(t, 0, state.Step)
		require.Equal(t, cause.SteppedBack, state.Retreat.Resumed[0].Cause)
		state, err := s.run()
		require.NoError(t, err)
		require.Equal(t, "Preparing Progressing Retreating Progressing Promoted", phases(state))
		require.Empty(t, state.Retreat.Resumed, "a passed step forgets them")
	})
}

func TestARetreatIsBounded(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.StepBack, Why: "lunch"})
		began := time.Now()
		_, err := s.run()
		require.ErrorContains(t, err, "rolled back: stable had all traffic for 24h0m0s: step back: lunch")
		require.InDelta(t, 24*time.Hour, time.Since(began), float64(time.Minute))
	})
}

func TestAnAbortEndsARetreat(t *testing.T) {
	story(t, half(canary.PromoteStable), func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.StepBack})
		s.turns(time.Minute)
		s.send(canary.Command{Order: order.Abort})
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Equal(t, "Preparing Progressing Retreating RollingBack RolledBack", phases(state))
	})
}
