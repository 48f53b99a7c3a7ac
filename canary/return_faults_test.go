package canary_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// The hold of a share begins when the mesh was seen to do it.
func TestAShareIsHeldFromWhenItWasSeen(t *testing.T) {
	verifier := new(canarytest.Verifier)
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		verifier.Script = []canary.Answer{canary.Wait.Because("one proxy does the old weights")}
		s.turns(40 * time.Minute)
		require.Equal(t, 90*percent, s.read().Traffic.Canary)
		s.heard("one proxy does the old weights")
		verifier.Script = nil
		s.turns(time.Minute)
		status := mustBuild(t, inSteps()).Status(s.read().State, time.Now())
		require.Equal(t, s.read().State.Verified.Add(20*time.Minute), status.Until)
		require.Regexp(t, "^10% at 0s, 50% at (19|20)m0s, 100% at 4[01]m0s$", s.shares())
	}, func(c *canary.Config) { c.Verifier = verifier })
}

// hungStore is a judge whose store may hang until the time of the call is over.
type hungStore struct {
	analysis.Analyzer
	hangs bool
}

func (h *hungStore) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	if !h.hangs {
		return h.Analyzer.Analyze(ctx, r)
	}
	<-ctx.Done()
	return analysis.Result{}, ctx.Err()
}

// The store of the judge hangs in mid-return: stable gets no more until it answers. An order to
// promote does not wait for it.
func TestAReturnHoldsWhileTheStoreHangs(t *testing.T) {
	judge := new(hungStore)
	config := func(c *canary.Config) { judge.Analyzer, c.Analyzer = c.Analyzer, judge }
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(19 * time.Minute)
		judge.hangs = true
		s.turns(10 * time.Minute)
		require.Equal(t, 90*percent, s.read().Traffic.Canary)
		judge.hangs = false
		s.turns(time.Minute)
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
		judge.hangs = true
		s.turns(5 * time.Minute)
		s.send(canary.Command{Order: order.Promote})
		s.turns(time.Minute)
		require.Zero(t, s.read().Traffic)
		judge.hangs = false
		s.promotes()
	}, config)
}

// An admission webhook refuses each write for some minutes: the share comes late, and no other.
func TestARefusedShareIsWrittenLater(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(20 * time.Minute)
		s.router.BeforeWrite = func() error { return fmt.Errorf("no changes on a Friday: %w", canary.ErrRefused) }
		s.turns(10 * time.Minute)
		require.Equal(t, 90*percent, s.read().Traffic.Canary)
		s.heard("no changes on a Friday")
		s.router.BeforeWrite = nil
		require.Equal(t, "10% at 0s, 50% at 0s, 100% at 21m0s", s.shares())
		s.promotes()
	})
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		_, err := s.run()
		require.ErrorContains(t, err, "unreachable for 15m0s: no changes on a Friday")
	}, func(c *canary.Config) { c.Router = halfRefused{c.Router} })
}

// halfRefused is a Router that refuses one half.
type halfRefused struct{ canary.Router }

func (r halfRefused) Write(ctx context.Context, reading canary.Reading, traffic canary.Traffic, s canary.State) error {
	if traffic.Canary == 50*percent {
		return fmt.Errorf("no changes on a Friday: %w", canary.ErrRefused)
	}
	return r.Router.Write(ctx, reading, traffic, s)
}

// Behind a point of no return a failing judge holds the share and calls people, and nothing goes
// back.
func TestAReturnBehindAPointOfNoReturnHolds(t *testing.T) {
	plan := canary.NewPlan("reviews").Settle(time.Minute).Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Minute, NoReturn: true}).
		End(canary.End{Kind: canary.PromoteStable}).ReturnInSteps(20*time.Minute, 10*percent, 50*percent)
	stepwise(t, plan, func(t *testing.T, s *stage) {
		s.turns(15 * time.Minute)
		s.judge.Script = rulings(analysis.Fail)
		s.turns(time.Hour)
		require.Equal(t, 90*percent, s.read().Traffic.Canary)
		s.heard("behind the point of no return: the judge failed")
		s.judge.Script = nil
		s.turns(20 * time.Second)
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
		s.promotes()
	})
}

// A newer revision lets the return end.
func TestANewerRevisionWaitsForAReturnInSteps(t *testing.T) {
	plan := func(revision string) canary.Plan { return mustBuild(t, inSteps()).For(revision) }
	story(t, inSteps(), func(t *testing.T, s *stage) {
		driver := func(revision string) *canary.Runner {
			r, err := canary.NewRunner(canary.Config{Plan: plan(revision), Router: s.router, Analyzer: s.judge, Workload: s.workload})
			require.NoError(t, err)
			return r
		}
		s.runner = driver("v2")
		for s.read().State.Phase != phase.Returning {
			s.turns(10 * time.Second)
		}
		next := driver("v3")
		for range 20 {
			e, err := next.Turn(t.Context())
			require.NoError(t, err)
			require.Contains(t, e.Reason.String(), "revision v2 is Returning; this one begins when that is over")
			s.turns(time.Minute)
		}
		s.promotes()
		_, err := next.Turn(t.Context())
		require.NoError(t, err)
		require.Equal(t, "v3", s.read().State.Revision)
	})
}

// Stable is not ready to take anything, and the canary dies: it gets everything all the same.
func TestACanaryThatDiesWhileStableWaitsForPodsGivesEverything(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.workload.Shortfall = canary.Full
		s.turns(40 * time.Minute)
		require.Equal(t, 90*percent, s.read().Traffic.Canary)
		s.workload.AliveScript = noPods
		s.turns(20 * time.Second)
		require.Zero(t, s.read().Traffic)
	})
}

// The canary's pods went with its traffic: stable is restored under its own when the canary cannot
// take it within the error limit.
func TestAReturnThatTurnsBackAsksWhetherTheCanaryIsReady(t *testing.T) {
	stepwise(t, inSteps(), func(t *testing.T, s *stage) {
		s.turns(30 * time.Minute)
		require.Equal(t, 50*percent, s.read().Traffic.Canary)
		s.workload.ReadyScript = []canary.Answer{canary.Wait.Because("5 of 10 pods are ready")}
		s.judge.Script = rulings(analysis.Fail)
		s.turns(10 * time.Minute)
		require.Equal(t, 50*percent, s.read().Traffic.Canary, "nothing moves meanwhile")
		s.heard("before stable is restored, the canary must take the traffic: 5 of 10 pods are ready")
		s.workload.ReadyScript = nil
		s.turns(20 * time.Second)
		s.heard("RestoringStable: turned back: the judge failed step")
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
	})
}
