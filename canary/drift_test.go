package canary_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

func TestAHandEditToAWeightThatIsNotInTheListIsPutBackAndMovesNoStep(t *testing.T) {
	plan := canary.NewPlan("p").Weights(canary.Linear(10*percent, 10*percent, canary.Full), canary.Step{Hold: time.Minute})
	story(t, plan, func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		require.Equal(t, 20*percent, s.read().Traffic.Canary)
		s.router.Meddle(canary.Traffic{Canary: 37 * percent})
		state := s.turns(15 * time.Second)
		require.Equal(t, 20*percent, s.read().Traffic.Canary)
		require.Equal(t, 1, state.Step)
		require.Equal(t, 1, state.Drifts)
		s.heard("drift: somebody changed the traffic from canary 20% to canary 37% (change 1 of at most 5)")
		last := 20 * percent
		for range 10 {
			s.turns(30 * time.Second)
			now := s.read().Traffic.Canary
			require.LessOrEqual(t, now, last+10*percent, "no edit makes a step jump")
			last = now
		}
	})
}

func TestArgoCDResettingTheWeightsEveryThirdTurnEndsAtTheLimit(t *testing.T) {
	plan := canary.NewPlan("p").Weights(canary.Linear(10*percent, 10*percent, canary.Full), canary.Step{Hold: time.Minute})
	turn := 0
	argo := func(c *canary.Config) {
		c.Observers = append(c.Observers, func(_ context.Context, e canary.Event) {
			if turn++; turn%3 == 0 && !e.After.Phase.Final() {
				// The state survives: an annotation is not in Git.
				c.Router.(interface{ Meddle(canary.Traffic) }).Meddle(canary.Traffic{})
			}
		})
	}
	story(t, plan, func(t *testing.T, s *stage) {
		state, err := s.run()
		require.ErrorContains(t, err, "drift: somebody changed the traffic from canary 10% to stable only (change 6 of at most 5)")
		require.Equal(t, phase.RolledBack, state.Phase)
		require.Less(t, turn, 100)
	}, argo)
}

func TestDriftCanBeAdoptedHeldOrAReasonToRollBack(t *testing.T) {
	policy := func(p canary.DriftPolicy) canary.Builder { return twoSteps().OnDrift(p) }
	edit := canary.Traffic{Canary: 15 * percent}
	story(t, policy(canary.Adopt), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.router.Meddle(edit)
		state := s.turns(30 * time.Second)
		require.Equal(t, edit, s.read().Traffic)
		require.Equal(t, edit, state.Traffic)
		s.promotes()
	})
	story(t, policy(canary.HoldAndAsk), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.router.Meddle(edit)
		state := s.turns(10 * time.Hour)
		require.Equal(t, edit, s.read().Traffic)
		require.True(t, state.Drifting)
		s.heard(": the traffic of somebody else stays until an order")
		s.send(canary.Command{Order: order.Resume})
		s.promotes()
	})
	story(t, policy(canary.HoldAndAsk), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.router.Meddle(edit)
		_, err := s.run()
		require.ErrorContains(t, err, "drift for 24h0m0s: the traffic of somebody else stays until an order", "nobody came")
	})
	story(t, policy(canary.HoldAndAsk), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.router.Meddle(edit)
		s.turns(time.Minute)
		s.router.Meddle(canary.Traffic{Canary: 10 * percent})
		s.turns(time.Second)
		require.False(t, s.read().State.Drifting, "whoever changed it put it back")
		s.router.Meddle(edit)
		s.turns(time.Minute)
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack, "held drift keeps no failing canary")
	})
	story(t, policy(canary.RollBackOnDrift), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.router.Meddle(edit)
		_, err := s.run()
		require.ErrorContains(t, err, "drift: somebody changed the traffic from canary 10% to canary 15%")
	})
}

func TestAStateThatWasRemovedIsPutBackByARunnerThatKnewIt(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turns(3 * time.Minute)
		before := s.read().State
		s.router.Corrupt("")
		after := s.turns(time.Second)
		require.Equal(t, before.Step, after.Step)
		require.Greater(t, after.Serial, before.Serial)
		s.heard("somebody removed the State, with canary 40%")
		_, err := s.run()
		require.NoError(t, err)
	})
}

func TestTrafficThatNoStateExplainsIsRefusedWithTheWaysOut(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.router.Meddle(canary.Traffic{Canary: 30 * percent})
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrUnexplained)
		require.ErrorIs(t, err, canary.ErrRefused)
		require.ErrorContains(t, err, `there was canary 30% before "reviews" began; take the traffic over by AdoptAt, send it to stable by Reset, or, if the canary is the version that users have, swap stable and canary`)

		require.ErrorContains(t, s.runner.AdoptAt(t.Context(), 2, canary.Command{}), "has no step 2; it has 2")
		require.NoError(t, s.runner.AdoptAt(t.Context(), 0, canary.Command{By: "ann"}))
		require.Equal(t, 30*percent, s.read().Traffic.Canary)
		s.promotes()
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.router.Meddle(canary.Traffic{Canary: 30 * percent})
		require.NoError(t, s.runner.Reset(t.Context()))
		require.Zero(t, s.read().Traffic)
		_, err := s.run()
		require.NoError(t, err)
	})
}

func TestAResetByAnotherProcessIsNotTakenForALostState(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		other, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, twoSteps()), Router: s.router, Analyzer: s.judge})
		require.NoError(t, err)
		began := s.read().State.Began
		require.NoError(t, other.Reset(t.Context()))
		require.Equal(t, began, s.read().State.Began, "so that the next rollout does not begin at the same time")
		state := s.turns(time.Second)
		require.True(t, state.Began.After(began))
		require.Equal(t, 0, state.Step)
		require.Zero(t, state.Drifts)
	})
}

func TestAnotherPlansRolloutIsLeftAlone(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		runner := func(b canary.Builder) *canary.Runner {
			r, err := canary.NewRunner(canary.Config{Plan: mustBuild(t, b), Router: s.router, Analyzer: s.judge})
			require.NoError(t, err)
			return r
		}
		_, err := runner(twoSteps().Settle(time.Hour)).Run(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan)
		_, err = runner(twoSteps().Owner("bot")).Run(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherOwner)
		require.ErrorContains(t, err, `"reviews" is driven by "", not by "bot"`)

		_, err = s.run()
		require.NoError(t, err)
		s.router.Meddle(canary.Traffic{}) // the roles have changed: what was canary is stable now
		state, err := runner(twoSteps().Owner("bot")).Run(t.Context())
		require.NoError(t, err, "a rollout that is over keeps no other from beginning")
		require.Equal(t, "bot", state.Owner)
	})
}

func TestAStateThatCannotBeUnderstoodStopsUntilAReset(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(time.Second)
		s.router.Corrupt(`{"version":2,"wings":2}`)
		_, err := s.runner.Turn(t.Context())
		require.ErrorIs(t, err, canary.ErrBadState)
		require.ErrorContains(t, err, "it has version 2, this library knows versions up to 1")
		s.turns(time.Hour) // users are on the canary: Run goes on watching
		s.heard("error: canarytest: router: the stored State is not valid")
		require.ErrorIs(t, canary.Send(t.Context(), s.router, canary.Command{Order: order.Pause}), canary.ErrBadState)
		require.NoError(t, s.runner.Reset(t.Context()))
		_, err = s.run()
		require.NoError(t, err)
	})
}

func TestARolloutThatIsOverSaysWhatHappenedSince(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		_, err := s.run()
		require.NoError(t, err)
		s.router.Meddle(canary.Traffic{Canary: 50 * percent})
		writes := s.router.Writes()
		_, err = s.run()
		require.ErrorIs(t, err, canary.ErrOver)
		require.Equal(t, writes, s.router.Writes())
		s.heard("it ended with canary 100%; since then somebody changed that to canary 50%")
	})
}

func TestTransientErrorsAreTriedAgainAndRefusalsAreNot(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		failures := 10
		s.router.BeforeWrite = func() error {
			if failures--; failures >= 0 {
				return errors.New("etcd has no leader")
			}
			return nil
		}
		_, err := s.run()
		require.NoError(t, err)
		s.heard("error: etcd has no leader")
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.router.AfterWrite = func() error { return errors.New("the answer was lost") }
		s.promotes()
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		refused := 0
		s.router.BeforeWrite = func() error { refused++; return errors.Join(canary.ErrRefused, errors.New("negative weight")) }
		_, err := s.run()
		require.ErrorContains(t, err, "negative weight")
		require.Equal(t, 1, refused)
	})
}

// What is remembered may be of before stable was moved, whichever phase it was in
// then, so that nothing goes back to stable before that was restored.
func TestWhoeverRemembersTooLittleRestoresStableFirst(t *testing.T) {
	plan := mustBuild(t, s2())
	full := canary.Traffic{Canary: canary.Full}
	for _, p := range []phase.Phase{phase.Progressing, phase.CompletingShift, phase.PromotingStable} {
		remembered := inStep(plan, plan.Len()-1, full)
		remembered.Owner, remembered.Phase, remembered.Drifts = "suite", p, 9
		if p != phase.Progressing {
			remembered.Outcome = phase.Promoted
		}
		o := canary.Observation{Now: noon.Add(time.Hour), Traffic: full, Loss: canary.Removed}
		next, d := plan.Next(remembered, o)
		if p == phase.PromotingStable {
			require.Equal(t, phase.PromotingStable, next.Phase, "a promotion is not given up for that")
			continue
		}
		require.Equal(t, phase.RestoringStable, next.Phase, p)
		require.Equal(t, full, d.Traffic)
	}
}

// While somebody else's traffic flows, nothing is evidence about the step's.
func TestDriftedTrafficIsNoEvidence(t *testing.T) {
	step := canary.Step{Traffic: canary.Traffic{Canary: 20 * canary.Percent}, Hold: time.Hour}
	plan := canary.NewPlan("p").Settle(time.Second).ScrapeLag(time.Second).Interval(10 * time.Second).
		OnDrift(canary.HoldAndAsk).DriftLimit(5).Step(step).
		Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
	story(t, plan, func(t *testing.T, s *stage) {
		s.turnsFor(10 * time.Minute)
		s.router.Meddle(canary.Traffic{Canary: 90 * canary.Percent})
		drifted := time.Now()
		s.turnsFor(10 * time.Minute)
		s.send(canary.Command{Order: order.Resume})
		s.turnsFor(10 * time.Minute)
		back := time.Now().Add(-10 * time.Minute)
		_, err := s.run()
		require.NoError(t, err)
		asked := s.judge.Asked()
		for _, r := range asked {
			for _, b := range r.Earlier {
				require.False(t, b.Window.From.Before(back) && b.Window.To.After(drifted.Add(10*time.Second)),
					"%v to %v is evidence, and from %v to %v somebody else's traffic flowed", b.Window.From, b.Window.To, drifted, back)
			}
		}
		require.NotEmpty(t, asked[len(asked)-1].Earlier)
	})
}

// What the traffic was while the State was away, nobody knows: its time begins anew, in every
// way that the rollout goes on.
func TestTheTimeOfTrafficThatNobodySawIsNotCounted(t *testing.T) {
	for policy := range canary.RollBackOnDrift + 1 {
		plan := mustBuild(t, twoSteps().OnDrift(policy))
		first := canary.Traffic{Canary: 10 * percent}
		s := inStep(plan, 0, first)
		s.Verified = noon.Add(time.Second)
		o := canary.Observation{Now: noon.Add(30 * time.Second), Traffic: first, Loss: canary.Removed}
		next, d := plan.Next(s, o)
		require.True(t, d.Write, policy)
		require.Equal(t, o.Now, next.Shifted, policy)
		require.Zero(t, next.Verified, policy)
	}
}
