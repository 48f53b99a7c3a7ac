package canary_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// What was scaled is given back when everything is over, whatever the end, and not before.
func TestWhatWasScaledIsGivenBackAtTheEnd(t *testing.T) {
	ends := map[string]struct {
		plan canary.Builder
		do   func(*stage)
		want phase.Phase
	}{
		"stay":      {twoSteps(), nil, phase.Promoted},
		"promote":   {s2(), nil, phase.Promoted},
		"discard":   {twoSteps().End(canary.End{Kind: canary.Discard}), nil, phase.Discarded},
		"roll back": {s2(), func(s *stage) { s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Fail}} }, phase.RolledBack},
		"abort before the first share": {s2(), func(s *stage) {
			s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 3 pods")}
			s.turns(time.Minute)
			s.send(canary.Command{Order: order.Abort})
		}, phase.RolledBack},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			story(t, end.plan, func(t *testing.T, s *stage) {
				failed := false
				s.workload.Scaling = true
				s.workload.ReleaseScript = []canary.Answer{canary.Wait.Because("not yet")}
				s.workload.Before = func(method string) error {
					if read := s.read(); method == "Release" {
						require.Equal(t, phase.CleaningUp, read.State.Phase)
						require.Contains(t, []canary.Weight{0, canary.Full}, read.Traffic.Canary)
						if failed = !failed; failed {
							return errors.New("503")
						}
					}
					return nil
				}
				if end.do != nil {
					end.do(s)
				}
				s.turns(time.Hour)
				require.Equal(t, phase.CleaningUp, s.read().State.Phase)
				s.heard("not yet")
				s.heard("503")
				s.workload.ReleaseScript = nil
				last, err := s.run()
				require.Equal(t, end.want == phase.RolledBack, errors.Is(err, canary.ErrRolledBack))
				require.Equal(t, end.want, last.Phase)
			})
		})
	}
}

// The capacity that a Workload has told is that of the rollout from then on, for each driver.
func TestTheCapacityThatGrewIsKept(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.Pinned = canary.Pin{Version: "v2", Capacity: "30"}
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive}}
		s.turns(time.Minute)
		require.Equal(t, "30", s.read().State.Pin.Capacity)
		s.workload.Capacity, s.workload.Notice = "30 300 36", "the store is away"
		s.turns(10 * time.Minute)
		s.heard("the store is away")
		require.Equal(t, "30 300 36", s.read().State.Pin.Capacity)
		s.workload.Capacity = ""
		s.turns(time.Hour)
		require.Equal(t, "30 300 36", s.read().State.Pin.Capacity)
		s.judge.Script = nil
		s.promotes()
	})
}

// A promotion that only lacks what is given back is not turned back: users keep the version that
// has won, whatever release comes next, and whoever is stopped.
func TestAPromotionThatIsCleanedUpIsNotTurnedBack(t *testing.T) {
	forbidden := func(method string) error {
		if method == "Release" {
			return errors.New("403")
		}
		return nil
	}
	plan := mustBuild(t, twoSteps())
	cleansUp := func(s *stage) {
		s.workload.Scaling, s.workload.Before = true, forbidden
		s.turns(10 * time.Hour)
		require.Equal(s.t, phase.CleaningUp, s.read().State.Phase)
		require.Equal(s.t, canary.Full, s.read().Traffic.Canary)
	}
	t.Run("a newer revision comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, plan.For("v2"))
			cleansUp(s)
			v3 := s.driver(plan.For("v3"))
			state := s.drives(v3, time.Hour)
			require.Equal(t, canary.Full, s.read().Traffic.Canary)
			require.Equal(t, phase.CleaningUp, state.Phase)
			s.workload.Before = nil
			e, err := v3.Turn(t.Context())
			require.NoError(t, err)
			require.Equal(t, phase.Promoted, e.After.Phase, "the newer one gives back what is left")
			_, err = v3.Run(t.Context())
			require.ErrorIs(t, err, canary.ErrUnexplained)
			require.ErrorContains(t, err, "swap stable and canary")
			require.Equal(t, canary.Full, s.read().Traffic.Canary)
		})
	})
	t.Run("its driver is stopped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, plan, func(c *canary.Config) { c.AtStop = canary.StopRollsBack })
			cleansUp(s)
		})
	})
}

// A Workload that scales is asked in each turn in which stable has everything again, so that it can
// keep stable's pods.
func TestAWorkloadThatScalesLooksAfterStableInARetreat(t *testing.T) {
	for _, scales := range []bool{true, false} {
		story(t, twoSteps(), func(t *testing.T, s *stage) {
			s.workload.Scaling, s.workload.Pinned = scales, canary.Pin{Version: "v2"}
			s.judge.Script = []canarytest.Ruling{undecided}
			s.turns(30 * time.Second)
			s.judge.Script = []canarytest.Ruling{unread}
			s.turns(10 * time.Minute)
			require.Equal(t, phase.Retreating, s.read().State.Phase)
			before := s.workload.Calls("Inspect")
			s.turns(10 * time.Minute)
			require.Equal(t, scales, s.workload.Calls("Inspect") > before+30)
		})
	}
}
