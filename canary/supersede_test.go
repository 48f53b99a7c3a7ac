package canary_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
)

// revised is a story with drivers of three revisions.
func revised(t *testing.T, f func(t *testing.T, s *stage, v2, v3 *canary.Runner)) {
	t.Helper()
	story(t, s2(), func(t *testing.T, s *stage) {
		plan := mustBuild(t, s2())
		f(t, s, s.driver(plan.For("v2")), s.driver(plan.For("v3")))
	})
}

// drives runs a driver for as long as d.
func (s *stage) drives(r *canary.Runner, d time.Duration) canary.State {
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	state, err := r.Run(ctx)
	require.ErrorIs(s.t, err, context.DeadlineExceeded)
	return state
}

// E12: the driver of v2 was killed at 20 %.
func TestANewerRevisionTakesThePlaceOfAnOlderOne(t *testing.T) {
	revised(t, func(t *testing.T, s *stage, v2, v3 *canary.Runner) {
		s.drives(v2, 90*time.Second)
		require.NotZero(t, s.read().Traffic.Canary)
		_, err := v3.Turn(t.Context())
		require.NoError(t, err)
		require.Zero(t, s.read().Traffic, "in one turn")
		state, err := v3.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, "v3", state.Revision)
		require.Equal(t, []string{"v2"}, state.Revisions)
		s.heard("RolledBack: over: abort by revision v3: it supersedes v2")
	})
}

func TestTwoLiveDriversOfTwoRevisionsEndInPeace(t *testing.T) {
	revised(t, func(t *testing.T, s *stage, v2, v3 *canary.Runner) {
		older := make(chan error, 1)
		go func() {
			_, err := v2.Run(t.Context())
			older <- err
		}()
		<-time.After(90 * time.Second)
		require.Equal(t, "v2", s.read().State.Revision)
		state, err := v3.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, "v3", state.Revision)
		err = <-older
		if !errors.Is(err, canary.ErrRolledBack) {
			require.ErrorIs(t, err, canary.ErrOtherPlan)
		}
		require.ErrorContains(t, err, "supersede")
	})
}

// A pipeline that runs once more for v2 does not stop v3.
func TestAnOlderRevisionDoesNotComeBackUnderANewerOne(t *testing.T) {
	revised(t, func(t *testing.T, s *stage, v2, v3 *canary.Runner) {
		_, err := v2.Run(t.Context())
		require.NoError(t, err)
		s.drives(v3, 90*time.Second)
		again := s.driver(mustBuild(t, s2()).For("v2"))
		_, err = again.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan)
		require.ErrorContains(t, err, `"reviews" (`)
		require.ErrorContains(t, err, "has superseded this rollout")
		_, err = v3.Run(t.Context())
		require.NoError(t, err)
		state, err := again.Run(t.Context())
		require.NoError(t, err, "when v3 is over, v2 is a release like any other")
		require.Equal(t, "v2", state.Revision)
		require.Equal(t, []string{"v3"}, state.Revisions)
	})
}

func TestARevisionThatHasChangedStableIsLetEnd(t *testing.T) {
	revised(t, func(t *testing.T, s *stage, v2, v3 *canary.Runner) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2")}
		require.Equal(t, phase.PromotingStable, s.drives(v2, 8*time.Minute).Phase)
		before := s.read()
		s.drives(v3, time.Minute)
		require.Equal(t, before, s.read(), "nothing of it is touched")
		s.heard(": revision v2 is PromotingStable; this one begins when that is over")
		s.workload.PromoteScript = nil
		_, err := v2.Run(t.Context())
		require.NoError(t, err)
		state, err := v3.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, "v3", state.Revision)
	})
	revised(t, func(t *testing.T, s *stage, v2, v3 *canary.Runner) {
		s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 2")}
		s.drives(v2, 8*time.Minute)
		_, err := v3.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrOtherPlan, "after an hour nobody seems to drive it")
	})
}

// Another release, another tool, and a plan without a revision are nobody's successor.
func TestOnlyARevisionOfTheSameReleaseSupersedes(t *testing.T) {
	for name, plan := range map[string]canary.Plan{
		"another owner": mustBuild(t, s2().Owner("stranger")).For("v3"),
		"no revision":   mustBuild(t, s2().Bake(time.Minute)),
		"another name":  mustBuild(t, canary.NewPlan("other").Owner("suite").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}})).For("v3"),
	} {
		t.Run(name, func(t *testing.T) {
			revised(t, func(t *testing.T, s *stage, v2, _ *canary.Runner) {
				s.drives(v2, 90*time.Second)
				before := s.read()
				_, err := s.driver(plan).Run(t.Context())
				require.ErrorIs(t, err, canary.ErrRefused)
				require.Equal(t, before, s.read())
			})
		})
	}
}

// Revisions come and go, and a State has room for a few of them.
func TestTheLastRevisionsAreRemembered(t *testing.T) {
	story(t, s2(), func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{undecided}
		plan := mustBuild(t, s2())
		for _, revision := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			s.drives(s.driver(plan.For(revision)), 2*time.Minute)
			require.Equal(t, revision, s.read().State.Revision)
		}
		require.Equal(t, []string{"b", "c", "d", "e", "f", "g", "h", "i"}, s.read().State.Revisions)
	})
}
