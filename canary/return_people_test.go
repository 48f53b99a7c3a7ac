package canary_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// What people order in the middle of a return.
func TestOrdersInAReturnInSteps(t *testing.T) {
	plan := mustBuild(t, inSteps())
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(5 * time.Minute)
		s.send(canary.Command{Order: order.Skip, By: "ann"})
		require.NoError(t, plan.CheckState(s.read().State))
		s.turns(20 * time.Second)
		require.Equal(t, 50*percent, s.read().Traffic.Canary, "and no more than the next share")
		require.Equal(t, "50% at 0s, 100% at 21m0s", s.shares(), "which has its hold")
		s.heard("Returning: moved on: skip by ann")
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(5 * time.Minute)
		s.send(canary.Command{Order: order.Promote, Why: "it is night"})
		s.turns(20 * time.Second)
		require.Zero(t, s.read().Traffic)
		s.promotes()
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(5 * time.Minute)
		s.workload.Shortfall = 60 * percent
		s.send(canary.Command{Order: order.Promote})
		s.turns(20 * time.Second)
		require.InDelta(t, 58, int(s.read().Traffic.Canary/percent), 3, "its pods carry no more")
		require.NoError(t, plan.CheckState(s.read().State))
		require.Equal(t, []order.Order{order.Abort}, plan.Status(s.read().State, time.Now()).Orders)
		s.turns(6 * time.Minute)
		require.Zero(t, s.read().Traffic)
	})
	story(t, inSteps(), func(t *testing.T, s *stage) {
		began := time.Now()
		s.turns(5 * time.Minute)
		s.send(canary.Command{Order: order.Promote})
		s.promotes()
		require.Less(t, time.Since(began), 12*time.Minute, "an order to promote in a step waits for no hold behind the steps either")
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		err := canary.Send(t.Context(), s.router, canary.Command{Order: order.Pause})
		require.ErrorContains(t, err, "a rollout that is Returning cannot pause; possible: abort, promote, skip")
	})
	returning(t, func(t *testing.T, s *stage) {
		status := mustBuild(t, smallPlan()).Status(s.read().State, time.Now())
		require.Equal(t, []order.Order{order.Abort}, status.Orders)
		s.send(canary.Command{Order: order.Skip})
		s.turns(10 * time.Second)
		s.heard("an order has no effect: the plan does not return in steps")
	})
}

// The driver ends between two shares: another one goes on with the hold, and does not begin it anew.
func TestAnotherDriverGoesOnWithAReturnInSteps(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		shifted := s.read().State.Shifted
		for range 200 { // one turn each, as a controller that has no memory
			other, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, inSteps()), Router: s.router, Analyzer: s.judge, Workload: s.workload})
			require.NoError(t, err)
			e, err := other.Turn(t.Context())
			require.NoError(t, err)
			if e.After.Traffic.Canary != 90*percent {
				break
			}
			<-time.After(min(e.Wait, 30*time.Second))
		}
		require.InDelta(t, 21*time.Minute, time.Since(shifted), float64(2*time.Minute))
		require.Equal(t, "50% at 0s, 100% at 21m0s", s.shares())
	})
}

// A driver of another plan does not touch the return, and obeys an Abort.
func TestADriverOfAnotherPlanLeavesAReturnInStepsAlone(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		config := canary.Config{Plan: mustBuild(t, smallPlan()), Router: s.router, Analyzer: s.judge, Workload: s.workload}
		other, err := canary.NewRunner(config)
		require.NoError(t, err)
		_, err = other.Turn(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan)
		s.send(canary.Command{Order: order.Abort})
		_, err = other.Turn(t.Context())
		require.NoError(t, err)
		read := s.read()
		require.Equal(t, phase.RestoringStable, read.State.Phase)
		require.Equal(t, canary.Full, read.Traffic.Canary)
	})
}

// A share that somebody gives stable stays, and is held anew. What somebody takes from stable it
// gets again.
func TestAShareThatSomebodyChangesIsHeldAnew(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(15 * time.Minute)
		s.router.Meddle(canary.Traffic{Canary: 70 * percent})
		s.turns(20 * time.Second)
		require.NoError(t, mustBuild(t, inSteps()).CheckState(s.read().State))
		require.Equal(t, "30% at 0s, 50% at 21m0s, 100% at 42m0s", s.shares())
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(15 * time.Minute)
		s.router.Meddle(canary.Traffic{Canary: canary.Full})
		s.turns(20 * time.Second)
		require.Equal(t, "10% at 0s, 50% at 21m0s, 100% at 42m0s", s.shares())
	})
}

// Nobody drives: Sweep gives the promoted stable everything, and the next driver goes on.
func TestAnAbandonedReturnInStepsIsSwept(t *testing.T) {
	stepwise(t, inSteps().Bake(10*time.Minute), func(t *testing.T, s *stage) {
		s.send(canary.Command{Order: order.Skip})
		<-time.After(16 * time.Minute)
		require.NoError(t, canary.Sweep(t.Context(), s.router))
		read := s.read()
		require.Zero(t, read.Traffic)
		require.Equal(t, phase.Returning, read.State.Phase)
		require.NoError(t, mustBuild(t, inSteps().Bake(10*time.Minute)).CheckState(read.State))
		s.promotes()
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		for range 4 {
			require.NoError(t, canary.Sweep(t.Context(), s.router))
			require.True(t, s.read().State.LookBy.After(time.Now()), "a hold is driven")
			s.turns(5 * time.Minute)
		}
		require.NotZero(t, s.read().Traffic.Canary)
	})
}

// The driver is stopped in the middle of a return.
func TestADriverThatIsStoppedInAReturnInSteps(t *testing.T) {
	for at, want := range map[canary.AtStop]canary.Weight{canary.StopLeaves: 90 * percent, canary.StopStepsBack: 0} {
		t.Run(at.String(), func(t *testing.T) {
			story(t, inSteps(), func(t *testing.T, s *stage) {
				runner, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, inSteps()), Router: s.router, Analyzer: s.judge, Workload: s.workload, AtStop: at})
				require.NoError(t, err)
				ctx, stop := context.WithTimeout(t.Context(), 30*time.Minute)
				defer stop()
				_, err = runner.Run(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				read := s.read()
				require.Equal(t, phase.Returning, read.State.Phase)
				require.Equal(t, want, read.Traffic.Canary)
				s.promotes()
			})
		})
	}
}
