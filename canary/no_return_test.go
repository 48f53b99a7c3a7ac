package canary_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// migrated is a plan whose second step migrates a schema.
func migrated() canary.Builder {
	step := func(w canary.Weight, noReturn bool) canary.Step {
		return canary.Step{Traffic: canary.Traffic{Canary: w}, Hold: time.Minute, NoReturn: noReturn}
	}
	return canary.NewPlan("reviews").Step(step(10*percent, false), step(50*percent, true), step(canary.Full, false)).
		End(canary.End{Kind: canary.PromoteStable}).Bake(5 * time.Minute)
}

// behindIt is a stage in the step that is the point of no return.
func behindIt(t *testing.T, plan canary.Builder, f func(*testing.T, *stage)) {
	t.Helper()
	story(t, plan, func(t *testing.T, s *stage) {
		for s.read().State.Step == 0 {
			s.turns(10 * time.Second)
		}
		s.turns(10 * time.Second)
		f(t, s)
	})
}

func TestBehindThePointOfNoReturnAFailureHoldsAndCallsPeople(t *testing.T) {
	for name, fails := range map[string]func(*stage){
		"the judge fails the canary":    func(s *stage) { s.judge.Script = rulings(analysis.Fail) },
		"the canary has no pods":        func(s *stage) { s.workload.AliveScript = noPods },
		"its pods show that it is bad":  func(s *stage) { s.workload.Failed = restarted },
		"nobody can judge":              func(s *stage) { s.judge.Script = []canarytest.Ruling{unread} },
		"the canary is another version": func(s *stage) { s.workload.CanaryChanged = pushed },
		"somebody changes it often":     func(s *stage) { s.workload.AliveScript = noPods; s.argues() },
		"it cannot take the next share": func(s *stage) { s.workload.ReadyScript = []canary.Answer{canary.No.Because("no pod is ready")} },
	} {
		t.Run(name, func(t *testing.T) {
			behindIt(t, migrated().Interval(time.Minute), func(t *testing.T, s *stage) {
				fails(s)
				s.turns(2 * 24 * time.Hour)
				read := s.read()
				require.Equal(t, 50*percent, read.Traffic.Canary)
				require.Equal(t, phase.Progressing, read.State.Phase)
				s.heard("point of no return: behind the point of no return: ")
				s.heard("; repair it, or order an abort all the same")
				require.Contains(t, mustBuild(t, migrated().Interval(time.Minute)).Status(read.State, time.Now()).String(), "waits for people: behind the point of no return: ")
				writes := s.router.Writes()
				s.turns(time.Hour)
				require.InDelta(t, 12, s.router.Writes()-writes, 3, "for LookBy, and nothing else")

				s.send(canary.Command{Order: order.Abort})
				s.workload.AliveScript = nil
				state, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
				require.Contains(t, state.Reason, "abort")
			})
		})
	}
}

// argues lets somebody change the traffic more often than the plan bears.
func (s *stage) argues() {
	for range 8 {
		s.router.Meddle(canary.Traffic{Canary: 3 * percent})
		s.turns(20 * time.Second)
	}
}

// What heals goes on.
func TestARolloutThatHealsBehindThePointOfNoReturnGoesOn(t *testing.T) {
	behindIt(t, migrated(), func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Fail)
		s.turns(time.Hour)
		s.judge.Script = nil
		s.promotes()
	})
}

// Promotion and bake time lie behind it as well.
func TestBehindThePointOfNoReturnAPromotionIsNotUndone(t *testing.T) {
	for _, at := range []phase.Phase{phase.PromotingStable, phase.Baking} {
		behindIt(t, migrated(), func(t *testing.T, s *stage) {
			s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3"), canary.Wait.Because("2 of 3"), {Reply: canary.Yes}}
			for s.read().State.Phase != at {
				s.turns(10 * time.Second)
			}
			s.judge.Script = rulings(analysis.Fail)
			s.workload.StableChanged = "somebody has changed it"
			s.turns(time.Hour)
			require.Equal(t, at, s.read().State.Phase)
			s.heard("point of no return: ")
			s.judge.Script, s.workload.StableChanged = nil, ""
			s.promotes()
		})
	}
}

// Before it everything goes back as ever.
func TestBeforeThePointOfNoReturnAFailureGoesBack(t *testing.T) {
	story(t, migrated(), func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.False(t, s.read().State.NoReturn)
	})
}

// Neither Sweep nor a stopped driver nor a newer revision takes it back.
func TestNobodyTakesARolloutBackFromBehindThePointOfNoReturn(t *testing.T) {
	behindIt(t, migrated(), func(t *testing.T, s *stage) {
		<-time.After(time.Hour)
		require.ErrorContains(t, canary.Sweep(t.Context(), s.router), "start a driver of its plan, or order an abort")
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
	})
	story(t, migrated(), func(t *testing.T, s *stage) {
		v2, v3 := s.driver(mustBuild(t, migrated()).For("v2")), s.driver(mustBuild(t, migrated()).For("v3"))
		s.drives(v2, 90*time.Second)
		require.True(t, s.read().State.NoReturn)
		e, err := v3.Turn(t.Context())
		require.NoError(t, err)
		require.Contains(t, e.Reason.String(), "revision v2 is Progressing; this one begins when that is over")
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
	})
}

func TestAPointOfNoReturnIsWhereUsersAre(t *testing.T) {
	_, err := migrated().Step(canary.Step{Name: "copies", Traffic: canary.Traffic{Mirror: canary.Full}, NoReturn: true}).End(canary.End{Kind: canary.Discard}).Bake(0).Build()
	require.ErrorContains(t, err, `steps 4 "copies" noReturn: users are not on the canary in this step`)
	require.ErrorContains(t, err, `a plan that ends with "discard" returns to stable`)
	require.Contains(t, mustBuild(t, migrated()).String(), "point of no return")
}

// The canary's pods go while stable is promoted. The promotion goes on, as it is what helps.
func TestBehindThePointOfNoReturnAPromotionHelpsADeadCanary(t *testing.T) {
	behindIt(t, migrated(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3"), canary.Wait.Because("2 of 3"), {Reply: canary.Yes}}
		for s.read().State.Phase != phase.PromotingStable {
			s.turns(10 * time.Second)
		}
		for s.workload.Calls("Promote") == 0 {
			s.turns(time.Second)
		}
		s.workload.AliveScript = noPods
		s.promotes()
		require.Zero(t, s.read().Traffic)
	})
}

func TestAStoppedDriverTakesNothingBackFromBehindThePointOfNoReturn(t *testing.T) {
	story(t, migrated(), func(t *testing.T, s *stage) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		_, err := s.runner.Run(ctx)
		require.ErrorContains(t, err, "is left as it is")
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
	}, func(c *canary.Config) { c.AtStop = canary.StopRollsBack })
}

func TestAPlanTakesNoUsersFromBehindThePointOfNoReturn(t *testing.T) {
	_, err := canary.NewPlan("p").Step(
		canary.Step{Traffic: canary.Traffic{Canary: 50 * percent}, Hold: time.Minute, NoReturn: true},
		canary.Step{Traffic: canary.Traffic{Mirror: canary.Full}, Hold: time.Minute, Requires: canary.NoFailure},
		canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Minute}).Build()
	require.ErrorContains(t, err, `steps 2 "canary 0%, mirror 100%" canary: canary 0%, mirror 100% takes users from the canary, which had canary 50%`)
}

func TestAStateThatIsRemovedBehindThePointOfNoReturnIsPutBack(t *testing.T) {
	behindIt(t, migrated(), func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Fail)
		s.turns(time.Minute)
		s.router.Corrupt("")
		<-time.After(2 * time.Minute)
		_, err := s.runner.Turn(t.Context())
		require.NoError(t, err)
		require.Equal(t, phase.Progressing, s.read().State.Phase, "the State is put back in the first turn")
	})
}
