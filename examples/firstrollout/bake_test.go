package firstrollout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// All users have the new version when somebody finds that it loses orders. One command in the
// bake time brings the old version back.
func Example_undo() {
	mesh, parts := newShop()
	load := mesh.Load(1000, fake.Request{Host: "shop.shop"})
	plan, err := canary.NewPlan("shop").
		Settle(10*time.Millisecond).Interval(20*time.Millisecond).
		Weights(canary.List(20*canary.Percent, canary.Full), canary.Step{Hold: 50 * time.Millisecond, Requires: canary.Nothing}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).
		Bake(10 * time.Minute).
		Build()
	check(err)

	config := parts.Config(plan.For("v2"))
	baking := make(chan struct{})
	told := sync.OnceFunc(func() { close(baking) })
	config.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
		if e.After.Phase == phase.Baking {
			told()
		}
	}}
	runner, err := canary.NewRunner(config)
	check(err)
	ended := make(chan error)
	go func() {
		_, err := runner.Run(context.Background())
		ended <- err
	}()

	<-baking
	fmt.Println("users get", answered(mesh))
	check(canary.Send(context.Background(), parts.Router, canary.Command{Order: order.Abort, By: "ann", Why: "orders are lost"}))
	err = <-ended
	fmt.Println(err)
	fmt.Println("users get", answered(mesh), "and", load.Stop().Broken(), "requests were lost")

	err = canary.Send(context.Background(), parts.Router, canary.Command{Order: order.Abort})
	fmt.Println(errors.Is(err, canary.ErrNotNow), err)
	// Output:
	// users get shop:2
	// canary: "shop" rolled back: abort by ann: orders are lost
	// users get shop:1 and 0 requests were lost
	// true canary: not now: a rollout that is RolledBack cannot abort; possible: retry
}

// answered is the image of the pod that answers a request.
func answered(mesh *fake.Mesh) string {
	return mesh.Send(1, fake.Request{Host: "shop.shop"})[0].Image
}
