package canary_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

var undivided = canarytest.Ruling{Blindness: analysis.FewerThanPlanned, Reason: "2% to the canary, and 10% planned"}

// Where the requests are not divided as planned, the rest may hang. Users are on such a canary for the
// error limit at most, and after it people have to say how it goes on.
func TestRequestsThatAreNotDividedAsPlannedAreBorneForTheErrorLimit(t *testing.T) {
	holding(t, twoSteps().ErrorLimit(20*time.Minute), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{undivided}
		s.turns(19 * time.Minute)
		require.NotZero(t, s.read().Traffic)
		s.turns(2 * time.Minute)
		require.Zero(t, s.read().Traffic)
		require.Equal(t, cause.Undivided, s.read().State.Retreat.Cause)
		s.heard("not divided as planned: nothing to compare for 20m0s: 2% to the canary, and 10% planned")

		s.judge.Script = nil
		s.turns(5 * time.Hour)
		require.Equal(t, phase.Retreating, s.read().State.Phase, "nothing resumes by itself")

		s.judge.Script = []canarytest.Ruling{undivided}
		s.send(canary.Command{Order: order.Resume})
		s.turns(5 * time.Hour)
		require.NotZero(t, s.read().Traffic, "people know why")
		s.judge.Script = nil
		s.promotes()
	})
}

// What is divided as planned again was a coincidence.
func TestTheErrorLimitBeginsAnewWhenRequestsAreDividedAsPlanned(t *testing.T) {
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		for range 10 {
			s.judge.Script = []canarytest.Ruling{undivided}
			s.turns(10 * time.Minute)
			s.judge.Script = []canarytest.Ruling{undecided}
			s.turns(time.Minute)
		}
		require.NotZero(t, s.read().Traffic)
	})
}

// A store that errs for a moment is not what was borne for longer.
func TestAnErrorAfterAWrongDivisionIsBorneForTheBlindLimit(t *testing.T) {
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{undivided}
		s.turns(10 * time.Minute)
		s.judge.Script = []canarytest.Ruling{unread}
		s.turns(20 * time.Second)
		require.NotZero(t, s.read().Traffic)
		s.turns(time.Minute)
		require.Equal(t, cause.NoReadings, s.read().State.Retreat.Cause)
	})
}

// A deadline sends nobody to a stable that fails, and a turn in which it fails does not excuse a canary
// that hangs.
func TestAStableThatFailsCallsForPeopleAtTheDeadline(t *testing.T) {
	fails := canarytest.Ruling{Blindness: analysis.StableFails, Reason: "users cannot reach stable"}
	plan := canary.NewPlan("reviews").Weights(canary.List(10*percent, canary.Full), canary.Step{Hold: time.Minute, Deadline: time.Hour})
	holding(t, plan, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{fails}
		s.turns(2 * time.Hour)
		require.NotZero(t, s.read().Traffic)
		require.False(t, s.read().State.Paused.IsZero())
		s.heard("users cannot reach stable")
	})
	hangs := canarytest.Ruling{Blindness: analysis.NoCanaryReadings, Reason: "it hangs"}
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{hangs, hangs, fails, hangs, hangs, fails, hangs, hangs, fails, hangs}
		s.turns(3 * time.Minute)
		require.Equal(t, cause.NoCanaryReadings, s.read().State.Retreat.Cause)
	})
}
