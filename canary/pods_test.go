package canary_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
)

const (
	restarted = "canary v2: container app (OOMKilled) restarted 9 times in 3 pods"
	twoImages = "canary v2: container app runs different images under the name app:2"
)

// The judge sees nothing wrong: requests are tried again on other pods.
func TestACanaryWhosePodsShowThatItIsBadRollsBack(t *testing.T) {
	for name, traffic := range map[string]canary.Traffic{"a share": {Canary: 10 * percent}, "copies": {Mirror: canary.Full}} {
		t.Run(name, func(t *testing.T) {
			plan := canary.NewPlan("reviews").Step(canary.Step{Traffic: traffic, Hold: time.Hour, Requires: canary.NoFailure}).End(canary.End{Kind: canary.Discard})
			story(t, plan, func(t *testing.T, s *stage) {
				s.turns(5 * time.Minute)
				s.workload.Failed = restarted
				began := time.Now()
				_, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
				require.ErrorContains(t, err, restarted)
				require.Zero(t, s.read().Traffic)
				require.Less(t, s.read().State.Shifted.Sub(began), 20*time.Second, "in the turn that sees it")
			})
		})
	}
}

// In the bake time of a promotion both run the same version, and the canary has no users.
func TestPodsThatFailTheCanaryCountUntilStableRunsItsVersion(t *testing.T) {
	stays := canary.NewPlan("reviews").Weights(canary.List(10*percent, canary.Full), canary.Step{Hold: 10 * time.Minute}).Bake(30 * time.Minute)
	promotes := canary.NewPlan("reviews").Weights(canary.List(10*percent, 95*percent), canary.Step{Hold: 10 * time.Minute}).Bake(30 * time.Minute).End(canary.End{Kind: canary.PromoteStable})
	for _, c := range []struct {
		plan canary.Builder
		at   phase.Phase
		back bool
	}{
		{stays, phase.Baking, true}, {promotes, phase.CompletingShift, true}, {promotes, phase.PromotingStable, true}, {promotes, phase.Baking, false},
	} {
		t.Run(c.at.String(), func(t *testing.T) {
			story(t, c.plan, func(t *testing.T, s *stage) {
				s.workload.PromoteScript = []canary.Answer{canary.Wait.Because("1 of 3 pods"), canary.Wait.Because("2 of 3 pods"), {Reply: canary.Yes}}
				for s.read().State.Phase != c.at {
					s.turns(time.Second)
				}
				s.workload.Failed = restarted
				if !c.back {
					s.promotes()
					return
				}
				_, err := s.run()
				require.ErrorIs(t, err, canary.ErrRolledBack)
				require.ErrorContains(t, err, restarted)
				require.False(t, s.workload.Promoted())
				require.Zero(t, s.read().Traffic)
			})
		})
	}
}

// A canary that has lost its pods need not wait for them when they show that it is bad.
func TestARetreatEndsWhenThePodsFailTheCanary(t *testing.T) {
	holding(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.AliveScript = noPods
		s.turns(time.Minute)
		require.Equal(t, phase.Retreating, s.read().State.Phase)
		s.workload.Failed = restarted
		_, err := s.run()
		require.ErrorContains(t, err, restarted)
	})
}

// forgets what was said so far.
func (s *stage) forgets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = nil
}

func TestANoticeIsToldWhileItLastsAndChangesNothingElse(t *testing.T) {
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.Notice = twoImages
		s.turns(time.Minute)
		s.heard("; " + twoImages)
		s.workload.Notice = ""
		s.forgets()
		s.promotes()
		s.mu.Lock()
		defer s.mu.Unlock()
		require.NotContains(t, strings.Join(s.said, "\n"), twoImages)
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.Notice = twoImages
		state := s.promotes()
		require.NotContains(t, state.Reason, twoImages)
	})
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.workload.Notice = twoImages
		s.judge.Script = rulings(analysis.Fail)
		_, err := s.run()
		require.ErrorContains(t, err, "the judge failed step")
		s.heard("; " + twoImages)
	})
}
