package fake_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"

	"github.com/serin-go/serin/fake"
)

// scarceTroubles are those that leave a version without the pods that its traffic needs.
var scarceTroubles = []badKind{
	{name: "stable shrinks", group: "shrink", often: 4, scarce: true, late: true, whole: true, allowed: allowShrunk, begin: func(w *badWorld, tr *badTrouble) func() {
		n := max(1, int(badPods*(1-tr.here)+0.99)) // what serves stays
		if n >= badPods {
			return nil
		}
		tr.thins, tr.share = true, 1-1.25*float64(n)/badPods
		w.scale("reviews-v1", n)
		return func() { w.scale("reviews-v1", badPods) }
	}},
	{name: "autoscalers", group: "shrink", often: 6, scarce: true, autoscaled: true, whole: true, allowed: allowAutoscaled, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.thins = true
		if tr.grows = choose(tr, 0, 0.5, 1, 2); tr.grows == 0 {
			return nil
		}
		tr.detail = fmt.Sprintf("the load grows by %.0f %%", 100*tr.grows)
		return w.grow(tr.grows)
	}},
	{name: "no room", group: "room", often: 4, scarce: true, allowed: allowNothing, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.lacks = true
		w.full.Store(true)
		w.mesh.Room(w.running() + choose(tr, 0, 1))
		return func() { w.mesh.Room(0) }
	}},
	{name: "quota", group: "quota", often: 3, scarce: true, allowed: allowNothing, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.lacks = true
		w.full.Store(true)
		require.NoError(w.t, w.server.Load([]byte(quota(w.running()+choose(tr, 0, 1)))))
		return func() { _ = w.server.Delete("resourcequotas", ns, "q") } // another one may have been there
	}},
	{name: "pods start slowly", group: "start", often: 4, scarce: true, allowed: allowNothing, begin: func(w *badWorld, tr *badTrouble) func() {
		w.full.Store(true)
		tr.start = choose(tr, time.Minute, 3*time.Minute, 8*time.Minute)
		if tr.lacks = choose(tr, false, false, true); tr.lacks {
			tr.detail = "some never do"
			time.AfterFunc(2*time.Minute, func() { w.starting(tr.start, false) })
		}
		w.starting(tr.start, tr.lacks)
		return func() { w.starting(0, false) }
	}},
	{name: "image never starts", harms: true, group: "stuck", often: 3, scarce: true, allowed: allowEvicted, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.lacks = true
		w.behave(func() { w.canary.NeverReady = true })
		w.mesh.Evict(ns, "reviews-v2", w.podsOf("reviews-v2").asked)
		return func() { w.behave(func() { w.canary.NeverReady = false }) }
	}},
	{name: "pods are evicted", harms: true, group: "evict", often: 5, scarce: true, allowed: allowEvicted, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.detail = choose(tr, "canary", "stable", "both")
		n := choose(tr, 1, badPods, 10)
		if tr.detail != "stable" {
			tr.few = n < w.podsOf("reviews-v2").ready
			w.mesh.Evict(ns, "reviews-v2", n)
		}
		if tr.detail != "canary" {
			tr.thins = true
			w.ledger.supply.change(func() { w.ledger.supply.evicted = true })
			w.mesh.Evict(ns, "reviews-v1", n)
		}
		return nil
	}},
}

// scale sets the replicas of a Deployment, as a person does.
func (w *badWorld) scale(name string, n int) {
	w.scaled.others(func() { setSpec(w.t, w.server, name, "replicas", n) })
}

// starting sets how long new pods take to become ready, and whether they do.
func (w *badWorld) starting(after time.Duration, never bool) {
	w.behave(func() {
		w.canary.Start, w.stable.Start = after, after
		w.canary.NeverReady, w.stable.NeverReady = never, never
	})
}

// grow makes the load grow by a part of what it was in the beginning. Without a rollout an
// autoscaler would follow, unless it gets no pods.
func (w *badWorld) grow(by float64) (shrink func()) {
	loads := []*fake.Load{w.mesh.Load(by*badRate, client)}
	if w.edge {
		loads = append(loads, w.mesh.Load(by*badEdgeRate, visitor))
	}
	s := &w.ledger.supply
	w.ledger.change(func() {
		for _, load := range loads {
			w.ledger.add(load)
		}
		s.change(func() { s.load += by * w.rate() })
		w.greatest = max(w.greatest, s.load)
	})
	grown := s.load
	time.AfterFunc(badFollow+2*badStart, func() {
		w.ledger.change(func() {
			s.change(func() {
				if s.load == grown {
					s.follow(w.full.Load())
				}
			})
		})
	})
	return func() {
		for _, load := range loads {
			load.Stop()
		}
		w.ledger.change(func() {
			s.change(func() {
				s.load -= by * w.rate()
				s.follow(true)
			})
		})
	}
}

// rate is the requests a second before the load grows.
func (w *badWorld) rate() float64 {
	if w.edge {
		return w.sidecars() + badEdgeRate
	}
	return w.sidecars()
}

// sidecars is how many of them come from sidecars.
func (s badScenario) sidecars() float64 { return cmp.Or(s.perSecond, badRate) }

// podsOf returns those of a Deployment.
func (w *badWorld) podsOf(name string) badArm {
	raw, _ := w.server.Get(deployments, ns, name)
	var d apps.Deployment
	require.NoError(w.t, json.Unmarshal(raw, &d))
	return badArm{int(*d.Spec.Replicas), int(d.Status.ReadyReplicas)}
}

// running is how many pods there are in all.
func (w *badWorld) running() (n int) {
	for _, name := range []string{"reviews-v1", "reviews-v2"} {
		n += deploymentStatus(w.t, w.server, name).Replicas
	}
	return n
}
