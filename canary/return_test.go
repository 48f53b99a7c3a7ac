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

// returning is a stage whose stable was just promoted and has pods for a tenth: the canary keeps
// most of the traffic in Returning.
func returning(t *testing.T, f func(*testing.T, *stage)) {
	t.Helper()
	small(t, func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.Returning {
			s.turns(10 * time.Second)
		}
		s.turns(20 * time.Second)
		require.Greater(t, s.read().Traffic.Canary, 80*percent)
		f(t, s)
	})
}

// The promoted stable fails while it gets its traffic: it is restored, with the traffic on the canary.
func TestAPromotedStableIsJudgedWhileItGetsItsTraffic(t *testing.T) {
	returning(t, func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Fail)
		asked := len(s.judge.Asked())
		s.turns(4 * time.Minute)
		require.Greater(t, len(s.judge.Asked()), asked, "the judge is asked in four minutes of Returning")
		s.heard("RestoringStable: turned back: the judge failed step")
	})
}

// No pod of stable is ready, and the canary serves: users stay there, however long that takes.
func TestAStableWithoutAPodGetsNothing(t *testing.T) {
	returning(t, func(t *testing.T, s *stage) {
		s.workload.Shortfall = canary.Full // every pod of stable is gone
		s.turns(6 * time.Minute)
		s.heard("stable has ready pods for 0% of the traffic")
		require.NotZero(t, s.read().Traffic.Canary, "users are sent to a stable without a pod, from a canary that serves")
	})
}

// Somebody changes stable in the middle of the return: it gets no more, and is restored.
func TestAStableThatSomebodyChangesInAReturnGetsNoMore(t *testing.T) {
	returning(t, func(t *testing.T, s *stage) {
		s.workload.StableChanged = "stable shop-v1: somebody has changed its pod template since it was promoted"
		s.turns(20 * time.Second)
		s.heard("RestoringStable: turned back: stable shop-v1: somebody has changed its pod template")
		require.Equal(t, canary.Full, s.read().Traffic.Canary)
	})
}

// Sweep gives a promoted stable everything, and goes on to tell that nobody drives.
func TestAnAbandonedReturnIsToldAgainAndAgain(t *testing.T) {
	returning(t, func(t *testing.T, s *stage) {
		<-time.After(20 * time.Minute)
		require.NoError(t, canary.Sweep(t.Context(), s.router))
		require.Zero(t, s.read().Traffic)
		<-time.After(20 * time.Minute)
		require.Equal(t, phase.Returning, s.read().State.Phase)
		require.ErrorContains(t, canary.Sweep(t.Context(), s.router), "start a driver of its plan")
	})
}

// Somebody gave the canary everything, which the policy leaves alone, and autoscalers followed.
func TestWhatTheCanaryHasCountsAndNotWhatItShouldHave(t *testing.T) {
	for _, o := range []order.Order{order.Abort, order.StepBack} {
		t.Run(o.String(), func(t *testing.T) {
			story(t, smallPlan().OnDrift(canary.HoldAndAsk), func(t *testing.T, s *stage) {
				s.workload.Pinned = canary.Pin{Capacity: "10"}
				s.turns(2 * time.Minute)
				s.router.Meddle(canary.Traffic{Canary: canary.Full})
				s.turns(time.Hour)
				require.Equal(t, canary.Full, s.read().Traffic.Canary)
				s.workload.Shortfall = 90 * percent
				s.send(canary.Command{Order: o})
				s.turns(20 * time.Second)
				require.Greater(t, s.read().Traffic.Canary, 50*percent)
			})
		})
	}
}

// Nobody knows the pods in the very turn of the way back.
func TestAStableOfWhichNobodyKnowsGetsHalfAtOnce(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Fail)
		once := true
		s.workload.Before = func(method string) error {
			if method == "Inspect" && once {
				once = false
				return errors.New("503")
			}
			return nil
		}
		s.turns(20 * time.Second)
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
	})
}

// A driver of another plan, which knows no pods, goes on with the return.
func TestADriverWithoutAWorkloadGoesOnWithAReturn(t *testing.T) {
	plan := canary.NewPlan("reviews").Weights(canary.List(canary.Full), canary.Step{Hold: 10 * time.Minute}).Bake(0)
	story(t, plan, func(t *testing.T, s *stage) {
		s.workload.Pinned = canary.Pin{Capacity: "10"}
		s.turns(2 * time.Minute)
		s.workload.Shortfall = 90 * percent
		s.send(canary.Command{Order: order.Abort})
		s.turns(15 * time.Second)
		require.NotZero(t, s.read().Traffic.Canary)
		other, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, canary.NewPlan("other").Weights(canary.List(canary.Full), canary.Step{Hold: time.Minute})), Router: s.router, Analyzer: s.judge})
		require.NoError(t, err)
		e, err := other.Turn(t.Context())
		require.NoError(t, err)
		require.Contains(t, e.Reason.String(), "nobody knows how many pods of stable are ready")
	})
}

// Users are on a canary that nobody can judge: the five minutes do not begin again.
func TestAnAbortInARetreatProlongsNothing(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{unread}
		for s.read().State.Phase != phase.Retreating {
			s.turns(10 * time.Second)
		}
		began := time.Now()
		s.turns(150 * time.Second)
		s.send(canary.Command{Order: order.Abort})
		for s.read().Traffic.Canary > 0 {
			s.turns(5 * time.Second)
		}
		require.LessOrEqual(t, time.Since(began), 5*time.Minute+20*time.Second)
	})
}

// Stable has no pods for the traffic, and it does not go there on the way to the step.
func TestAResumeTakesNothingFromTheCanaryFirst(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.send(canary.Command{Order: order.StepBack})
		s.turns(20 * time.Second)
		require.Greater(t, s.read().Traffic.Canary, 50*percent)
		s.send(canary.Command{Order: order.Resume})
		at := time.Now()
		for s.read().State.Phase == phase.Retreating {
			s.turns(5 * time.Second)
		}
		require.Less(t, time.Since(at), 3*time.Minute)
	})
}
