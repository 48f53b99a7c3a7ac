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

// smallPlan gives the canary all traffic in its last step.
func smallPlan() canary.Builder {
	return canary.NewPlan("reviews").Settle(time.Minute).Bake(time.Minute).Weights(canary.List(10*percent, canary.Full), canary.Step{Hold: 10 * time.Minute}).End(canary.End{Kind: canary.PromoteStable})
}

// small is a stage whose canary has all traffic, while stable has pods for a tenth of it.
func small(t *testing.T, f func(*testing.T, *stage)) {
	t.Helper()
	story(t, smallPlan(), func(t *testing.T, s *stage) {
		s.workload.Pinned = canary.Pin{Capacity: "10"}
		for s.read().Traffic.Canary < canary.Full {
			s.turns(10 * time.Second)
		}
		s.turns(3 * time.Minute)
		s.workload.Shortfall = 90 * percent
		f(t, s)
	})
}

// E36: an autoscaler has shrunk idle stable to a tenth. It gets back what its pods carry, and the
// rest as they grow.
func TestStableGetsBackWhatItsPodsCarryAndTheRestAsTheyGrow(t *testing.T) {
	ways := map[string]func(*stage){
		"judge": func(s *stage) { s.judge.Script = rulings(analysis.Fail) },
		"abort": func(s *stage) { s.send(canary.Command{Order: order.Abort}) },
	}
	for name, fails := range ways {
		t.Run(name, func(t *testing.T) {
			small(t, func(t *testing.T, s *stage) {
				fails(s)
				s.turns(20 * time.Second)
				read := s.read()
				require.Equal(t, phase.RollingBack, read.State.Phase)
				require.InDelta(t, 85, int(read.Traffic.Canary/percent), 6)
				s.heard(": stable has ready pods for 10% of the traffic")
				s.workload.Shortfall = 40 * percent
				s.turns(20 * time.Second)
				require.LessOrEqual(t, s.read().Traffic.Canary, 40*percent)
				require.Greater(t, s.read().Traffic.Canary, 35*percent)
				s.workload.Shortfall = 0
				s.turns(20 * time.Second)
				require.Zero(t, s.read().Traffic)
				_, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
			})
		})
	}
}

// Pods that never come keep nobody on the canary for ever: load is also what makes an autoscaler
// act.
func TestTheReturnIsOverInTimeWhateverPodsStableHas(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.send(canary.Command{Order: order.Abort})
		began, last, writes := time.Now(), canary.Full, 0
		for s.read().Traffic.Canary > 0 {
			s.turns(10 * time.Second)
			now := s.read().Traffic.Canary
			require.LessOrEqual(t, now, last, "never back to the canary")
			if now < last {
				writes++
			}
			last = now
		}
		require.InDelta(t, 5*time.Minute, time.Since(began), float64(time.Minute))
		require.LessOrEqual(t, writes, 21)
	})
}

// A canary that cannot answer keeps nothing.
func TestACanaryThatCannotAnswerKeepsNothing(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.workload.AliveScript = noPods
		s.send(canary.Command{Order: order.Abort})
		s.turns(10 * time.Second)
		require.Zero(t, s.read().Traffic)
	})
	small(t, func(t *testing.T, s *stage) {
		s.send(canary.Command{Order: order.Abort})
		s.turns(time.Minute)
		require.NotZero(t, s.read().Traffic.Canary)
		s.workload.AliveScript = noPods
		s.turns(10 * time.Second)
		require.Zero(t, s.read().Traffic, "it dies on the way")
	})
	small(t, func(t *testing.T, s *stage) {
		s.send(canary.Command{Order: order.Abort})
		s.turns(time.Minute)
		s.workload.Before = func(method string) error { return map[string]error{"Inspect": errors.New("403")}[method] }
		s.turns(time.Minute)
		require.NotZero(t, s.read().Traffic.Canary, "nobody knows any more: as it was, until the time is over")
		s.turns(4 * time.Minute)
		require.Zero(t, s.read().Traffic)
	})
}

// A Retreat gives stable what it can carry as well, and ends only when it has everything.
func TestARetreatIsInProportionToo(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{unread}
		s.turns(time.Minute)
		read := s.read()
		require.Equal(t, phase.Retreating, read.State.Phase)
		require.InDelta(t, 85, int(read.Traffic.Canary/percent), 6)
		require.Contains(t, mustBuild(t, smallPlan()).Status(read.State, time.Now()).Waits, "waits for pods of stable")
		s.judge.Script = nil
		s.turns(2 * time.Minute)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.workload.Shortfall = 0
		s.promotes()
	})
}

// After a promotion it is the same: 100% back in one write would be too much for two pods.
func TestAPromotedStableGetsItsTrafficAsItGrows(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.Returning {
			s.turns(10 * time.Second)
		}
		s.turns(10 * time.Second)
		require.InDelta(t, 85, int(s.read().Traffic.Canary/percent), 6)
		s.workload.AliveScript = noPods // a dead canary does not undo the promotion
		s.turns(10 * time.Second)
		require.Zero(t, s.read().Traffic)
		s.promotes()
	})
}

// Nobody drives: whoever sweeps ends the return.
func TestAnAbandonedReturnIsSwept(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.send(canary.Command{Order: order.Abort})
		s.turns(20 * time.Second)
		require.NotZero(t, s.read().Traffic.Canary)
		<-time.After(15 * time.Minute)
		require.NoError(t, canary.Sweep(t.Context(), s.router))
		read := s.read()
		require.Zero(t, read.Traffic)
		require.Equal(t, phase.RollingBack, read.State.Phase)
		require.NoError(t, mustBuild(t, smallPlan()).CheckState(read.State))
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
	})
}

// What a person gives stable beyond that stays with stable.
func TestWhatAPersonGivesStableIsNotTakenBack(t *testing.T) {
	small(t, func(t *testing.T, s *stage) {
		s.send(canary.Command{Order: order.Abort})
		s.turns(20 * time.Second)
		s.router.Meddle(canary.Traffic{Canary: 30 * percent})
		s.turns(20 * time.Second)
		require.LessOrEqual(t, s.read().Traffic.Canary, 30*percent)
		s.router.Meddle(canary.Traffic{Canary: canary.Full})
		s.turns(20 * time.Second)
		require.LessOrEqual(t, s.read().Traffic.Canary, 30*percent)
	})
}
