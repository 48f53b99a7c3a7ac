package routing_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

const gatewayRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: gateway, namespace: prod}
spec:
  hosts: [reviews.example.com]
  gateways: [front]
  http:
  - name: b
    route:
    - destination: {host: reviews, subset: v1}
      weight: 100
`

const virtualServices = "virtualservices.networking.istio.io"

func (w world) withFollower(t *testing.T) *routing.Router {
	return routing.NewRouter(w.object(t, "reviews", "b"), w.object(t, "gateway", "b"))
}

// patching lets the n-th patch of an object meet the fault; 0 is every one.
func patching(w world, name string, n int, f apiserver.Fault) (remove func()) {
	seen := 0
	return w.Hook(func(c apiserver.Call) apiserver.Fault {
		if c.Verb != "patch" || c.Name != name {
			return nil
		}
		if seen++; n != 0 && n != seen {
			return nil
		}
		return f
	})
}

func TestTheRouterKeepsTheContract(t *testing.T) {
	for name, router := range map[string]func(world) canary.Router{
		"one object":  func(w world) canary.Router { return routing.NewRouter(w.object(t, "reviews", "b")) },
		"two objects": func(w world) canary.Router { return w.withFollower(t) },
		"copies of all requests": func(w world) canary.Router {
			to := ofB
			to.Mirror = everyMethod
			return routing.NewRouter(renderer(t, to).Object(w.client.VirtualServices("prod")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, canarytest.TestRouter(t.Context(), func(context.Context) (one, two canary.Router, err error) {
				w := newWorld(t, twoRules, gatewayRules)
				return router(w), router(w), nil
			}))
		})
	}
}

func TestAllObjectsGetTheTrafficAndOnlyTheLeadTheState(t *testing.T) {
	w := newWorld(t, twoRules, gatewayRules)
	before := spec(t, w.document(t, "gateway"))
	r := w.withFollower(t)
	write(t, r, share(20))
	require.Equal(t, "v1 80, v2 20", w.document(t, "reviews").weights(t, "b"))
	require.Equal(t, "v1 80, v2 20", w.document(t, "gateway").weights(t, "b"))
	require.NotContains(t, w.document(t, "gateway").typed(t).Annotations, routing.StateAnnotation("reviews"))

	w.ResetRequests()
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	state := reading.State
	state.Serial++
	require.NoError(t, r.Write(t.Context(), reading, share(20), state))
	require.Equal(t, 1, w.Requests()[apiserver.Request{Verb: "patch", Resource: virtualServices}], "a follower that shows the traffic is not written")

	write(t, r, canary.Traffic{})
	require.JSONEq(t, before, spec(t, w.document(t, "gateway")))
}

// The complaint: two VirtualServices in one rollout, the second write fails and
// the first stays changed.
func TestTwoVirtualServicesWhereTheSecondWriteFails(t *testing.T) {
	for name, fault := range map[string]apiserver.Fault{
		"error": apiserver.ServerError(), "lost": apiserver.Lose(), "conflict": apiserver.Conflict(),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, twoRules, gatewayRules)
			r := w.withFollower(t)
			write(t, r, share(10))
			reading, err := r.Read(t.Context())
			require.NoError(t, err)

			remove := patching(w, "gateway", 0, fault)
			err = r.Write(t.Context(), reading, share(20), progressing(share(20), 2))
			remove()
			require.Error(t, err)
			require.NotErrorIs(t, err, canary.ErrConflict, "it would promise that nothing was changed")
			require.ErrorContains(t, err, "routing: VirtualService prod/gateway: ")
			require.ErrorContains(t, err, "(VirtualService prod/reviews is already changed)")

			reading, err = r.Read(t.Context())
			require.NoError(t, err)
			require.Equal(t, share(20), reading.State.Traffic)
			require.Equal(t, share(10), reading.Traffic, "the follower is seen as drift")

			require.NoError(t, r.Write(t.Context(), reading, share(20), progressing(share(20), 3)))
			require.Equal(t, "v1 80, v2 20", w.document(t, "gateway").weights(t, "b"))
		})
	}
}

func TestAFollowerThatSomebodyChangesMeanwhileCatchesUp(t *testing.T) {
	w := newWorld(t, twoRules, gatewayRules)
	r := w.withFollower(t)
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Update(virtualServices, "prod", "gateway", func(o map[string]any) {
		o["spec"].(document)["exportTo"] = []any{"."}
	}))
	require.NoError(t, r.Write(t.Context(), reading, share(20), progressing(share(20), 1)))
	require.Equal(t, "v1 80, v2 20", w.document(t, "gateway").weights(t, "b"))
	require.Equal(t, []string{"."}, w.document(t, "gateway").typed(t).Spec.ExportTo)
}

func TestAFollowerIsLeftToTheDriverWhoWroteLater(t *testing.T) {
	w := newWorld(t, twoRules, gatewayRules)
	r := w.withFollower(t)
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	first := true
	defer w.Hook(func(c apiserver.Call) apiserver.Fault {
		if c.Verb == "patch" && c.Name == "gateway" && first {
			first = false
			write(t, w.withFollower(t), share(50)) // before the patch of the first driver
		}
		return nil
	})()
	require.NoError(t, r.Write(t.Context(), reading, share(20), progressing(share(20), 1)))
	require.Equal(t, "v1 50, v2 50", w.document(t, "gateway").weights(t, "b"))
	require.Equal(t, "v1 50, v2 50", w.document(t, "reviews").weights(t, "b"))
}

func TestAFollowerThatCannotShowTheTrafficStopsAllWrites(t *testing.T) {
	w := newWorld(t, twoRules, gatewayRules)
	require.NoError(t, w.Update(virtualServices, "prod", "gateway", func(o map[string]any) {
		rule := o["spec"].(document)["http"].([]any)[0].(document)
		rule["mirror"] = document{"host": "log"}
	}))
	r := w.withFollower(t)
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	before := w.document(t, "reviews")
	err = r.Write(t.Context(), reading, canary.Traffic{Mirror: 1}, progressing(canary.Traffic{Mirror: 1}, 1))
	require.ErrorIs(t, err, routing.ErrForeignMirror)
	require.Equal(t, before, w.document(t, "reviews"))
}

func TestAFollowerThatIsGoneOrWrongIsTold(t *testing.T) {
	w := newWorld(t, twoRules, gatewayRules)
	require.NoError(t, w.Delete(virtualServices, "prod", "gateway"))
	reading, err := w.withFollower(t).Read(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, reading.Trouble, `VirtualService prod/gateway: virtualservices.networking.istio.io "gateway" not found`)

	w = newWorld(t, twoRules, gatewayRules)
	reading, err = routing.NewRouter(w.object(t, "reviews", "b"), w.object(t, "gateway", "other")).Read(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, reading.Trouble, routing.ErrNoRule)
}

// E7: a follower that is out of reach keeps nobody from judging, and from turning
// the others back.
func TestAFollowerOutOfReachKeepsNothingFromTurningBack(t *testing.T) {
	gone := func(t *testing.T, w world) func() {
		require.NoError(t, w.Delete(virtualServices, "prod", "gateway"))
		return func() {}
	}
	for name, c := range map[string]struct {
		breaks func(*testing.T, world) (mend func())
		ends   bool // the way back is over while the follower is out of reach
	}{
		"it is deleted": {gone, true},
		"its API answers 500": {func(_ *testing.T, w world) func() {
			return w.Hook(func(c apiserver.Call) apiserver.Fault {
				if c.Name == "gateway" {
					return apiserver.ServerError()
				}
				return nil
			})
		}, false},
		"its rule is there twice": {func(t *testing.T, w world) func() {
			http := func(change func([]any) []any) {
				require.NoError(t, w.Update(virtualServices, "prod", "gateway", func(o map[string]any) {
					s := o["spec"].(document)
					s["http"] = change(s["http"].([]any))
				}))
			}
			http(func(r []any) []any { return append(r, r[0]) })
			return func() { http(func(r []any) []any { return r[:1] }) }
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, twoRules, gatewayRules)
				r := w.withFollower(t)
				judge := &canarytest.Judge{Script: []canarytest.Ruling{{Verdict: analysis.Inconclusive, Reason: "few requests"}}}
				plan, err := canary.NewPlan("p").Step(canary.Step{Traffic: share(10), Hold: time.Minute}).End(canary.End{Kind: canary.Discard}).Build()
				require.NoError(t, err)
				runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: r, Analyzer: judge})
				require.NoError(t, err)
				turn := func() canary.Event {
					e, err := runner.Turn(t.Context())
					require.NoError(t, err)
					time.Sleep(max(e.Wait, time.Second))
					return e
				}
				for turn().After.Phase != phase.Progressing {
				}
				mend := c.breaks(t, w)
				e := turn()
				require.True(t, e.Judged, "it is judged all the same")
				require.Equal(t, cause.Unreachable, e.Reason.Cause)
				require.Contains(t, e.Reason.String(), "VirtualService prod/gateway")

				require.NoError(t, canary.Send(t.Context(), r, canary.Command{Order: order.Abort}))
				e = turn()
				require.Equal(t, phase.RollingBack, e.After.Phase)
				require.NotContains(t, w.document(t, "reviews").weights(t, "b"), "v2", "the lead is back at once")
				for range 10 {
					e = turn()
				}
				require.Equal(t, c.ends, e.Done, e.Reason)
				mend()
				for !turn().Done {
				}
				if !c.ends {
					require.Equal(t, "v1 100", w.document(t, "gateway").weights(t, "b"), "what was owed is done")
				}
			})
		})
	}
}

// What somebody did to a rule meanwhile may leave no room for header routes: that keeps
// no object from going back, neither the lead nor a follower.
func TestHeaderRoutesKeepNoObjectFromGoingBack(t *testing.T) {
	for name, change := range map[string]func(spec document){
		"the rule matches on the header": func(s document) {
			for _, r := range s["http"].([]any) {
				if r := r.(document); r["name"] == "b" {
					r["match"] = []any{document{"headers": document{routing.ArmHeader: document{"exact": "gold"}}}}
				}
			}
		},
		"it becomes a delegate": func(s document) { delete(s, "hosts"); delete(s, "gateways") },
		"it is deleted":         nil,
		"the routes are gone": func(s document) {
			s["http"] = slices.DeleteFunc(s["http"].([]any), func(r any) bool { return r.(document)["match"] != nil })
		},
	} {
		for _, part := range []string{"reviews", "gateway"} {
			t.Run(name+" of "+part, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, twoRules, gatewayRules)
					plan, err := canary.NewPlan("p").HeaderRoutes().OnDrift(canary.HoldAndAsk).
						Step(canary.Step{Traffic: share(20), Requires: canary.Nothing, Hold: time.Hour}).End(canary.End{Kind: canary.Discard}).Build()
					require.NoError(t, err)
					router := w.withFollower(t)
					runner, err := canary.NewRunner(canary.Config{Plan: plan, Router: router})
					require.NoError(t, err)
					_, err = turns(t, runner, 4)
					require.NoError(t, err)
					if change == nil && part == "gateway" {
						require.NoError(t, w.Delete(virtualServices, "prod", part))
					} else if change != nil {
						require.NoError(t, w.Update(virtualServices, "prod", part, func(o map[string]any) { change(o["spec"].(document)) }))
					}
					require.NoError(t, canary.Send(t.Context(), router, canary.Command{Order: order.Abort, Why: "orders are lost"}))
					_, err = runner.Run(t.Context())
					require.ErrorIs(t, err, canary.ErrRolledBack)
					for _, name := range []string{"reviews", "gateway"} {
						doc, _ := w.Get(virtualServices, "prod", name)
						if doc == nil {
							continue
						}
						o := object(doc)
						require.NotContains(t, string(o), "serin/")
						require.Contains(t, []string{"v1 100", "v1 0"}, o.weights(t, "b"))
					}
				})
			})
		}
	}
}

// Header routes are put up on every object or on none; taken along on the way back, they
// stop none.
func TestHeaderRoutesOfAFollowerThatCannotHaveThem(t *testing.T) {
	taken := func(w world) {
		require.NoError(t, w.Update(virtualServices, "prod", "gateway", func(o map[string]any) {
			rules := o["spec"].(document)["http"].([]any)
			rules[len(rules)-1].(document)["match"] = []any{document{"headers": document{routing.ArmHeader: document{"exact": "gold"}}}}
		}))
	}
	w := newWorld(t, twoRules, gatewayRules)
	taken(w)
	router := w.withFollower(t)
	reading, err := router.Read(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, router.Write(t.Context(), reading, preview, progressing(preview, 1)), routing.ErrHeaderTaken)
	require.NotContains(t, string(w.document(t, "reviews")), "serin")

	w = newWorld(t, twoRules, gatewayRules)
	router = w.withFollower(t)
	with := share(20)
	with.HeaderRoutes = true
	write(t, router, with)
	reading, err = router.Read(t.Context())
	require.NoError(t, err)
	taken(w)
	later, err := router.Read(t.Context())
	require.NoError(t, err)
	later.Traffic = reading.Traffic // a look before that
	require.NoError(t, router.Write(t.Context(), later, preview, progressing(preview, 2)))
	require.Equal(t, "v1 100", w.document(t, "gateway").weights(t, "b"))
	require.Contains(t, string(w.document(t, "reviews")), "serin/reviews/canary/b", "which still stand where they can")
}

// Traffic that was found and is adopted is that of every object.
func TestAdoptedTrafficIsThatOfEveryObject(t *testing.T) {
	w := newWorld(t, twoRules, gatewayRules)
	router := w.withFollower(t)
	write(t, router, share(20))
	require.NoError(t, w.Update(virtualServices, "prod", "gateway", func(o map[string]any) {
		for i, d := range o["spec"].(document)["http"].([]any)[0].(document)["route"].([]any) {
			d.(document)["weight"] = 60 - 20*i
		}
	}))
	reading, err := router.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, share(40), reading.Traffic)
	require.NoError(t, router.Write(t.Context(), reading, share(40), progressing(share(40), 2)))
	require.Equal(t, "v1 60, v2 40", w.document(t, "reviews").weights(t, "b"))
}

// E6: somebody makes the lead's rule a redirect. The rollout is judged, its State is
// written, and stable gets everything as soon as the rule can be read again.
func TestALeadThatCannotBeReadKeepsNobodyFromJudging(t *testing.T) {
	w := newWorld(t, twoRules, gatewayRules)
	r := w.withFollower(t)
	write(t, r, share(50))
	change := func(with func(rule document) document) {
		require.NoError(t, w.Update(virtualServices, "prod", "reviews", func(o map[string]any) {
			rules := o["spec"].(document)["http"].([]any)
			rules[1] = with(rules[1].(document))
		}))
	}
	var before document
	change(func(rule document) document {
		before = rule
		return document{"name": "b", "redirect": document{"uri": "/moved"}}
	})
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, reading.Trouble, canary.ErrRefused)
	require.Equal(t, share(50), reading.Traffic, "as the State says")

	noted := progressing(share(50), reading.State.Serial+1)
	require.NoError(t, r.Write(t.Context(), reading, share(50), noted), "a note needs no rule")
	reading, err = r.Read(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, r.Write(t.Context(), reading, share(60), progressing(share(60), noted.Serial+1)), canary.ErrRefused)

	back := progressing(canary.Traffic{}, noted.Serial+1)
	back.Phase, back.Outcome = phase.RollingBack, phase.RolledBack
	require.ErrorIs(t, r.Write(t.Context(), reading, canary.Traffic{}, back), canary.ErrRefused, "it is told")
	require.Equal(t, "v1 100", w.document(t, "gateway").weights(t, "b"))
	_, err = r.Read(t.Context())
	require.ErrorIs(t, err, canary.ErrRefused, "it waits for a person")

	change(func(document) document { return before })
	reading, err = r.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, reading.Trouble)
	require.Equal(t, phase.RollingBack, reading.State.Phase)
	require.Equal(t, share(50), reading.Traffic, "which is seen, and taken back by the engine")
}
