package e2e_test

import (
	"encoding/json"
	"errors"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// rollout makes a VirtualService as Serin's own renderers leave it in the middle
// of a rollout.
func (g *generator) rollout() {
	arm := func(version string) object { return object{"host": g.service.host(), "subset": version} }
	rules := []any{object{"route": []any{object{"destination": arm("v1"), "weight": 100}}}}
	if g.chance(40) {
		rule := g.conditional(100)
		rule["directResponse"] = object{"status": g.status()}
		rules = append([]any{rule}, rules...)
	}
	if g.chance(40) {
		rules[len(rules)-1].(object)["match"] = []any{g.block(), g.block()}
	}
	hosts := []string{g.service.host(), g.outside("example.com")}
	vs := object{
		"apiVersion": istioAPI, "kind": "VirtualService",
		"metadata": object{"name": g.name("m"), "namespace": g.near},
		"spec":     object{"hosts": hosts, "gateways": []string{"mesh", "front"}, "http": rules},
	}
	g.aim(g.near, hosts, []string{"mesh", g.near + "/front"})
	g.made = append(g.made, g.older.put(g.near, istioAPI, "VirtualService", string(g.render(vs))))
}

// render returns a VirtualService with traffic to the canary.
func (g *generator) render(vs object) json.RawMessage {
	to := func(version string) routing.Destination {
		return routing.Destination{Host: g.service.host(), Subset: version}
	}
	target := routing.Target{
		Namespace: g.near, Name: g.name("m"), Arms: routing.Arms{Stable: to("v1"), Canary: to("v2"), Baseline: to("v3")},
		Exclusive: true, // which it may not be: what others lose must be the same in both meshes
	}
	t := canary.Traffic{Mirror: canary.Weight(g.IntN(101)) * canary.Percent}
	if g.chance(50) {
		t = canary.Traffic{Canary: canary.Weight(g.IntN(1000)) * canary.Percent / 10}
		t.Baseline = min(t.Canary, 100*canary.Percent-t.Canary) * canary.Weight(g.IntN(2))
	} else if g.chance(40) {
		target.Mirror = mirror.Methods{mirror.Every}
	}
	t.HeaderRoutes = g.chance(30)
	h, err := routing.NewHTTP(target)
	must(err)
	text, err := json.Marshal(vs)
	must(err)
	var typed networking.VirtualService
	must(json.Unmarshal(text, &typed))
	rendered, err := h.Render(&typed, t)
	if errors.Is(err, canary.ErrRefused) {
		return text // as one without a method to mirror
	}
	must(err)
	patch, err := jsonpatch.DecodePatch(rendered.Bytes())
	must(err)
	text, err = patch.Apply(text)
	must(err)
	return text
}

// must is for what cannot go wrong with the objects made here.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
