package canary_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
)

// stoppedAt runs a rollout with an AtStop until its ctx ends.
func stoppedAt(t *testing.T, a canary.AtStop, d time.Duration, then func(*testing.T, *stage, canary.State, error)) {
	t.Helper()
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2")}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		state, err := s.runner.Run(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		then(t, s, state, err)
	}, func(c *canary.Config) { c.AtStop = a })
}

// E35: a CI job is cancelled at 20 per cent.
func TestARunThatIsStoppedDoesWhatItsConfigSays(t *testing.T) {
	stoppedAt(t, canary.StopLeaves, 90*time.Second, func(t *testing.T, s *stage, _ canary.State, err error) {
		require.ErrorContains(t, err, "is left as it is")
		require.Equal(t, 20*percent, s.read().Traffic.Canary)
	})
	stoppedAt(t, canary.StopStepsBack, 90*time.Second, func(t *testing.T, s *stage, _ canary.State, err error) {
		require.ErrorContains(t, err, "was stopped, and gave stable all traffic")
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		require.Zero(t, s.read().Traffic)
		s.workload.PromoteScript = nil
		s.promotes() // the next driver goes on
	})
	stoppedAt(t, canary.StopRollsBack, 90*time.Second, func(t *testing.T, s *stage, state canary.State, err error) {
		require.ErrorContains(t, err, "was stopped, and gave stable all traffic")
		require.Equal(t, phase.RollingBack, state.Phase)
		require.Zero(t, s.read().Traffic)
		_, err = s.run()
		require.ErrorContains(t, err, "abort by driver: it was stopped")
	})
	for _, a := range []canary.AtStop{canary.StopStepsBack, canary.StopRollsBack} { // nobody is on the canary
		stoppedAt(t, a, 30*time.Second, func(t *testing.T, s *stage, _ canary.State, err error) {
			require.ErrorContains(t, err, "is left as it is")
			require.Equal(t, phase.Progressing, s.read().State.Phase)
		})
	}
	stoppedAt(t, canary.StopStepsBack, 8*time.Minute, func(t *testing.T, s *stage, _ canary.State, err error) { // stable is between two versions
		require.ErrorContains(t, err, "it could not step back: not now: the rollout is PromotingStable")
		require.Equal(t, canary.Full, s.read().Traffic.Canary)
	})
	stoppedAt(t, canary.StopRollsBack, 8*time.Minute, func(t *testing.T, s *stage, _ canary.State, err error) {
		require.ErrorContains(t, err, "was stopped, and gave stable all traffic")
		require.Zero(t, s.read().Traffic)
		require.False(t, s.workload.Promoted())
	})
	_, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, twoSteps()), Router: new(canarytest.Router), Analyzer: new(canarytest.Judge), AtStop: 9})
	require.ErrorContains(t, err, "Config.AtStop: there is no AtStop(9)")
}

// Nobody will be there to watch stable grow.
func TestAStopGivesASmallStableEverything(t *testing.T) {
	story(t, smallPlan(), func(t *testing.T, s *stage) {
		s.workload.Pinned, s.workload.Shortfall = canary.Pin{Capacity: "10"}, 90*percent
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		_, err := s.runner.Run(ctx)
		require.ErrorContains(t, err, "was stopped, and gave stable all traffic")
		require.Zero(t, s.read().Traffic)
	}, func(c *canary.Config) { c.AtStop = canary.StopRollsBack })
}
