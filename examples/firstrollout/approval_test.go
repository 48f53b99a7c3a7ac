package firstrollout

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/routing"
)

// Somebody tries the canary by a header, before it has any traffic, and approves it.
func Example_approval() {
	mesh, parts := newShop()
	for version, image := range map[string]string{"one": "shop:1", "two": "shop:2"} {
		mesh.Handle(image, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "version ", version) }))
	}
	plan, err := canary.NewPlan("shop").Interval(20 * time.Millisecond).HeaderRoutes().
		Step(canary.Step{
			Traffic: canary.Traffic{Canary: 20 * canary.Percent}, Hold: 50 * time.Millisecond, Requires: canary.Nothing,
			EnterGates: []string{"tried by ann"},
		}).
		End(canary.End{Kind: canary.Discard}).
		Build()
	check(err)

	config := parts.Config(plan.For("v2"))
	closed := make(chan struct{})
	told := sync.OnceFunc(func() { close(closed) })
	config.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
		if e.Reason.Cause == cause.Gate {
			told()
		}
	}}
	runner, err := canary.NewRunner(config)
	check(err)
	ended := make(chan canary.State)
	go func() {
		state, err := runner.Run(context.Background())
		check(err)
		ended <- state
	}()

	<-closed
	reading, err := parts.Router.Read(context.Background()) // any process can do this
	check(err)
	fmt.Println(plan.For("v2").Status(reading.State, time.Now()))
	fmt.Println("ann gets", try(mesh, "canary"))
	fmt.Println("users get", try(mesh, ""))
	check(canary.Send(context.Background(), parts.Router, canary.Command{Order: order.Approve, Gate: "tried by ann", By: "ann"}))
	fmt.Println((<-ended).Phase)
	// Output:
	// shop v2: Preparing, next step 1 of 1 "canary 20%", canary 0%, header routes; waits until the canary is ready, and for the gates tried by ann; orders: pause, abort, approve
	// ann gets version two
	// users get version one
	// Discarded
}

// try sends a request with the header that chooses a version.
func try(mesh *fake.Mesh, version string) string {
	r := httptest.NewRequest(http.MethodGet, "http://shop.shop/", nil)
	if version != "" {
		r.Header.Set(routing.ArmHeader, version)
	}
	w := httptest.NewRecorder()
	mesh.Entry(fake.Source{}).ServeHTTP(w, r)
	return w.Body.String()
}
