package canary_test

import (
	"context"
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

var worse = []canarytest.Ruling{{Verdict: analysis.Inconclusive, StableWorse: true, Reason: "stable itself has 30 % errors"}}

// hurt is a stage whose stable has become worse than its past, so that the canary has lost its
// users.
func hurt(t *testing.T, f func(*testing.T, *stage)) {
	t.Helper()
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.judge.Script = worse
		s.turns(20 * time.Second)
		read := s.read()
		require.Zero(t, read.Traffic)
		require.Equal(t, phase.Retreating, read.State.Phase)
		require.Equal(t, cause.StableWorse, read.State.Retreat.Cause)
		s.heard("stable itself has 30 % errors")
		f(t, s)
	})
}

// V17: a canary that hurts both goes back when stable recovers from it.
func TestACanaryThatHurtsBothGoesBackWhenStableIsWellAgain(t *testing.T) {
	hurt(t, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{undecided}
		began := time.Now()
		last, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Less(t, time.Since(began), 3*time.Minute)
		require.Contains(t, last.Reason, "stable is well again since it has all traffic, so the canary has hurt both: stable itself has 30 % errors")
	})
}

// If stable does not recover, or only later, somebody has to find out what hurts it. Nothing
// resumes by itself, and nothing lasts for ever.
func TestAStableThatStaysWorseHoldsTheRollout(t *testing.T) {
	hurt(t, func(t *testing.T, s *stage) {
		s.turns(20 * time.Minute)
		s.judge.Script = []canarytest.Ruling{undecided}
		s.turns(20 * time.Hour)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.heard("order a resume, or an abort")
		s.turnsFor(5 * time.Hour)
		require.Equal(t, phase.RolledBack, s.read().State.Phase)
	})
	hurt(t, func(t *testing.T, s *stage) {
		s.turns(20 * time.Minute)
		s.judge.Script = nil
		s.send(canary.Command{Order: order.Resume})
		s.promotes()
	})
	hurt(t, func(t *testing.T, s *stage) { // it stays worse, and people know why: it was night before
		s.turns(20 * time.Minute)
		s.send(canary.Command{Order: order.Resume})
		s.turns(5 * time.Minute)
		require.Equal(t, phase.Progressing, s.read().State.Phase)
		require.NotZero(t, s.read().Traffic)
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Pass, StableWorse: true}}
		s.turnsFor(2 * time.Hour)
		require.Equal(t, cause.StableWorse, s.read().State.Retreat.Cause, "the next step is another share")
	})
	hurt(t, func(t *testing.T, s *stage) { // nobody can look
		s.judge.Script = []canarytest.Ruling{unread}
		s.turns(20 * time.Hour)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
	})
}

// A promoted stable has the new version, and is worse for that.
func TestAPromotedStableIsNotComparedWithItsPast(t *testing.T) {
	story(t, s2().Bake(10*time.Minute), func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.Baking {
			s.turns(30 * time.Second)
		}
		s.judge.Script = worse
		s.promotes()
	})
}

// As many looks as showed that stable is worse have to show that it is well again, and they take the
// time that they take.
func TestAFewLooksDoNotShowThatStableIsWellAgain(t *testing.T) {
	for name, c := range map[string]struct {
		look  time.Duration
		worse bool
	}{
		"still worse": {15 * time.Second, true}, "well": {15 * time.Second, false}, "well, by long looks": {time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, twoSteps(), func(t *testing.T, s *stage) {
				if !c.worse {
					_, err := s.run()
					require.ErrorIs(t, err, canary.ErrRolledBack)
					return
				}
				s.turns(30 * time.Minute)
				require.Equal(t, phase.Retreating, s.read().State.Phase, s.read().State.Reason)
			}, func(config *canary.Config) { config.Analyzer = patient{c.look, c.worse} })
		})
	}
}

// A driver that looks every five minutes sees late that the mesh has moved the traffic, and then
// that stable is well.
func TestADriverThatSeldomLooksSeesThatStableIsWellAgain(t *testing.T) {
	story(t, twoSteps().Interval(5*time.Minute), func(t *testing.T, s *stage) {
		last, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Contains(t, last.Reason, "stable is well again")
	}, func(config *canary.Config) {
		config.Analyzer, config.Verifier = patient{15 * time.Second, false}, slowly{}
	})
}

// slowly is a mesh that takes a minute to move traffic.
type slowly struct{}

func (slowly) Verify(_ context.Context, _ canary.Traffic, since time.Time) (canary.Answer, error) {
	if time.Since(since) < time.Minute {
		return canary.Answer{Reply: canary.Wait}, nil
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

// patient is a judge that needs eight looks to see that stable is still worse.
type patient struct {
	look  time.Duration
	worse bool
}

func (p patient) Look() time.Duration { return p.look }

func (p patient) Analyze(_ context.Context, r analysis.Request) (analysis.Result, error) {
	seen := r.Canary > 0 || p.worse && r.Window.Length() >= 8*p.look
	return analysis.Result{Verdict: analysis.Inconclusive, StableWorse: seen, Reason: "stable itself has 5 % errors"}, nil
}
