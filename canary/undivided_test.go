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

var undivided = canarytest.Ruling{Blindness: analysis.NotAsPlanned, Reason: "2% to the canary, and 10% planned"}

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
