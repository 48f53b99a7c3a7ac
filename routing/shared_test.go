package routing_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/routing"
)

const sharedGateway = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: gw, namespace: prod, annotations: {of: somebody}}
spec:
  hosts: [shop.example.com]
  http:
  - {name: cart, match: [{uri: {prefix: /cart}}], route: [{destination: {host: cart, subset: v1}}]}
  - {name: pay, match: [{uri: {prefix: /pay}}], route: [{destination: {host: pay, subset: v1}}]}
`

// runner is that of a plan with the first step at 20 % for an hour, for rules
// that lead to a host.
func (w world) runner(t *testing.T, plan, id, host string, rules ...string) (*canary.Runner, *routing.Router) {
	target := routing.Target{Namespace: "prod", Name: "gw", ID: id, Arms: subsets(host)}
	for _, r := range rules {
		target.Rules = append(target.Rules, routing.Rule{Name: r})
	}
	router := routing.NewRouter(renderer(t, target).Object(w.client.VirtualServices("prod")))
	p, err := canary.NewPlan(plan).Step(canary.Step{Requires: canary.Nothing, Hold: time.Hour, Traffic: share(20)}).
		End(canary.End{Kind: canary.Discard}).Build()
	require.NoError(t, err)
	r, err := canary.NewRunner(canary.Config{Plan: p, Router: router})
	require.NoError(t, err)
	return r, router
}

// turns takes so many, and returns the last.
func turns(t *testing.T, r *canary.Runner, n int) (e canary.Event, err error) {
	for range n {
		if e, err = r.Turn(t.Context()); err != nil {
			return e, err
		}
	}
	return e, err
}

// shares is what the arms of a rule of the shared object have.
func (w world) shares(t *testing.T, rule string) string { return w.document(t, "gw").weights(t, rule) }

// Two services whose rules stand in one VirtualService have a rollout each (E13):
// neither sees, stops or undoes the other's.
func TestServicesThatShareAnObjectHaveARolloutEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sharedGateway)
		cart, cartRouter := w.runner(t, "cart-2", "", "cart", "cart")
		pay, payRouter := w.runner(t, "pay-2", "", "pay", "pay")
		for _, r := range []*canary.Runner{cart, pay, cart, pay} {
			_, err := turns(t, r, 1)
			require.NoError(t, err)
		}
		require.Equal(t, "v1 80, v2 20", w.shares(t, "cart"))
		require.Equal(t, "v1 80, v2 20", w.shares(t, "pay"))

		// An abort is obeyed by whom it is for, whichever way it comes.
		require.NoError(t, canary.Send(t.Context(), cartRouter, canary.Command{Order: order.Abort, Why: "orders are lost"}))
		e, err := turns(t, pay, 3)
		require.NoError(t, err)
		require.Equal(t, phase.Progressing, e.After.Phase)
		_, err = cart.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Equal(t, "v1 0", w.shares(t, "cart"))
		require.Equal(t, "v1 80, v2 20", w.shares(t, "pay"))

		require.NoError(t, w.Update(virtualServices, "prod", "gw", func(o map[string]any) {
			o["metadata"].(map[string]any)["annotations"].(map[string]any)[routing.AbortAnnotation("pay")] = "so are payments"
		}))
		_, err = pay.Run(t.Context())
		require.ErrorContains(t, err, "so are payments")
		require.Equal(t, "v1 0", w.shares(t, "pay"))

		for _, r := range []*routing.Router{cartRouter, payRouter} {
			reading, err := r.Read(t.Context())
			require.NoError(t, err)
			require.Equal(t, phase.RolledBack, reading.State.Phase)
		}
		require.Len(t, w.document(t, "gw").typed(t).Annotations, 3, "two States, and what somebody wrote: %v", w.document(t, "gw").typed(t).Annotations)
	})
}

// A reset forgets the rollout of its own target and nothing else.
func TestAResetIsOfOneTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sharedGateway)
		cart, _ := w.runner(t, "cart-2", "", "cart", "cart")
		pay, payRouter := w.runner(t, "pay-2", "", "pay", "pay")
		for _, r := range []*canary.Runner{cart, pay} {
			_, err := turns(t, r, 3)
			require.NoError(t, err)
		}
		require.NoError(t, cart.Reset(t.Context()))
		require.Equal(t, "v1 0", w.shares(t, "cart"))
		reading, err := payRouter.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, phase.Progressing, reading.State.Phase)
		require.Equal(t, share(20), reading.Traffic)
	})
}

// Two targets that claim one rule are told apart by their names, and the second one
// is refused before it has any traffic.
func TestOneRuleIsSteeredByOneTarget(t *testing.T) {
	for name, c := range map[string]struct {
		first, second []string // rules
	}{
		"the same":            {[]string{"cart"}, []string{"cart"}},
		"one of two":          {[]string{"cart", "pay"}, []string{"pay"}},
		"two, of which one":   {[]string{"pay"}, []string{"cart", "pay"}},
		"both, the other way": {[]string{"pay", "cart"}, []string{"cart", "pay"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sharedGateway)
				require.NoError(t, w.Update(virtualServices, "prod", "gw", func(o map[string]any) {
					for _, r := range o["spec"].(map[string]any)["http"].([]any) {
						r.(map[string]any)["route"].([]any)[0].(map[string]any)["destination"].(map[string]any)["host"] = "shop"
					}
				}))
				first, _ := w.runner(t, "one", "first", "shop", c.first...)
				second, router := w.runner(t, "two", "second", "shop", c.second...)
				_, err := turns(t, second, 1)
				require.NoError(t, err, "nobody steers it yet")
				_, err = turns(t, first, 3)
				require.NoError(t, err)
				_, err = turns(t, second, 3)
				require.ErrorIs(t, err, canary.ErrRefused)
				require.ErrorIs(t, err, routing.ErrTaken)
				require.ErrorContains(t, err, `target "first", according to annotation serin-go.github.io/first.original; wait until its rollout has ended or abort it with annotation serin-go.github.io/first.abort; if there is no such rollout, remove annotation serin-go.github.io/first.original`)
				require.Equal(t, "v1 80, v2 20", w.shares(t, c.first[0]))

				require.ErrorIs(t, canary.Send(t.Context(), router, canary.Command{Order: order.Abort}), routing.ErrTaken)

				// The first one goes on, and then the second one is free to begin.
				state, err := first.Run(t.Context())
				require.NoError(t, err)
				require.Equal(t, phase.Discarded, state.Phase)
				state, err = second.Run(t.Context())
				require.NoError(t, err)
				require.Equal(t, phase.Discarded, state.Phase)
			})
		})
	}
}

func TestAnIDNamesAnAnnotation(t *testing.T) {
	long := strings.Repeat("a", 54)
	for _, id := range []string{"a", "reviews", "reviews.other", "0-1", long} {
		_, err := routing.NewHTTP(routing.Target{Namespace: "prod", Name: "reviews", ID: id, Arms: subsets("reviews")})
		require.NoError(t, err, id)
	}
	for _, id := range []string{"A", "-a", "a-", "a/b", "a b", "ä", long + "a", "subsets", "a.abort", "a.original", "."} {
		_, err := routing.NewHTTP(routing.Target{Namespace: "prod", Name: "reviews", ID: id, Arms: subsets("reviews")})
		require.ErrorContains(t, err, "ID: "+fmt.Sprintf("%q", id))
	}
	for host, want := range map[string]string{
		"reviews": "reviews", "reviews.prod.svc.cluster.local": "reviews", "reviews.other.svc.cluster.local": "reviews.other.svc.cluster.local",
	} {
		h := renderer(t, routing.Target{Namespace: "prod", Name: "reviews", Arms: subsets(host)})
		require.Equal(t, want, h.Object(nil).ID)
	}
	// Whichever of two services serves, it is the same.
	for _, arms := range []routing.Arms{
		{Stable: routing.Destination{Host: "shop-blue"}, Canary: routing.Destination{Host: "shop-green"}},
		{Stable: routing.Destination{Host: "shop-green"}, Canary: routing.Destination{Host: "shop-blue"}},
	} {
		require.Equal(t, "shop-blue", renderer(t, routing.Target{Namespace: "prod", Name: "reviews", Arms: arms}).Object(nil).ID)
		own := routing.Target{Namespace: "prod", Name: "reviews", Rules: []routing.Rule{{Name: "a", Arms: arms}}}
		require.Equal(t, "shop-blue", renderer(t, own).Object(nil).ID)
	}
}

// Nobody's claim is a claim: originals that somebody left, or wrote, stop nobody,
// and nothing stops a rollout with live traffic from going back.
func TestAClaimIsOfARolloutUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sharedGateway)
		claim := func(state any) {
			require.NoError(t, w.Update(virtualServices, "prod", "gw", func(o map[string]any) {
				a := o["metadata"].(map[string]any)["annotations"].(map[string]any)
				a[routing.OriginalAnnotation("other")] = `[{"rule":"cart","stable":"x/y","arms":[-1,-1,-1],"sum":100}]`
				delete(a, routing.StateAnnotation("other"))
				if state != nil {
					a[routing.StateAnnotation("other")] = state
				}
			}))
		}
		cart, router := w.runner(t, "cart-2", "", "cart", "cart")
		claim(nil)
		_, err := turns(t, cart, 1)
		require.ErrorIs(t, err, routing.ErrTaken, "another object may have its State")
		require.ErrorContains(t, err, "if there is no such rollout, remove annotation serin-go.github.io/other.original")
		claim("what nobody can read")
		_, err = turns(t, cart, 1)
		require.ErrorIs(t, err, routing.ErrTaken, "it may be one")
		idle, err := canary.State{}.MarshalJSON()
		require.NoError(t, err)
		claim(string(idle))
		_, err = turns(t, cart, 2)
		require.NoError(t, err, "none that has begun")
		require.Equal(t, "v1 80, v2 20", w.shares(t, "cart"))
		claim("what nobody can read")
		require.NoError(t, canary.Send(t.Context(), router, canary.Command{Order: order.Abort}))
		_, err = cart.Run(t.Context())
		require.ErrorIs(t, err, routing.ErrTaken, "what the rule shows from now on is of the other one")
		require.Equal(t, "v1 0", w.shares(t, "cart"))
		claim(string(idle))
		_, err = cart.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
	})
}

// A follower shows whose rule it is by the originals alone, and so does an object
// whose State is kept under another name.
func TestARuleOfAFollowerIsTakenAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sharedGateway, strings.ReplaceAll(sharedGateway, "name: gw", "name: mesh"))
		object := func(name, id string, canaryVersion string) routing.Object[networking.VirtualService] {
			to := routing.Target{Namespace: "prod", Name: name, ID: id, Rules: []routing.Rule{{Name: "cart"}}, Arms: subsets("cart")}
			to.Arms.Canary.Subset = canaryVersion
			return renderer(t, to).Object(w.client.VirtualServices("prod"))
		}
		unnamed := object("mesh", "first", "v2")
		unnamed.ID = ""
		for _, first := range []*routing.Router{
			routing.NewRouter(object("mesh", "first", "v2"), object("gw", "first", "v2")), routing.NewRouter(unnamed, object("gw", "first", "v2")),
		} {
			write(t, first, share(20))
			for _, name := range []string{"gw", "mesh"} {
				_, err := routing.NewRouter(object(name, "second", "v3")).Read(t.Context())
				require.ErrorIs(t, err, routing.ErrTaken, name)
			}
			write(t, first, canary.Traffic{})
			_, err := routing.NewRouter(object("gw", "second", "v3")).Read(t.Context())
			require.NoError(t, err)
		}
	})
}
