package canary_test

import (
	"context"
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

var stuck = []canary.Answer{canary.Wait.Because("web.shop sent 12 of 40 requests to the canary")}

// seenBy is a story with a Verifier that says Yes to everything at first.
func seenBy(t *testing.T, plan canary.Builder, f func(*testing.T, *stage, *canarytest.Verifier)) {
	t.Helper()
	v := new(canarytest.Verifier)
	story(t, plan, func(t *testing.T, s *stage) { f(t, s, v) }, func(c *canary.Config) { c.Verifier = v })
}

func aborted(s *stage) {
	s.turnsFor(30 * time.Second)
	s.send(canary.Command{Order: order.Abort, By: "ann", Why: "it fails"})
}

// E30, E40: "rolled back" is said when it was seen, however long that takes.
func TestARolloutIsNotOverBeforeTheCanaryIsQuiet(t *testing.T) {
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		s.turns(30 * time.Second)
		v.Script = stuck
		s.send(canary.Command{Order: order.Abort})
		require.Equal(t, phase.RollingBack, s.turns(72*time.Hour).Phase)
		s.heard("RollingBack: verifying: web.shop sent 12 of 40 requests to the canary")
		v.Script = nil
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.NotContains(t, err.Error(), "not seen quiet")
	})
}

func TestARolloutThatNobodyCanSeeEndsAndSaysSo(t *testing.T) {
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		aborted(s)
		v.Err = errors.New("prometheus is down")
		began := time.Now()
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorContains(t, err, "abort by ann: it fails; not seen quiet: no answer: prometheus is down")
		require.Equal(t, phase.RolledBack, state.Phase)
		require.InDelta(t, 15*time.Minute, time.Since(began), float64(time.Minute))
	})
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		aborted(s)
		v.Err = errors.New("prometheus is down")
		s.turns(10 * time.Minute)
		v.Err, v.Script = nil, stuck
		require.Equal(t, phase.RollingBack, s.turns(time.Hour).Phase, "it can be told, and is not so")
	})
}

func TestTheFirstShareWaitsForACanaryThatIsQuiet(t *testing.T) {
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		v.Script = stuck
		require.Equal(t, phase.Preparing, s.turns(time.Hour).Phase)
		s.heard("verifying: before the first share: web.shop sent 12 of 40 requests to the canary")
		v.Script = nil
		s.promotes()
	})
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		v.Err = errors.New("no requests")
		require.Equal(t, phase.Progressing, s.turns(time.Minute).Phase, "nobody is hurt by what nobody sends")
	})
}

// A step that was not seen has users on the canary all the same.
func TestAStepThatIsNotSeenIsJudged(t *testing.T) {
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		s.turns(time.Second)
		v.Script = stuck
		s.turns(time.Hour)
		require.Equal(t, 1, s.read().State.Step)
		s.heard("Progressing: verifying: web.shop sent")
		s.judge.Script = rulings(analysis.Fail)
		v.Script = nil
		_, err := s.run()
		require.ErrorContains(t, err, "the judge failed step")
	})
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		s.turns(time.Second)
		v.Err = errors.New("prometheus is down")
		s.judge.Script = []canarytest.Ruling{{Err: v.Err}}
		require.Equal(t, phase.Retreating, s.turns(2*time.Minute).Phase)
		require.Zero(t, s.read().Traffic)
	})
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		s.turns(time.Second)
		v.Script = stuck
		began := time.Now()
		s.turnsFor(25 * time.Hour)
		require.Equal(t, phase.RollingBack, s.read().State.Phase)
		require.Less(t, time.Since(began), 26*time.Hour)
		v.Script = nil
		_, err := s.run()
		require.ErrorContains(t, err, "not seen for 24h0m0s: web.shop sent")
	})
}

// What the judge learnt of traffic that was not as written is no memory of the step.
func TestAStepThatIsNotSeenLeavesNoEvidence(t *testing.T) {
	seenBy(t, twoSteps(), func(t *testing.T, s *stage, v *canarytest.Verifier) {
		v.Script = append([]canary.Answer{{Reply: canary.Yes}}, stuck...) // quiet before, and then never as written
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive, Carry: []byte("so far")}}
		s.turns(10 * time.Minute)
		s.send(canary.Command{Order: order.Pause})
		s.turns(time.Minute)
		require.NotZero(t, s.read().State.Paused)
		require.NotEmpty(t, s.judge.Asked())
		for _, r := range s.judge.Asked() {
			require.Nil(t, r.Carry)
			require.Empty(t, r.Earlier)
		}
	})
}

// blindVerifier has a store that may be away.
type blindVerifier struct{ away *bool }

func (v blindVerifier) Verify(context.Context, canary.Traffic, time.Time) (canary.Answer, error) {
	if *v.away {
		return canary.Answer{}, errors.New("503")
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

// The store is away from Returning on. That users are on a version that nobody can judge counts
// from then, also if the judge of the bake time has nothing to ask for at first.
func TestAStoreThatIsAwayIsBorneOnce(t *testing.T) {
	away := false
	story(t, smallPlan().ScrapeLag(30*time.Second).Bake(time.Hour), func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.Returning {
			s.turns(10 * time.Second)
		}
		away = true
		began := time.Now()
		for s.read().State.Phase != phase.RestoringStable {
			s.turns(10 * time.Second)
		}
		require.Less(t, time.Since(began), 20*time.Minute, "one error limit")
	}, func(c *canary.Config) {
		c.Verifier = blindVerifier{&away}
		c.Analyzer = looking{judgeFunc(func(_ context.Context, r analysis.Request) (analysis.Result, error) {
			switch {
			case r.Window.Length() < 30*time.Second:
				return analysis.Result{Blindness: analysis.FewRequests, Reason: "the first look is not over"}, nil
			case away:
				return analysis.Result{}, errors.New("503")
			}
			return analysis.Result{Verdict: analysis.Pass, Reason: "as good as stable"}, nil
		}), 30 * time.Second}
	})
}
