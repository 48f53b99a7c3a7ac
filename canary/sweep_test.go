package canary_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
)

// E35: a rollout whose driver is gone is found by anybody, and goes on with the next one.
func TestASweepGivesStableTheTrafficOfARolloutWithoutADriver(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive}}
		s.turns(time.Hour)
		read := s.read()
		require.Equal(t, 10*percent, read.Traffic.Canary)
		left := time.Until(read.State.LookBy)
		require.Greater(t, left, 4*time.Minute, "a driver moves it on")
		require.LessOrEqual(t, left, 10*time.Minute)
		writes := s.router.Writes()
		s.turns(time.Hour)
		require.InDelta(t, 12, s.router.Writes()-writes, 2, "by a write in five minutes")

		require.NoError(t, canary.Sweep(t.Context(), s.router))
		require.Equal(t, 10*percent, s.read().Traffic.Canary, "it is driven")
		<-time.After(12 * time.Minute) // nobody drives
		require.NoError(t, canary.Sweep(t.Context(), s.router))
		read = s.read()
		require.Zero(t, read.Traffic)
		require.Equal(t, phase.Retreating, read.State.Phase)
		require.Contains(t, read.State.Reason, "nobody has driven the rollout since 2000-01-01T0")
		writes = s.router.Writes()
		require.NoError(t, canary.Sweep(t.Context(), s.router))
		require.Equal(t, writes, s.router.Writes(), "once is enough")

		s.judge.Script = nil
		s.promotes()
		require.Zero(t, s.read().State.LookBy)
		require.NoError(t, canary.Sweep(t.Context(), s.router))
	})
}

// A sweep cannot give stable the traffic while it is between two versions, and says so.
func TestASweepSaysWhatOnlyADriverCanHelp(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
		for s.read().State.Phase != phase.PromotingStable {
			s.turns(30 * time.Second)
		}
		<-time.After(12 * time.Minute)
		before := s.read()
		err := canary.Sweep(t.Context(), s.router, new(canarytest.Router))
		require.ErrorContains(t, err, `"reviews" is PromotingStable, and nobody has driven it since`)
		require.ErrorContains(t, err, "start a driver of its plan, or order an abort")
		require.Equal(t, before.State, s.read().State)
	})
	broken := &canarytest.Router{BeforeRead: func() error { return errors.New("503") }}
	require.ErrorContains(t, canary.Sweep(t.Context(), broken, nil), "503")
	require.ErrorContains(t, canary.Sweep(t.Context(), broken, nil), "Router 1 is nil")
}

// The drivers of a rollout that no Sweep has looked at say so, once, and not before somebody
// could have swept.
func TestWhereNobodySweepsTheDriverSaysSo(t *testing.T) {
	warned := func(sweeps bool) (all []string) {
		story(t, twoSteps(), func(t *testing.T, s *stage) {
			s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive}}
			for range 60 {
				s.turns(time.Minute)
				if sweeps {
					require.NoError(t, canary.Sweep(t.Context(), s.router))
				}
			}
			require.Equal(t, sweeps, s.read().State.Swept)
			require.Equal(t, 10*percent, s.read().Traffic.Canary)
			s.judge.Script = nil
			s.promotes()
		}, func(c *canary.Config) {
			c.Observers = append(c.Observers, func(_ context.Context, e canary.Event) {
				if e.Warning != "" {
					require.Greater(t, e.At.Sub(e.After.Began), 10*time.Minute)
					all = append(all, e.Warning)
				}
			})
		})
		return all
	}
	require.Equal(t, []string{"users have been on the canary for 10m0s, and no Sweep has looked at the rollout: if its driver dies, they stay there"}, warned(false))
	require.Empty(t, warned(true))
}

// Nobody drives a rollout that has no users yet, and somebody gives the canary some.
func TestASweepFindsUsersThatSomebodyElseGaveToTheCanary(t *testing.T) {
	plan := canary.NewPlan("reviews").Step(canary.Step{Traffic: canary.Traffic{Mirror: canary.Full}, Hold: time.Hour, Requires: canary.NoFailure}, canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Hour})
	story(t, plan, func(t *testing.T, s *stage) {
		s.turns(time.Minute)
		s.router.Meddle(canary.Traffic{Canary: canary.Full})
		for range 13 {
			require.NoError(t, canary.Sweep(t.Context(), s.router))
			<-time.After(time.Minute)
		}
		read := s.read()
		require.Zero(t, read.Traffic)
		require.Equal(t, phase.Retreating, read.State.Phase)
		s.promotes()
	})
	story(t, plan, func(t *testing.T, s *stage) {
		s.turns(time.Minute)
		s.router.Meddle(canary.Traffic{Canary: canary.Full})
		require.NoError(t, canary.Sweep(t.Context(), s.router))
		s.turns(time.Minute)
		require.Zero(t, s.read().State.LookBy, "a driver has put it back")
		require.Zero(t, s.read().Traffic.Canary)
	})
}
