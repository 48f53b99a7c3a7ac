package canary_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// Silence is not consent: a step that must not fail waits for a judge that sees,
// and goes on with one that sees too little to pass.
func TestAStepThatMustNotFailIsNotLeftBlindly(t *testing.T) {
	step := canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Requires: canary.NoFailure, Hold: time.Minute}
	for _, c := range []struct {
		verdict analysis.Verdict
		goesOn  bool
	}{{analysis.Blind, false}, {analysis.Inconclusive, true}, {analysis.Pass, true}, {analysis.Verdict(9), false}} {
		story(t, canary.NewPlan("p").Step(step), func(t *testing.T, s *stage) {
			s.judge.Script = []canarytest.Ruling{{Verdict: c.verdict, Blindness: analysis.FewRequests, Reason: "what it says"}}
			if c.goesOn {
				_, err := s.run()
				require.NoError(t, err, c.verdict)
				return
			}
			require.Equal(t, phase.Progressing, s.turns(100*time.Hour).Phase, c.verdict)
			s.heard("waiting for a verdict: what it says")
			s.judge.Script = rulings(analysis.Fail)
			_, err := s.run()
			require.ErrorIs(t, err, canary.ErrRolledBack)
		})
	}
}

func TestABlindStepGoesBackAtItsDeadline(t *testing.T) {
	step := canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Requires: canary.NoFailure, Hold: time.Minute, Deadline: time.Hour}
	story(t, canary.NewPlan("p").Step(step), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Reason: "no requests yet"}}
		_, err := s.run()
		require.ErrorContains(t, err, "missed its deadline of 1h0m0s: waiting for a verdict: no requests yet")
	})
}

// counting is a judge that carries how often it was asked.
type counting struct {
	canarytest.Judge
	look time.Duration
}

func (c *counting) Look() time.Duration { return c.look }

// What the judge carries is handed back by whoever drives next, what it knew when
// promotion began is kept apart, and nothing is written for its sake.
func TestTheJudgeIsHandedWhatItCarries(t *testing.T) {
	judge := &counting{look: time.Minute}
	judge.Script = []canarytest.Ruling{
		{Verdict: analysis.Inconclusive, Carry: []byte("first")}, {Verdict: analysis.Pass, Carry: []byte("passed")},
		{Verdict: analysis.Inconclusive, Carry: []byte("alone")},
	}
	plan := canary.NewPlan("p").End(canary.End{Kind: canary.PromoteStable}).
		Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Name: "all"})
	story(t, plan, func(t *testing.T, s *stage) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2"), canary.Wait.Because("1 of 2"), {Reply: canary.Yes}}
		state, err := s.run()
		require.NoError(t, err)
		asked := judge.Asked()
		require.Nil(t, asked[0].Carry)
		require.Nil(t, asked[1].Carry, "the first look was followed by no write")
		last := asked[len(asked)-1]
		require.Equal(t, "passed passed", string(last.Carry)+" "+string(last.Frozen))
		require.False(t, last.Promoted)
		require.Equal(t, state.Began, last.Began)
		require.Equal(t, state.Promotion, last.PromotionBegan)
		require.Equal(t, state.Promotion, last.StepBegan)
		require.True(t, asked[0].PromotionBegan.IsZero())
		require.False(t, asked[0].StepBegan.Before(asked[0].Began))
		require.Equal(t, "alone", string(state.Carry))
		require.Equal(t, "passed", string(state.Frozen))
		require.Equal(t, 5, s.router.Writes(), "begun, one step, promoting, returning, promoted")
	}, func(c *canary.Config) { c.Analyzer = judge })
}

func TestATooLongCarryTakesNothingFromTheVerdict(t *testing.T) {
	long := []byte(strings.Repeat("x", 513))
	story(t, canary.NewPlan("p").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}}), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive, Carry: long[1:]}, {Verdict: analysis.Fail, Carry: long}}
		s.turns(5 * time.Second)
		s.send(canary.Command{Order: order.Skip})
		_, err := s.run()
		require.ErrorContains(t, err, "(the judge wants to carry 513 bytes, and at most 512 can be)")
		require.ErrorIs(t, err, canary.ErrRolledBack)
	})
}

// An error is no look: what was carried before stays.
func TestAnErrorOfTheJudgeForgetsNothing(t *testing.T) {
	step := canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Requires: canary.NoFailure, Hold: time.Minute, LeaveGates: []string{"door"}}
	story(t, canary.NewPlan("p").Step(step), func(t *testing.T, s *stage) {
		known := canarytest.Ruling{Verdict: analysis.Pass, Carry: []byte("known")}
		s.judge.Script = append(slices.Repeat([]canarytest.Ruling{known}, 40), canarytest.Ruling{Err: errors.New("503")}) // there is a write in five minutes
		s.turns(10 * time.Minute)
		require.Equal(t, "known", string(s.read().State.Carry))
	})
}

// The looks of a block that is dropped are those of the judge, if it says how long
// they are.
func TestDroppedLooksAreTheJudges(t *testing.T) {
	for look, dropped := range map[time.Duration]int{0: 60, time.Minute: 10, time.Nanosecond: 1 << 30, -1: 60} {
		judge := &counting{look: look}
		steps := canary.NewPlan("p").ScrapeLag(time.Second).Interval(10 * time.Second)
		for i := range 50 {
			steps = steps.Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Weight(i+1) * canary.Percent}, Hold: 10 * time.Minute})
		}
		story(t, steps.Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}}), func(t *testing.T, s *stage) {
			_, err := s.run()
			require.NoError(t, err)
			asked := judge.Asked()
			require.InDelta(t, 2*min(dropped, 1<<29), asked[len(asked)-1].Dropped, float64(min(dropped/5, 1e8)), look)
		}, func(c *canary.Config) { c.Analyzer = judge })
	}
}

// The judge is asked for its look once, when the Runner is made.

func TestAJudgeThatCombinesIsAskedForItsMistakes(t *testing.T) {
	plan := mustBuild(t, canary.NewPlan("p").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}}))
	ok := analysis.AnalyzerFunc(func(context.Context, analysis.Request) (analysis.Result, error) { return analysis.Result{}, nil })
	for name, judge := range map[string]analysis.Analyzer{
		"all":    analysis.All(ok, analysis.Threshold{Max: 2}),
		"any":    analysis.Any(ok, analysis.All(analysis.Threshold{Max: 2})),
		"warmup": analysis.Warmup(time.Minute, analysis.Threshold{Max: 2}),
		"last":   analysis.Last(time.Minute, analysis.Threshold{Max: 2}),
	} {
		_, err := canary.NewRunner(canary.Config{Plan: plan, Router: new(canarytest.Router), Analyzer: judge})
		require.ErrorContains(t, err, "Max is 2", name)
	}
	_, err := canary.NewRunner(canary.Config{Plan: plan, Router: new(canarytest.Router), Analyzer: analysis.All(ok, nil)})
	require.ErrorContains(t, err, "analyzer 2 is nil")
}
