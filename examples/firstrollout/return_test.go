package firstrollout

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// Stable has been promoted. It gets a tenth of the traffic first, then a half, and then
// everything, and no request is lost.
func Example_returnInSteps() {
	mesh, parts := newShop()
	load := mesh.Load(1000, fake.Request{Host: "shop.shop"})
	plan, err := canary.NewPlan("shop").
		Settle(10*time.Millisecond).Interval(20*time.Millisecond).
		Weights(canary.List(20*canary.Percent, canary.Full), canary.Step{Hold: 50 * time.Millisecond, Requires: canary.Nothing}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).
		ReturnInSteps(50*time.Millisecond, 10*canary.Percent, 50*canary.Percent).
		Build()
	check(err)
	fmt.Println(plan)

	config := parts.Config(plan.For("v2"))
	config.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
		if e.Wrote && e.Before.Traffic != e.After.Traffic && e.After.Phase == phase.Returning {
			fmt.Println("stable gets", e.After.Traffic.Stable())
		}
	}}
	runner, err := canary.NewRunner(config)
	check(err)
	state, err := runner.Run(context.Background())
	check(err)
	fmt.Println(state.Phase, "and", load.Stop().Broken(), "requests were lost")
	// Output:
	// shop, settle 10ms, interval 20ms, on drift reassert, 5 times at most
	//    1  canary 20%     hold 50ms; requires nothing
	//    2  canary 100%    hold 50ms; requires nothing
	// then promote stable, deadline 1m0s; return by 10%, 50%, hold 50ms
	// stable gets 10%
	// stable gets 50%
	// stable gets 100%
	// Promoted and 0 requests were lost
}
