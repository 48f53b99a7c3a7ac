package canary_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// What an attack on the engine did to users. Each is held to what is right.

func TestARunThatWasSupersededEndsAndRollsNothingOutAgain(t *testing.T) {
	for _, way := range []string{"adopt", "abort"} {
		t.Run(way, func(t *testing.T) {
			story(t, s2(), func(t *testing.T, s *stage) {
				ended := make(chan error, 1)
				go func() { _, err := s.runner.Run(t.Context()); ended <- err }()
				time.Sleep(95*time.Second + 500*time.Millisecond)
				require.NotZero(t, s.read().Traffic.Canary)
				v3 := s.driver(mustBuild(t, s2()).For("v3"))
				if way == "adopt" {
					require.NoError(t, v3.AdoptAt(t.Context(), 1, canary.Command{By: "ci"}))
				} else {
					s.send(canary.Command{Order: order.Abort, Why: "v2 loses orders"})
				}
				state, err := v3.Run(t.Context())
				require.NoError(t, err)
				require.Equal(t, "v3", state.Revision)
				require.Error(t, <-ended)
				_, err = s.runner.Turn(t.Context())
				require.ErrorIs(t, err, canary.ErrOtherPlan)
				require.ErrorContains(t, err, "has superseded this rollout, and is Promoted")
				require.Equal(t, "v3", s.read().State.Revision)
			})
		})
	}
}

func TestAWorkloadThatErrsGivesTheCanaryNoMore(t *testing.T) {
	deaf := func(s *stage) {
		s.workload.Before = func(method string) error {
			if method == "Restore" {
				return fmt.Errorf("no right to patch Deployments: %w", canary.ErrForbidden)
			}
			return nil
		}
	}
	for name, turnBack := range map[string]func(*stage){
		"aborted over ruins": func(s *stage) { s.router.Corrupt("{"); s.router.Abort("v2 is bad") },
		"failed when recalled": func(s *stage) {
			s.router.Corrupt("")
			s.turns(5 * time.Second)
			require.True(s.t, s.read().State.Recalled)
			s.judge.Script = rulings(analysis.Fail)
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, s2(), func(t *testing.T, s *stage) {
				s.turns(90 * time.Second)
				deaf(s)
				turnBack(s)
				state := s.turns(10 * time.Minute)
				require.Equal(t, phase.RestoringStable, state.Phase)
				require.Equal(t, 20*percent, s.read().Traffic.Canary)
				if name == "failed when recalled" {
					s.turns(10 * time.Minute)
					require.Equal(t, phase.RestoringStable, s.read().State.Phase)
					require.Zero(t, s.read().Traffic)
					s.workload.Before = nil
					_, err := s.run()
					require.ErrorContains(t, err, "stable cannot be restored, and the canary is no better (fail): no answer: no right to patch Deployments")
					require.Zero(t, s.read().Traffic)
					return
				}
				s.turns(time.Hour)
				require.Equal(t, 20*percent, s.read().Traffic.Canary, "it may be the better one")
				s.workload.Before = nil
				_, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
			})
		})
	}
}

func TestNoCommandTakesAnAbortAway(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		s.router.Abort("users lose orders")
		for _, c := range []canary.Command{{Order: order.Pause}, {Order: order.Skip}, {Order: order.Promote}, {Order: order.Approve, Gate: "x"}} {
			err := canary.Send(t.Context(), s.router, c)
			require.ErrorIs(t, err, canary.ErrNotNow)
			require.ErrorContains(t, err, "an abort is ordered by annotation: users lose orders")
		}
		require.ErrorIs(t, s.runner.AdoptAt(t.Context(), 1, canary.Command{}), canary.ErrNotNow)
		_, err := s.run()
		require.ErrorContains(t, err, "users lose orders")

		s.router.Abort("again")
		_, err = s.driver(mustBuild(t, s2()).For("v3")).Run(t.Context())
		require.NoError(t, err)
		s.heard("an abort came too late, the rollout is over: again")
	})
}

func TestAStateFromMemoryDoesNotStepBack(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		s.router.Corrupt("")
		s.turns(5 * time.Second)
		require.True(t, s.read().State.Recalled)
		require.ErrorIs(t, canary.Send(t.Context(), s.router, canary.Command{Order: order.StepBack}), canary.ErrNotNow)
	})
}

func TestPromoteWaitsForNothingButAFailingJudgeRollsBack(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}, canary.Wait.Because("1 of 10 pods")}
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.Promote})
		s.turns(time.Hour)
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorContains(t, err, "the judge failed step")
	})
	story(t, s2().End(canary.End{Kind: canary.PromoteStable, HoldOnFailure: true}), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.No.Because("quota")}
		s.turns(90 * time.Second)
		s.send(canary.Command{Order: order.Promote})
		require.Equal(t, phase.PromotingStable, s.turns(time.Hour).Phase)
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorContains(t, err, "the judge failed step")
		require.False(t, s.workload.Promoted())
	})
	gated := twoSteps().Step(canary.Step{Name: "end", Traffic: canary.Traffic{Canary: canary.Full}, EnterGates: []string{"cab"}})
	story(t, gated, func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.Promote})
		s.promotes()
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}, canary.Wait.Because("1 of 10 pods")}
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.Promote})
		s.turns(time.Second)
		s.send(canary.Command{Order: order.StepBack, Why: "too early"})
		require.False(t, s.turns(time.Minute).PromoteNow)
	})
}

func TestALostAnswerEndsNoRunWhileUsersAreOnTheCanary(t *testing.T) {
	refusal := fmt.Errorf("two rules lead to stable: %w", canary.ErrRefused)
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		var dead atomic.Bool
		s.router.AfterWrite = func() error {
			if s.router.Writes() == 2 { // the one that enters the first step
				dead.Store(true)
				time.AfterFunc(time.Hour, func() { dead.Store(false) })
				return errors.New("connection reset")
			}
			return nil
		}
		s.router.BeforeRead = func() error {
			if dead.Load() {
				return refusal
			}
			return nil
		}
		_, err := s.run()
		require.NoError(t, err)
	})
	story(t, s2(), func(t *testing.T, s *stage) { // the driver of v3 turns v2 back
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2")}
		s.workload.RestoreScript = []canary.Answer{canary.Wait.Because("1 of 2"), canary.Wait.Because("1 of 2"), {Reply: canary.Yes}}
		require.Equal(t, phase.PromotingStable, s.turns(8*time.Minute).Phase)
		s.send(canary.Command{Order: order.Abort})
		reads := 0
		s.router.BeforeRead = func() error {
			if reads++; 3 < reads && reads < 20 {
				return refusal
			}
			return nil
		}
		state, err := s.driver(mustBuild(t, s2()).For("v3")).Run(t.Context())
		s.workload.PromoteScript = nil
		require.NoError(t, ignore(err, context.DeadlineExceeded))
		require.Equal(t, "v3", state.Revision)
	}, func(c *canary.Config) { c.Plan = mustBuild(t, s2()) })
}

func ignore(err, one error) error {
	if errors.Is(err, one) || errors.Is(err, canary.ErrRolledBack) {
		return nil
	}
	return err
}

func TestAConflictOfAWorkloadIsNoHotLoopAndNoEndOfDeadlines(t *testing.T) {
	for name, err := range map[string]error{"conflict": canary.ErrConflict, "forged": canary.FencedError{Serial: 1 << 60}, "at the end of numbers": canary.FencedError{Serial: math.MaxInt64}} {
		for _, method := range []string{"Ready", "Promote"} {
			t.Run(name+" of "+method, func(t *testing.T) {
				story(t, s2(), func(t *testing.T, s *stage) {
					n := 0
					s.workload.Before = func(m string) error {
						if m != method {
							return nil
						}
						n++
						return err
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					_, err := s.runner.Run(ctx)
					if method == "Promote" {
						require.ErrorIs(t, err, canary.ErrRolledBack, "by the deadline of the end")
					}
					require.Less(t, n, 400)
				})
			})
		}
	}
}

func TestWhatHappensInTheBakeTimeEnds(t *testing.T) {
	story(t, s2().Bake(time.Hour), func(t *testing.T, s *stage) {
		require.Equal(t, phase.Baking, s.turns(10*time.Minute).Phase)
		s.workload.ReadyScript = []canary.Answer{canary.No.Because("its pod template is not the one that the rollout began with")}
		s.send(canary.Command{Order: order.Abort, Why: "orders are lost"})
		_, err := s.run()
		require.ErrorContains(t, err, "orders are lost; stable is restored under its traffic, because the canary cannot take it")
		require.False(t, s.workload.Promoted())
		require.Zero(t, s.read().Traffic)
	})
	story(t, s2().Bake(time.Hour).DriftLimit(1), func(t *testing.T, s *stage) {
		require.Equal(t, phase.Baking, s.turns(10*time.Minute).Phase)
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("scaled to zero")}
		for range 5 {
			s.router.Meddle(canary.Traffic{Canary: 50 * percent})
			s.turns(time.Minute)
			require.Zero(t, s.read().Traffic, "it goes back however often it is changed")
		}
	})
}

func TestAStrangerWhoTurnsBackLocksNobodyOut(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2")}
		require.Equal(t, phase.PromotingStable, s.turns(8*time.Minute).Phase)
		s.router.Abort("help")
		e, err := s.driver(mustBuild(t, s2().Owner("stranger"))).Turn(t.Context()) // and then it is gone
		require.NoError(t, err)
		require.Equal(t, phase.RestoringStable, e.After.Phase)
		_, err = s.driver(mustBuild(t, s2())).Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.False(t, s.workload.Promoted())
	})
}

// stubborn is a Prerequisite that is never taken down.
type stubborn struct{}

func (stubborn) Ensure(context.Context, canary.Question) (canary.Answer, error) {
	return canary.Answer{Reply: canary.Yes}, nil
}
func (stubborn) Cleanup(context.Context, canary.Question) (canary.Answer, error) {
	return canary.Wait.Because("the finalizer of a subset"), nil
}

func TestADriverWithoutAPrerequisiteLeavesCleaningUp(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turns(90 * time.Second)
		s.send(canary.Command{Order: order.Abort})
		require.Equal(t, phase.CleaningUp, s.turns(time.Minute).Phase)
		_, err := s.driver(mustBuild(t, s2())).Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
	}, func(c *canary.Config) { c.Prerequisites = []canary.Prerequisite{stubborn{}} })
}

func TestEverythingOnTheCanaryIsJudgedBeforeStableIsPromoted(t *testing.T) {
	story(t, half(canary.PromoteStable).ScrapeLag(time.Minute), func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.CompletingShift {
			s.turns(5 * time.Second)
		}
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorContains(t, err, "the judge failed step")
		require.Zero(t, s.workload.Calls("Promote"))
	})
}

func TestARetreatHeedsAPauseAndUsesUpNoDeadline(t *testing.T) {
	plan := canary.NewPlan("p").Weights(canary.List(10*percent, canary.Full), canary.Step{Hold: time.Minute, Deadline: 10 * time.Minute})
	story(t, plan, func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}, canary.Wait.Because("0 of 2 pods"), {Reply: canary.Yes}}
		s.turns(30 * time.Second)
		s.send(canary.Command{Order: order.StepBack})
		s.turns(time.Hour)
		s.send(canary.Command{Order: order.Pause, Why: "no, wait"})
		s.turns(time.Minute)
		s.send(canary.Command{Order: order.Resume})
		s.turns(time.Minute)
		require.Zero(t, s.read().Traffic, "the pause is over, the retreat is not")
		s.send(canary.Command{Order: order.Resume})
		_, err := s.run()
		require.NoError(t, err)
	})
}

func TestARevisionIsNeverCutAndAPlanNeverChanges(t *testing.T) {
	plan := mustBuild(t, s2())
	long := strings.Repeat("registry/", 20)
	require.NotEqual(t, plan.For(long+"a").Digest(), plan.For(long+"b").Digest())
	require.NotEqual(t, plan.For("v1\n").Digest(), plan.For("v1\t").Digest())
	gates := []string{"a"}
	plan = mustBuild(t, twoSteps().Step(canary.Step{Name: "end", Traffic: canary.Traffic{Canary: canary.Full}, LeaveGates: gates}))
	gates[0] = "b"
	for _, step := range plan.Steps() {
		if len(step.LeaveGates) > 0 {
			require.Equal(t, []string{"a"}, step.LeaveGates)
			step.LeaveGates[0] = "c"
		}
	}
	for _, step := range plan.Steps() {
		require.NotContains(t, step.LeaveGates, "c")
	}
	_, err := twoSteps().Settle(math.MaxInt64).Build()
	require.ErrorContains(t, err, "is more than a hundred years")
}

func TestErrorsOfTheJudgeStopNoDeadline(t *testing.T) {
	for _, action := range []canary.OnDeadline{canary.DeadlineRollBack, canary.DeadlineAdvance} { // errors are not evidence
		step := canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Deadline: 5 * time.Minute, OnDeadline: action}
		story(t, canary.NewPlan("p").BlindLimit(time.Hour).Step(step), func(t *testing.T, s *stage) {
			s.judge.Script = []canarytest.Ruling{{Err: errors.New("503")}}
			began := time.Now()
			_, err := s.run()
			require.ErrorIs(t, err, canary.ErrRolledBack)
			require.Less(t, time.Since(began), 6*time.Minute)
		})
	}
}

// A rollout may step back and go on as often as people want.
func TestStepsBackAreRememberedWithinBounds(t *testing.T) {
	plan := canary.NewPlan("p").Settle(time.Second).Step(canary.Step{Traffic: canary.Traffic{Canary: 50 * percent}, Hold: time.Hour},
		canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})
	story(t, plan, func(t *testing.T, s *stage) {
		s.turnsFor(time.Minute)
		for range 20 {
			s.send(canary.Command{Order: order.StepBack})
			s.turnsFor(time.Minute)
			require.Equal(t, phase.Retreating, s.read().State.Phase)
			require.Zero(t, s.read().Traffic)
			s.send(canary.Command{Order: order.Resume})
			s.turnsFor(time.Minute)
			require.Equal(t, phase.Progressing, s.read().State.Phase)
		}
		require.Len(t, s.read().State.Retreat.Resumed, 9)
		_, err := s.run()
		require.NoError(t, err)
	})
}

// Who steps back when the steps are over already goes on from the last one.
func TestAStepBackAfterTheStepsBeginsTheLastOneAgain(t *testing.T) {
	plan := canary.NewPlan("p").Settle(time.Minute).Step(canary.Step{Traffic: canary.Traffic{Canary: 50 * percent}, Hold: time.Minute}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Hour})
	story(t, plan, func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.CompletingShift {
			s.turnsFor(10 * time.Second)
		}
		s.send(canary.Command{Order: order.StepBack})
		s.turnsFor(time.Hour)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.send(canary.Command{Order: order.Resume})
		s.turnsFor(90 * time.Second)
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
		s.promotes()
	})
}

// E26: an object that has no room for the whole State has it for the smallest one.
func TestAFailingCanaryIsTurnedBackOnAnObjectWithoutRoom(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.turnsFor(4 * time.Minute)
		require.NotZero(t, s.read().Traffic.Canary)
		full := s.encoded(s.read().State)
		s.router.Room = full - 200
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Zero(t, s.read().Traffic)
	})
}

// E8, E24: whatever error the Workload has, a promotion comes to an end, also without a
// deadline, and no error makes the driver turn without a pause.
func TestAPromotionThatOnlyErrsIsRolledBack(t *testing.T) {
	for name, err := range map[string]error{
		"forbidden": canary.ErrForbidden, "refused": canary.ErrRefused, "unreachable": errors.New("503"),
		"conflict": canary.ErrConflict, "fenced": canary.FencedError{Serial: 5},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, twoSteps().End(canary.End{Kind: canary.PromoteStable}), func(t *testing.T, s *stage) {
				s.workload.Before = func(method string) error {
					if method == "Promote" {
						return fmt.Errorf("no right to patch Deployments: %w", err)
					}
					return nil
				}
				for s.read().State.Phase != phase.PromotingStable {
					s.turns(10 * time.Second)
				}
				began, turns := time.Now(), len(s.said)
				_, rolled := s.run()
				require.ErrorContains(t, rolled, "stable could not be promoted: for 15m0s: no answer: no right to patch Deployments")
				require.InDelta(t, 15*time.Minute, time.Since(began), float64(2*time.Minute))
				require.Less(t, len(s.said)-turns, 120, "a turn in ten seconds")
			})
		})
	}
	story(t, twoSteps().End(canary.End{Kind: canary.PromoteStable}).ErrorLimit(time.Hour), func(t *testing.T, s *stage) {
		began := time.Now()
		s.workload.Before = func(method string) error {
			if method == "Promote" && time.Since(began) < 40*time.Minute {
				return errors.New("503")
			}
			return nil
		}
		s.promotes()
	})
	story(t, twoSteps().End(canary.End{Kind: canary.PromoteStable}), func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods")}
		for s.read().State.Phase != phase.PromotingStable {
			s.turns(10 * time.Second)
		}
		s.judge.Script = []canarytest.Ruling{{Err: errors.New("prometheus is down")}}
		_, err := s.run()
		require.ErrorContains(t, err, "no readings for 15m")
	})
}
