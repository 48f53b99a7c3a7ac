package fake_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

// versionTroubles are those of the pods.
var versionTroubles = []badKind{
	{name: "canary errs", harms: true, group: "answers", often: 6, allowed: allowJudged, begin: func(w *badWorld, tr *badTrouble) func() {
		return w.failing(tr, 500, 502, 503)
	}},
	{name: "canary refuses", harms: true, group: "answers", often: 3, allowed: allowJudged, begin: func(w *badWorld, tr *badTrouble) func() {
		return w.failing(tr, 403, 404, 429)
	}},
	{name: "canary slows", harms: true, group: "speed", often: 3, allowed: allowJudged, begin: func(w *badWorld, tr *badTrouble) func() {
		w.ledger.change(func() { w.ledger.slow = true })
		w.behave(func() { w.canary.Median = 3 * time.Second })
		w.ledger.useless(1)
		return func() {
			w.ledger.useless(0)
			w.ledger.change(func() { w.ledger.slow = false })
			w.behave(func() { w.canary.Median = 0 })
		}
	}},
	{name: "canary dies", harms: true, group: "pods", often: 6, allowed: allowWatched, begin: func(w *badWorld, _ *badTrouble) func() {
		w.scale("reviews-v2", 0)
		return func() { w.scale("reviews-v2", badPods) }
	}},
	{name: "canary is unreachable", harms: true, group: "pods", often: 2, allowed: allowJudged, begin: func(w *badWorld, _ *badTrouble) func() {
		w.mesh.Crash(ns, "reviews-v2", true)
		w.ledger.useless(1)
		return func() { w.mesh.Crash(ns, "reviews-v2", false); w.ledger.useless(0) }
	}},
	{name: "both fail", group: "answers", often: 2, allowed: allowNothing, begin: func(w *badWorld, tr *badTrouble) func() {
		w.failBoth(choose(tr, 0.1, 0.5, 1))
		return func() { w.failBoth(0) }
	}},
	{name: "canary hurts both", harms: true, whole: true, group: "answers", often: 1, allowed: allowJudged, begin: func(w *badWorld, _ *badTrouble) func() {
		w.hurting(true)
		return func() { w.hurting(false) }
	}},
	{name: "promotion is stuck", group: "stuck", often: 2, allowed: allowNothing, begin: func(w *badWorld, _ *badTrouble) func() {
		w.behave(func() { w.canary.NeverReady = true })
		return func() { w.behave(func() { w.canary.NeverReady = false }) }
	}},
	{name: "stable is edited", group: "stable", often: 3, allowed: allowNothing, begin: func(w *badWorld, tr *badTrouble) func() {
		setImage(w.t, w.server, "reviews-v1", editedImage)
		if pinned := w.crew.newest(w.state()).Pin != (canary.Pin{}); pinned && tr.phase < phase.PromotingStable { // or it is what the rollout begins with
			tr.stays = func(w *badWorld, _ badScenario) bool { return w.image() == editedImage }
		}
		if tr.phase == phase.CleaningUp { // the rollout has nothing more to say about stable
			w.ledger.change(func() { w.ledger.edited = true })
		}
		return nil
	}},
}

// failing lets the canary answer a part of its requests with one of the codes.
func (w *badWorld) failing(tr *badTrouble, codes ...int) (heal func()) {
	w.ledger.change(func() { w.ledger.failing = true })
	w.behave(func() { w.canary.ErrorRate, w.canary.Status = choose(tr, 0.2, 0.5, 1), choose(tr, codes...) })
	w.ledger.useless(w.canary.ErrorRate)
	return func() {
		w.ledger.useless(0)
		w.ledger.change(func() { w.ledger.failing = false })
		w.behave(func() { w.canary.ErrorRate = 0 })
	}
}

// failBoth lets both versions fail a share of their requests.
func (w *badWorld) failBoth(share float64) {
	w.ledger.change(func() { w.ledger.common = share })
	w.behave(func() { w.canary.ErrorRate, w.stable.ErrorRate = share, share })
}

// hurting lets both versions fail while the canary has users, or no more.
func (w *badWorld) hurting(hurts bool) {
	w.behave(func() { w.hurts = hurts })
	w.contend()
}

// contend lets the canary overload what both versions share, if it does so and has users.
func (w *badWorld) contend() {
	share := 0.0
	w.mu.Lock()
	if w.hurts && w.state().Traffic.Canary > 0 {
		share = 0.3
	}
	same := w.contended == share
	w.contended = share
	w.mu.Unlock()
	if same {
		return
	}
	w.ledger.change(func() { w.ledger.failing, w.ledger.both = share > 0, share > 0 })
	share = max(share, w.usual.ErrorRate)
	w.behave(func() { w.canary.ErrorRate, w.stable.ErrorRate = share, share })
}

// behave changes how the versions behave.
func (w *badWorld) behave(change func()) {
	w.mu.Lock()
	change()
	canary, stable := w.canary, w.stable
	w.mu.Unlock()
	w.mesh.Behave(newImage, canary)
	w.mesh.Behave(oldImage, stable)
	w.mesh.Behave(editedImage, stable)
}

// storeTroubles are those of the metric store.
var storeTroubles = []badKind{
	{name: "store is away", group: "store", often: 10, allowed: allowBlind, pins: func(tr *badTrouble) bool { return tr.detail != "flaps" }, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.detail = choose(tr, "hangs", "errs", "is empty", "flaps")
		w.store.set(tr.detail)
		return func() { w.store.set("") }
	}},
}

// fault injects a fault into calls. Calls of the simulation itself are none.
func (w *badWorld) fault(which func(apiserver.Call) bool, f apiserver.Fault) (remove func()) {
	return w.server.Hook(func(c apiserver.Call) apiserver.Fault {
		if which(c) {
			return f
		}
		return nil
	})
}

func always(*badTrouble) bool { return true }

func patches(resource string) func(apiserver.Call) bool {
	return func(c apiserver.Call) bool { return c.Verb == "patch" && (resource == "" || c.Resource == resource) }
}

// apiTroubles are those of the API server.
var apiTroubles = []badKind{
	{name: "API refuses", group: "api", often: 3, allowed: allowUnwritable, pins: func(tr *badTrouble) bool { return tr.pods == "" }, begin: func(w *badWorld, tr *badTrouble) func() {
		if tr.detail = choose(tr, virtualservices, deployments, ""); tr.detail == deployments {
			tr.pods, tr.share = "unwritten", 1 // a step does not notice
		}
		what := schema.GroupResource{Group: "networking.istio.io", Resource: "virtualservices"}
		err := choose(tr, apierrors.NewForbidden(what, "reviews", errors.New("no")),
			apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "patch", what, "reviews", "no", 0, true))
		return w.fault(patches(tr.detail), apiserver.Refuse(err))
	}},
	{name: "API hangs", group: "api", often: 3, allowed: allowUnwritable, pins: always, begin: func(w *badWorld, tr *badTrouble) func() {
		if tr.detail = choose(tr, virtualservices, deployments, ""); tr.detail == deployments {
			tr.pods = "unread"
		}
		return w.fault(func(c apiserver.Call) bool {
			return c.Verb != "watch" && (tr.detail == "" || c.Resource == tr.detail)
		}, apiserver.Hang())
	}},
	{name: "answers get lost", group: "api", often: 2, allowed: allowUnwritable, begin: func(w *badWorld, tr *badTrouble) func() {
		if tr.lasts == 0 {
			tr.lasts = time.Minute
		}
		return w.fault(patches(""), apiserver.LoseAnswer())
	}},
	{name: "State is removed", group: "api", often: 2, allowed: allowWatched, begin: func(w *badWorld, _ *badTrouble) func() {
		w.update("reviews", func(o map[string]any) {
			if a, ok := path(o, "metadata").(map[string]any)["annotations"].(map[string]any); ok {
				delete(a, routing.StateAnnotation("reviews"))
			}
		})
		return nil
	}},
}

// objectTroubles are those of the objects and of their way to the proxies.
var objectTroubles = []badKind{
	{name: "propagation stalls", group: "stall", often: 3, allowed: allowUnwritable, begin: func(w *badWorld, _ *badTrouble) func() {
		w.mesh.Stall(true)
		return func() { w.mesh.Stall(false) }
	}},
	{name: "a part is away", group: "edge", often: 2, edge: true, allowed: allowUnwritable, begin: func(w *badWorld, tr *badTrouble) func() {
		if tr.detail = choose(tr, "it errs", "it is deleted"); tr.detail == "it errs" {
			return w.fault(func(c apiserver.Call) bool { return c.Name == "reviews-edge" }, apiserver.ServerError())
		}
		require.NoError(w.t, w.server.Delete(virtualservices, ns, "reviews-edge"))
		return func() { require.NoError(w.t, w.server.Load([]byte(edge))) }
	}},
	{name: "an old object returns", group: "object", often: 2, whole: true, allowed: allowOlder, begin: func(w *badWorld, tr *badTrouble) func() {
		w.update("reviews", func(o map[string]any) {
			var old map[string]any
			require.NoError(w.t, json.Unmarshal(w.older(tr.arg), &old))
			o["spec"] = old["spec"]
			path(o, "metadata").(map[string]any)["annotations"] = path(old, "metadata").(map[string]any)["annotations"]
		})
		return nil
	}},
	{name: "a rule is put first", group: "edit", often: 1, allowed: allowDrifted, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.stays = holds("x-ann")
		w.update("reviews", func(o map[string]any) {
			spec := o["spec"].(map[string]any)
			var rule any
			require.NoError(w.t, yamlInto("{match: [{headers: {x-ann: {exact: 'yes'}}}], route: [{destination: {host: reviews, subset: v1}}]}", &rule))
			spec["http"] = append([]any{rule}, spec["http"].([]any)...)
		})
		return nil
	}},
	{name: "weights are edited", group: "edit", often: 2, whole: true, allowed: allowDrifted, begin: func(w *badWorld, tr *badTrouble) func() {
		n := choose(tr, 0, 30, 100)
		w.update("reviews", func(o map[string]any) {
			for _, rule := range path(o, "spec", "http").([]any) {
				var route any
				require.NoError(w.t, yamlInto(split([]int{100 - n, n}), &route))
				rule.(map[string]any)["route"] = path(route, 0, "route")
			}
		})
		return nil
	}},
	{name: "a corsPolicy is added", group: "edit", often: 1, allowed: allowDrifted, begin: func(w *badWorld, tr *badTrouble) func() {
		tr.stays = holds("corsPolicy")
		w.update("reviews", func(o map[string]any) {
			for _, rule := range path(o, "spec", "http").([]any) {
				rule.(map[string]any)["corsPolicy"] = map[string]any{"allowMethods": []any{"GET"}}
			}
		})
		return nil
	}},
}

// holds tells whether the VirtualService still has a field, unless somebody put an old one back.
func holds(field string) func(*badWorld, badScenario) bool {
	return func(w *badWorld, s badScenario) bool {
		raw, _ := w.server.Get(virtualservices, ns, "reviews")
		returned := slices.ContainsFunc(s.troubles, func(tr *badTrouble) bool { return tr.kind.group == "object" && tr.began })
		return returned || strings.Contains(string(raw), field)
	}
}

// driverTroubles are those of the processes that drive.
var driverTroubles = []badKind{
	{name: "driver is gone", group: "driver", often: 8, allowed: allowAbandoned, pins: always, begin: func(w *badWorld, tr *badTrouble) func() {
		if tr.lasts == 0 {
			w.crew.stop()
			return nil
		}
		return w.crew.freeze()
	}},
	{name: "clocks differ", group: "clock", often: 2, allowed: allowSkew, begin: func(w *badWorld, tr *badTrouble) func() {
		w.crew.start(choose(tr, 50*time.Second, -50*time.Second, 2*time.Minute, -2*time.Minute, 5*time.Minute, -5*time.Minute, 10*time.Minute, -10*time.Minute, 15*time.Minute, -15*time.Minute))
		return nil
	}},
}
