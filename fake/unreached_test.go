package fake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/metrics"
)

var _ metrics.ReachReader = (*fake.Mesh)(nil)

// neighbour is a request from another namespace.
var neighbour = fake.Request{Host: "reviews.bookinfo", From: fake.Source{Namespace: "front", Workload: "web"}}

// setSubsets replaces the subsets of the DestinationRule reviews by YAML.
func setSubsets(t testing.TB, server *apiserver.Server, subsets string) {
	t.Helper()
	var value any
	require.NoError(t, yamlInto(subsets, &value))
	require.NoError(t, server.Update("destinationrules.networking.istio.io", ns, "reviews", func(o map[string]any) {
		o["spec"].(map[string]any)["subsets"] = value
	}))
}

// hide has clients in the namespace front know one subset only.
func hide(t testing.TB, server *apiserver.Server) {
	t.Helper()
	require.NoError(t, server.Load([]byte(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: private, namespace: front}
spec: {host: reviews.bookinfo.svc.cluster.local, subsets: [{name: v1, labels: {version: v1}}]}
`)))
}

// V3, E9: a canary that users cannot reach gives no evidence under its own name, and its requests
// fail. It is turned back by them, whatever hides it and from whom.
func TestACanaryThatUsersCannotReachIsTurnedBack(t *testing.T) {
	const perSecond = 50
	for name, c := range map[string]struct {
		from []fake.Request
		hide func(testing.TB, *apiserver.Server)
	}{
		"its subset is removed": {[]fake.Request{client, visitor}, func(t testing.TB, s *apiserver.Server) {
			setSubsets(t, s, "[{name: v1, labels: {version: v1}}]")
		}},
		"its subset has no pod": {[]fake.Request{client, visitor}, func(t testing.TB, s *apiserver.Server) {
			setSubsets(t, s, "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v9}}]")
		}},
		"a private DestinationRule":                 {[]fake.Request{neighbour}, hide},
		"a private DestinationRule of some clients": {[]fake.Request{neighbour, client}, hide},
	} {
		for step := 1; step <= 2; step++ {
			t.Run(fmt.Sprintf("%s, step %d", name, step), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server, mesh := called(t, 1)
					var loads []*fake.Load
					for _, from := range c.from {
						loads = append(loads, mesh.Load(perSecond, from))
					}
					nap(t.Context(), 20*time.Minute)
					var since, back time.Time
					watch := func(config *canary.Config) {
						config.Observers = append(config.Observers, func(_ context.Context, e canary.Event) {
							switch {
							case since.IsZero() && e.After.Step == step && e.At.Sub(e.After.Entered) > time.Minute:
								since = e.At
								c.hide(t, server)
							case back.IsZero() && !since.IsZero() && e.After.Traffic.Canary == 0:
								back = e.At
							}
						})
					}
					judge := sequential.Judge{Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1}
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
					defer cancel()
					state, err := rolloutWith(t, server, judge, polled, watch).Run(ctx)
					failed := uint64(0)
					for _, l := range loads {
						failed += l.Stop().Broken()
					}
					t.Logf("back after %v, %d failed: %s", back.Sub(since), failed, state.Reason)
					require.ErrorIs(t, err, canary.ErrRolledBack)
					require.Contains(t, state.Reason, "of the requests reach no pod, and canary has")
					require.LessOrEqual(t, back.Sub(since), 90*time.Second)
					most := 90 * perSecond * len(c.from) * 20 * step / 100
					require.LessOrEqual(t, failed, uint64(most))
				})
			})
		}
	}
}

// Nor is a canary turned back for what is not its own: a stable that cannot be reached, or requests
// that no rule is for.
func TestACanaryIsNotBlamedForWhatOthersCannotReach(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(testing.TB, *apiserver.Server)
		path  string
	}{
		"stable": {func(t testing.TB, s *apiserver.Server) {
			setSubsets(t, s, "[{name: v2, labels: {version: v2}}]")
		}, ""},
		"another rule": {func(t testing.TB, s *apiserver.Server) {
			require.NoError(t, s.Update(virtualservices, ns, "reviews", func(o map[string]any) {
				var lost any
				require.NoError(t, yamlInto("{match: [{uri: {prefix: /lost}}], route: [{destination: {host: reviews, subset: nowhere}}]}", &lost))
				spec := o["spec"].(map[string]any)
				spec["http"] = append([]any{lost}, spec["http"].([]any)...)
			}))
		}, "/lost"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, mesh := called(t, 50)
				lost := client
				lost.Path = c.path
				mesh.Load(50, lost)
				nap(t.Context(), 20*time.Minute)
				spoiled, said := false, ""
				ctx, stop := context.WithCancel(t.Context())
				began := time.Now()
				watch := func(config *canary.Config) {
					config.Observers = append(config.Observers, func(_ context.Context, e canary.Event) {
						if e.At.Sub(began) > time.Hour {
							stop()
						}
						if e.Reason.Cause == cause.Verdict {
							said = e.Reason.Detail
						}
						if !spoiled && e.After.Step == 2 && e.At.Sub(e.After.Entered) > time.Minute {
							spoiled = true
							c.spoil(t, server)
						}
					})
				}
				judge := sequential.Judge{Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1}
				defer stop()
				state, _ := rolloutWith(t, server, judge, polled, watch).Run(ctx)
				require.True(t, spoiled)
				t.Logf("%v: %s", state.Phase, said)
				require.NotContains(t, state.Reason, "reach no pod, and canary has")
				if c.path != "" {
					require.Equal(t, phase.Promoted, state.Phase)
				} else { // it would have everything by a way back
					require.Equal(t, phase.Progressing, state.Phase)
					require.Contains(t, said, "users cannot reach it")
				}
			})
		})
	}

}

// Each of many clients sends few requests, so that the first ones to the canary are many of its own. They
// count: a healthy canary has its share, whatever else reaches no pod.
func TestAHealthyCanaryOfManyClientsIsNotBlamed(t *testing.T) {
	const clients, perSecond, noise = 200, 10.0, 0.05
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			server := bookinfo(t)
			setRules(t, server, `[{match: [{uri: {prefix: /lost}}], route: [{destination: {host: reviews, subset: nowhere}}]},
				{route: [{destination: {host: reviews, subset: v1}}]}]`)
			mesh := fake.NewMesh(server, fake.Config{Seed: seed})
			for i := range clients {
				one := client
				one.From.Workload = fmt.Sprintf("client-%d", i)
				mesh.Load(perSecond/clients, one)
			}
			nap(t.Context(), 20*time.Minute)
			lost := client
			lost.Path = "/lost"
			mesh.Load(noise*perSecond, lost) // since the rollout begins
			plan, err := canary.NewPlan("reviews").Settle(5*time.Second).ScrapeLag(30*time.Second).Interval(10*time.Second).
				Weights(canary.List(5*canary.Percent, 20*canary.Percent), canary.Step{Hold: 20 * time.Minute, Requires: canary.Nothing}).
				End(canary.End{Kind: canary.Discard}).Build()
			require.NoError(t, err)
			judge := sequential.Judge{Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1}
			state, err := rolloutWith(t, server, judge, polled, func(c *canary.Config) { c.Plan = plan }).Run(t.Context())
			require.NoError(t, err, state.Reason)
			require.Equal(t, phase.Discarded, state.Phase, state.Reason)
		})
	}
}
