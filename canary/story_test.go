package canary_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

// stage is a rollout with everything faked, in the virtual time of a synctest
// bubble.
type stage struct {
	t        *testing.T
	router   *canarytest.Router
	judge    *canarytest.Judge
	workload *canarytest.Workload
	runner   *canary.Runner
	mu       sync.Mutex
	said     []string // "phase step: reason" of every write and every new reason
}

func newStage(t *testing.T, plan canary.Plan, more ...func(*canary.Config)) *stage {
	s := &stage{t: t, router: new(canarytest.Router), judge: new(canarytest.Judge), workload: new(canarytest.Workload)}
	c := canary.Config{Plan: plan, Router: s.router, Analyzer: s.judge, Workload: s.workload, Observers: []canary.Observer{s.observe}}
	for _, f := range more {
		f(&c)
	}
	runner, err := canary.NewRunner(c)
	require.NoError(t, err)
	s.runner = runner
	return s
}

func (s *stage) observe(_ context.Context, e canary.Event) {
	line := fmt.Sprintf("%v: %v", e.After.Phase, e.Reason)
	if e.Err != nil {
		line = "error: " + e.Err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
}

// run drives until the rollout is over, which it must be within a quarter.
func (s *stage) run() (canary.State, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*24*time.Hour)
	defer cancel()
	state, err := s.runner.Run(ctx)
	require.NotErrorIs(s.t, err, context.DeadlineExceeded, "the story has no end")
	return state, err
}

// promotes runs the rollout, which must be promoted.
func (s *stage) promotes() canary.State {
	s.t.Helper()
	state, err := s.run()
	require.NoError(s.t, err)
	require.Equal(s.t, phase.Promoted, state.Phase)
	return state
}

// turns takes turns for as long as d, and returns the last State.
func (s *stage) turns(d time.Duration) canary.State {
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	state, err := s.runner.Run(ctx)
	require.ErrorIs(s.t, err, context.DeadlineExceeded)
	return state
}

func (s *stage) send(c canary.Command) {
	require.NoError(s.t, canary.Send(s.t.Context(), s.router, c))
}

func (s *stage) read() canary.Reading {
	r, err := s.router.Read(s.t.Context())
	require.NoError(s.t, err)
	return r
}

func (s *stage) heard(want string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Contains(s.t, strings.Join(s.said, "\n"), want)
}

// story runs f in a bubble of virtual time.
func story(t *testing.T, plan canary.Builder, f func(*testing.T, *stage), more ...func(*canary.Config)) {
	t.Helper()
	built := mustBuild(t, plan)
	synctest.Test(t, func(t *testing.T) { f(t, newStage(t, built, more...)) })
}

func rulings(vs ...analysis.Verdict) (script []canarytest.Ruling) {
	for _, v := range vs {
		script = append(script, canarytest.Ruling{Verdict: v, Reason: "the script says " + v.String()})
	}
	return script
}

func TestAHealthyCanaryIsPromotedStepByStep(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		began := time.Now()
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods"), canary.Wait.Because("2 of 3 pods"), {Reply: canary.Yes}}
		state := s.promotes()
		require.Zero(t, s.read().Traffic)
		require.True(t, s.workload.Promoted())
		require.Greater(t, time.Since(began), 6*time.Minute)
		require.Less(t, time.Since(began), 8*time.Minute)
		require.Equal(t, "stable is promoted", state.Reason)
		s.heard("PromotingStable: promoting stable: 2 of 3 pods")
		// Two writes begin and six steps are one each; promoting, returning and
		// the end are one each.
		require.Equal(t, 1+6+3, s.router.Writes())
	})
}

func TestABadCanaryIsRolledBackAtOnce(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Pass, analysis.Pass, analysis.Pass, analysis.Pass, analysis.Pass, analysis.Pass, analysis.Pass, analysis.Pass, analysis.Fail)
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorContains(t, err, `"reviews" rolled back: the judge failed step`)
		require.Equal(t, phase.RolledBack, state.Phase)
		require.Zero(t, s.read().Traffic)
		require.False(t, s.workload.Promoted())
	})
}

func TestLowTrafficHoldsAndIsNoReasonToRollBack(t *testing.T) {
	story(t, canary.NewPlan("p").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}}), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Reason: "no requests to the canary yet"}}
		state := s.turns(100 * time.Hour)
		require.Equal(t, phase.Progressing, state.Phase)
		s.heard("waiting for a verdict: no requests to the canary yet")
	})
}

func TestErrorsOfTheMetricStoreHoldUntilTheBlindLimit(t *testing.T) {
	step := canary.Step{Traffic: canary.Traffic{Canary: canary.Full}}
	down := []canarytest.Ruling{{Err: errors.New("prometheus is down")}}
	story(t, canary.NewPlan("p").Step(step).BlindLimit(2*time.Hour), func(t *testing.T, s *stage) {
		s.judge.Script = down
		require.Equal(t, phase.Progressing, s.turns(time.Hour).Phase)
		s.heard("judge error: prometheus is down")
	})
}

func TestADeadlineMeansWhatThePlanSays(t *testing.T) {
	after := func(action canary.OnDeadline, step int, ruling canarytest.Ruling, then func(t *testing.T, s *stage)) {
		steps := []canary.Step{{Name: "some", Traffic: canary.Traffic{Canary: 10 * percent}}, {Name: "all", Traffic: canary.Traffic{Canary: canary.Full}}}
		steps[step].Deadline, steps[step].OnDeadline = time.Minute, action
		story(t, canary.NewPlan("p").Step(steps...), func(t *testing.T, s *stage) {
			s.judge.Script = slices.Concat(slices.Repeat(rulings(analysis.Pass), step), []canarytest.Ruling{ruling})
			then(t, s)
		})
	}
	blind := canarytest.Ruling{Reason: "about 300 more requests"}
	unsure := canarytest.Ruling{Verdict: analysis.Inconclusive, Reason: "about 300 more requests"}
	back := func(t *testing.T, s *stage) {
		_, err := s.run()
		require.ErrorContains(t, err, "missed its deadline of 1m0s: waiting for a verdict: about 300 more requests")
	}
	paused := func(t *testing.T, s *stage) {
		s.turns(12 * time.Hour)
		require.NotZero(t, s.read().State.Paused)
		require.NotZero(t, s.read().Traffic.Canary)
		s.send(canary.Command{Order: order.Resume})
		s.turns(50 * time.Second)
		require.Zero(t, s.read().State.Paused, "the step has its time again")
		s.turns(20 * time.Second)
		require.NotZero(t, s.read().State.Paused)
		began := time.Now()
		_, err := s.run()
		require.ErrorContains(t, err, "paused for 24h0m0s: step ")
		require.Less(t, time.Since(began), 25*time.Hour)
	}
	after(canary.DeadlineRollBack, 0, blind, back)
	after(canary.DeadlineRollBack, 0, unsure, back)
	after(canary.DeadlineAdvance, 0, blind, back)
	after(canary.DeadlineAdvance, 1, blind, back)
	after(canary.DeadlineAdvance, 1, unsure, paused)
	after(canary.DeadlinePause, 0, blind, paused)
	after(canary.DeadlinePause, 0, unsure, paused)
	doubtful := unsure
	doubtful.Doubt = true
	after(canary.DeadlineAdvance, 0, doubtful, paused)
	after(canary.DeadlineAdvance, 0, unsure, func(t *testing.T, s *stage) {
		require.Equal(t, 1, s.turns(80*time.Second).Step)
		s.heard("moved on: unproven, inconclusive: about 300 more requests")
	})
}

func TestACanaryThatIsNotReadyGetsNoTraffic(t *testing.T) {
	full := canary.Step{Name: "all", Traffic: canary.Traffic{Canary: canary.Full}, Deadline: time.Hour}
	story(t, canary.NewPlan("p").Step(full), func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("0 of 3 replicas available")}
		state := s.turns(30 * time.Minute)
		require.Equal(t, phase.Preparing, state.Phase)
		require.Zero(t, s.read().Traffic)
		s.heard("waiting for capacity: 0 of 3 replicas available")
		_, err := s.run()
		require.ErrorContains(t, err, "missed its deadline of 1h0m0s: waiting for capacity", "the first step's deadline bounds the wait")
	})
	story(t, canary.NewPlan("p").Step(full), func(t *testing.T, s *stage) {
		s.workload.ReadyScript = []canary.Answer{canary.No.Because("image cannot be pulled")}
		_, err := s.run()
		require.ErrorContains(t, err, "the canary cannot take canary 100%: image cannot be pulled")
	})
	story(t, canary.NewPlan("p").Step(full), func(t *testing.T, s *stage) {
		s.workload.Before = func(string) error { return errors.New("forbidden") }
		s.turns(time.Minute)
		s.heard("waiting for capacity: no answer: forbidden")
	})
}

func TestARefusalBeforeTheCanaryHasTrafficEndsTheRun(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.Before = func(string) error { return fmt.Errorf("no such Deployment: %w", canary.ErrRefused) }
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRefused)
		require.ErrorContains(t, err, "no such Deployment")
		require.Zero(t, s.read().Traffic)
	})
}

// E18: what may come too early is tried again for half a minute, and ends the Run then.
func TestWhatIsMissingForAMomentDoesNotEndTheRun(t *testing.T) {
	for name, missing := range map[string]error{
		"a right":    fmt.Errorf("no right to read: %w", canary.ErrForbidden),
		"the object": fmt.Errorf("VirtualService shop/shop: %w", canary.ErrNotFound),
	} {
		t.Run(name, func(t *testing.T) { missingForAMoment(t, missing) })
	}
}

func missingForAMoment(t *testing.T, missing error) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		began := time.Now()
		s.router.BeforeRead = func() error {
			if time.Since(began) < 20*time.Second {
				return missing
			}
			return nil
		}
		s.promotes()
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		began := time.Now()
		s.router.BeforeRead = func() error { return missing }
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRefused)
		require.ErrorIs(t, err, missing)
		require.Equal(t, 31*time.Second, time.Since(began))
	})
}

// E18: an object that is deleted while users are on the canary ends no Run: whoever
// makes it anew gets the rollout back.
func TestAnObjectThatIsDeletedUnderWayEndsNoRun(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(5 * time.Second)
		require.NotZero(t, s.read().Traffic.Canary)
		gone := time.Now()
		s.router.BeforeRead = func() error {
			if time.Since(gone) < 10*time.Minute {
				return fmt.Errorf("VirtualService shop/shop: %w", canary.ErrNotFound)
			}
			return nil
		}
		s.promotes()
		s.heard("VirtualService shop/shop: not found")
	})
}

func TestARunThatIsStoppedSaysWhatItWaitedFor(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Reason: "no requests to the canary yet"}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := s.runner.Run(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `"reviews" is left as it is (Progressing, waiting for a verdict: no requests to the canary yet)`)
		s.router.BeforeRead = func() error { return errors.New("no such VirtualService") }
		ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = s.runner.Run(ctx)
		require.ErrorContains(t, err, "is left as it is (no such VirtualService)")
	})
}

func TestAStepThatThePlanVerifiesWaitsUntilTheMeshWasSeen(t *testing.T) {
	verifier := &canarytest.Verifier{Script: []canary.Answer{{Reply: canary.Yes}, canary.Wait.Because("one proxy still does stable only")}}
	story(t, canary.NewPlan("p").Verify().Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Minute}), func(t *testing.T, s *stage) {
		s.turns(time.Hour)
		s.heard("Progressing: verifying: one proxy still does stable only")
		verifier.Script = nil
		seen, before := time.Now(), len(s.judge.Asked())
		s.promotes()
		require.GreaterOrEqual(t, time.Since(seen), time.Minute)
		last := s.judge.Asked()[before:]
		require.False(t, last[len(last)-1].Window.From.Before(seen), "what counts begins when it was seen")
	}, func(c *canary.Config) { c.Verifier = verifier })
}

// E14: a plan that was over before is told from one that has just ended: since when it
// is over, and what to do for another release.
func TestAPlanThatWasOverBeforeIsToldAsSuch(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		_, err := s.run()
		require.NoError(t, err)
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrOver)
		require.EqualError(t, err, `canary: "reviews" is over already: Promoted since 2000-01-01T00:02:00Z; if this is another release, give the plan its revision by Plan.For`)
		require.Equal(t, phase.Promoted, state.Phase)
	})
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, mustBuild(t, twoSteps()).For("v2"))
		for range 2 {
			_, err := s.run()
			require.NoError(t, err, "it was this release")
		}
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.NotErrorIs(t, err, canary.ErrOver)
		_, err = s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorIs(t, err, canary.ErrOver)
		require.ErrorContains(t, err, "over already, since 2000-01-01T00:01:00Z; to try again order a retry, and give another release its revision by Plan.For")
	})
}
