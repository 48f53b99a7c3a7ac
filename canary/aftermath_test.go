package canary_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/metrics"
)

// beside is a judge that fails the canary, and tells how stable does once it is gone.
func beside(stable metrics.Counts, err error, asked *[]analysis.Request) func(*canary.Config) {
	return func(c *canary.Config) {
		c.Analyzer = judgeFunc(func(_ context.Context, r analysis.Request) (analysis.Result, error) {
			*asked = append(*asked, r)
			if r.Canary > 0 {
				return analysis.Result{Verdict: analysis.Fail, Reason: "too many errors"}, nil
			}
			return analysis.Result{Values: []analysis.Value{
				{Name: "server errors", Arm: "canary"}, {Name: "server errors", Arm: "stable", Counts: stable},
				{Name: "cores", Arm: "stable", Unit: "cores"},
			}}, err
		})
	}
}

// After a way back stable goes on being looked at, and the end says what that showed: whoever is
// on call learns whether the canary was the cause.
func TestARollbackSaysHowStableDoesSinceThen(t *testing.T) {
	var asked []analysis.Request
	counts := metrics.Counts{Bad: 30, Total: 100}
	story(t, twoSteps().ScrapeLag(20*time.Second).Settle(5*time.Second), func(t *testing.T, s *stage) {
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Equal(t, `the judge failed step "canary 10%": too many errors; since then: stable 30/100 (30.00%) server errors`, state.Reason)
		last := asked[len(asked)-1]
		require.Zero(t, last.Canary)
		require.Empty(t, last.Earlier, "that time alone")
		require.Equal(t, state.Shifted.Add(25*time.Second), last.Window.From)
		require.Equal(t, 50*time.Second, last.Window.Length(), "five looks")
		s.heard("stable has all traffic again, and is looked at")
		require.NotZero(t, asked[0].Canary)
	}, beside(counts, nil, &asked))

	story(t, twoSteps(), func(t *testing.T, s *stage) {
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Contains(t, state.Reason, "; how stable does since then is not known")
	}, beside(counts, errors.New("503"), &asked))
}

// After a way back from a promotion stable has the old version again: what it does then is not the
// new version's.
func TestAStableThatIsRestoredIsNotLookedAtAsPromoted(t *testing.T) {
	var asked []analysis.Request
	story(t, s2().Bake(10*time.Minute), func(t *testing.T, s *stage) {
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.True(t, slices.ContainsFunc(asked, func(r analysis.Request) bool { return r.Promoted }))
		last := asked[len(asked)-1]
		require.Empty(t, last.Earlier, "the look after the way back")
		require.True(t, last.PromotionBegan.IsZero())
	}, func(c *canary.Config) {
		c.Analyzer = judgeFunc(func(_ context.Context, r analysis.Request) (analysis.Result, error) {
			asked = append(asked, r)
			if r.Promoted {
				return analysis.Result{Verdict: analysis.Fail, Reason: "too many errors"}, nil
			}
			return analysis.Result{Verdict: analysis.Pass}, nil
		})
	})
}

// Where the canary had no traffic to be judged by, nothing is waited for.
func TestARollbackThatNobodySawIsOverAtOnce(t *testing.T) {
	plan := canary.NewPlan("p").Step(
		canary.Step{Traffic: canary.Traffic{Mirror: canary.Full}, Hold: time.Minute, Requires: canary.NoFailure},
		canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Minute, Requires: canary.Nothing})
	story(t, plan, func(t *testing.T, s *stage) {
		s.judge.Script = []canarytest.Ruling{undecided}
		s.turns(30 * time.Second)
		began := time.Now()
		s.send(canary.Command{Order: order.Abort})
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Zero(t, time.Since(began), "copies hurt nobody")
	})
}

func TestTheReasonOfAWayBackStaysLegible(t *testing.T) {
	var why = `5xx: canary 312/4021 (7.76%), stable 12/40980 (0.03%); that is 265 times the rate, at most 1.05 times is healthy`
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		state, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Contains(t, state.Reason, "312/4021 (7.76%), stable 12/40980")
	}, func(c *canary.Config) {
		c.Analyzer = judgeFunc(func(_ context.Context, r analysis.Request) (analysis.Result, error) {
			if r.Canary > 0 {
				return analysis.Result{Verdict: analysis.Fail, Reason: why}, nil
			}
			return analysis.Result{}, errors.New(`Post "http://prometheus.monitoring.svc.cluster.local:9090/api/v1/query": dial tcp: lookup prometheus.monitoring.svc.cluster.local: no such host`)
		})
	})
}

func TestALongLookDoesNotDelayTheEnd(t *testing.T) {
	var asked []analysis.Request
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		began := time.Now()
		_, err := s.run()
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Less(t, time.Since(began), 6*time.Minute)
	}, beside(metrics.Counts{Bad: 30, Total: 100}, nil, &asked), func(c *canary.Config) {
		c.Analyzer = looking{c.Analyzer, time.Hour}
	})
}

// looking is a judge that says how long a look of it is.
type looking struct {
	analysis.Analyzer
	look time.Duration
}

func (l looking) Look() time.Duration { return l.look }

// A fault that begins just before the last step is left, or in a promotion that takes no time, is
// found after three looks. Nobody would look at the new version later in a plan without a bake time.
func TestAFaultAtTheEndOfTheLastStepIsFoundBeforeTheRolloutIsOver(t *testing.T) {
	const look, lag = 15 * time.Second, 20 * time.Second
	for name, c := range map[string]struct {
		orders     bool // to promote
		look       time.Duration
		next, ends phase.Phase
		stays      time.Duration // in PromotingStable
	}{
		"a judge in looks":      {false, look, phase.RestoringStable, phase.RolledBack, 3 * look},
		"in long looks":         {false, 2 * time.Minute, phase.RestoringStable, phase.RolledBack, 6 * time.Minute},
		"a judge that has none": {false, 0, phase.Returning, phase.Promoted, 0},
		"an order to promote":   {true, look, phase.Returning, phase.Promoted, 0},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, s2().ScrapeLag(lag).Interval(time.Second), func(t *testing.T, s *stage) {
				if c.orders {
					s.turns(2 * time.Minute)
					s.send(canary.Command{Order: order.Promote})
				}
				state, _ := s.run()
				require.Equal(t, c.ends, state.Phase, state.Reason)
				at := map[phase.Phase]time.Time{}
				for _, e := range state.Trace {
					at[e.Phase] = e.At
				}
				require.InDelta(t, c.stays, at[c.next].Sub(at[phase.PromotingStable]), float64(2*time.Second))
			}, func(config *canary.Config) {
				config.Analyzer = looking{judgeFunc(func(_ context.Context, r analysis.Request) (analysis.Result, error) {
					if began := r.PromotionBegan; !began.IsZero() && r.Window.To.Sub(began) >= 3*cmp.Or(c.look, look) {
						return analysis.Result{Verdict: analysis.Fail, Reason: "too many errors"}, nil
					}
					return analysis.Result{Verdict: analysis.Pass}, nil
				}), c.look}
			})
		})
	}
}
