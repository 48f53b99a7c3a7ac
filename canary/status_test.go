package canary_test

import (
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

func ExampleRecommended() {
	plan, err := canary.Recommended("shop").Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan)
	// Output:
	// shop, settle 10s, scrape lag 30s, interval 10s, bake 10m0s, on drift reassert, 5 times at most
	//    1  canary 5%     hold 10m0s; requires pass
	//    2  canary 20%    hold 10m0s; requires pass
	//    3  canary 50%    hold 10m0s; requires pass
	//    4  canary 95%    hold 10m0s; requires pass
	// then promote stable, deadline 15m0s
}

func TestTheRecommendedPlanPromotesAndCanBeVaried(t *testing.T) {
	story(t, canary.Recommended("shop"), func(t *testing.T, s *stage) {
		s.promotes()
	})
	own := mustBuild(t, canary.Recommended("shop", canary.Percent, 30*canary.Percent))
	require.Equal(t, 2, own.Len())
	plan := mustBuild(t, canary.Recommended("shop").HeaderRoutes().End(canary.End{Kind: canary.Discard}).Bake(0))
	require.Contains(t, plan.String(), "then discard")
}

// At every moment of a rollout its Status says what the State tells.
func TestAStatusSaysWhereARolloutIs(t *testing.T) {
	plan := twoSteps().Settle(10 * time.Second).Bake(time.Hour)
	story(t, plan, func(t *testing.T, s *stage) {
		p := mustBuild(t, plan)
		status := func() string { return p.Status(s.read().State, time.Now()).String() }
		require.Equal(t, "Idle, stable only; not begun", status())
		s.judge.Script = []canarytest.Ruling{{Verdict: analysis.Inconclusive}}
		s.turns(5 * time.Second)
		require.Equal(t, `reviews: Progressing, step 1 of 2 "canary 10%", canary 10%; waits for the mesh to apply the traffic until 2000-01-01T00:00:10Z; orders: pause, abort, promote, skip, step back`, status())
		s.turns(10 * time.Second)
		require.Contains(t, status(), "; waits for the end of the hold until 2000-01-01T00:01:10Z; ")
		s.turns(time.Minute)
		require.Contains(t, status(), `canary 10%; waits for the judge; orders: `)
		s.send(canary.Command{Order: order.Pause, Why: "lunch"})
		s.turns(time.Minute)
		require.Contains(t, status(), "; paused: pause: lunch until 2000-01-02T00:01:15Z; orders: resume, abort, ")
		s.send(canary.Command{Order: order.Resume})
		s.send(canary.Command{Order: order.Abort})
		s.turns(time.Second)
		require.Contains(t, status(), "RollingBack, stable only; waits for the mesh to apply the traffic until")
		_, err := s.run()
		require.Error(t, err)
		require.Equal(t, "reviews: RolledBack, stable only; over: abort; orders: retry", status())
	})
	story(t, plan, func(t *testing.T, s *stage) {
		for s.read().State.Phase != phase.Baking {
			s.turns(time.Minute)
		}
		state := s.read().State
		status := mustBuild(t, plan).Status(state, time.Now().Add(time.Minute))
		require.Equal(t, "waits for the end of the bake time", status.Waits)
		require.Equal(t, state.Baked.Add(time.Hour), status.Until)
		require.Equal(t, []order.Order{order.Abort}, status.Orders)

		// Of the rollout of another plan it says what needs no plan.
		other := mustBuild(t, half(canary.Discard)).Status(state, time.Now())
		require.Equal(t, "reviews: Baking, canary 100%; orders: abort", other.String())
	})
}

// While a rollout waits for an approval, its Status names the gate and the deadline.
func TestAStatusNamesTheGatesBeforeTheFirstStep(t *testing.T) {
	plan := canary.NewPlan("pay").HeaderRoutes().End(canary.End{Kind: canary.Discard}).
		Step(canary.Step{Traffic: canary.Traffic{Canary: 5 * percent}, EnterGates: []string{"ann", "bob"}, Deadline: 2 * time.Hour})
	story(t, plan, func(t *testing.T, s *stage) {
		s.turns(time.Minute)
		p := mustBuild(t, plan)
		require.Equal(t, `pay: Preparing, next step 1 of 1 "canary 5%", canary 0%, header routes; waits until the canary is ready, and for the gates ann, bob until 2000-01-01T02:00:00Z; orders: pause, abort, approve`,
			p.Status(s.read().State, time.Now()).String())
		s.send(canary.Command{Order: order.Approve, Gate: "ann"})
		s.turns(time.Minute)
		require.Contains(t, p.Status(s.read().State, time.Now()).String(), "the gates bob until")
	})
}
