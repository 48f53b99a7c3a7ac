package fake_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/metrics"
)

var _ metrics.RefusalReader = (*fake.Mesh)(nil)

// refusing returns the proxies that refuse their routes.
func refusing(t *testing.T, mesh *fake.Mesh) string {
	t.Helper()
	all, err := mesh.Refusals(t.Context(), last(time.Minute))
	require.NoError(t, err)
	var names []string
	for _, r := range all {
		names = append(names, r.String())
	}
	return strings.Join(names, ", ")
}

// E40: the canary has half of all requests when a stranger's object stops the proxies. An
// abort is written and nothing moves: the person on call reads whose proxy refuses it.
func TestAnAbortThatAProxyRefusesSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, service("own", "stranger", 9080))
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{Seed: 6, Delay: time.Second})
		mesh.Load(20, client)
		mesh.Load(20, visitor)
		plan, err := canary.NewPlan("reviews-2").Settle(5 * time.Second).Interval(10 * time.Second).
			Step(canary.Step{Traffic: canary.Traffic{Canary: 50 * canary.Percent}, Hold: time.Hour}).
			End(canary.End{Kind: canary.Discard}).Build()
		require.NoError(t, err)
		var router canary.Router
		runner, said := verified(t, mesh, func(more ...func(*canary.Config)) *canary.Runner {
			return rolloutWith(t, server, &canarytest.Judge{}, polled, append(more, func(c *canary.Config) {
				c.Plan, router = plan, c.Router
			})...)
		})
		run := func(d time.Duration) canary.State {
			ctx, stop := context.WithTimeout(t.Context(), d)
			defer stop()
			state, err := runner.Run(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return state
		}
		require.Equal(t, phase.Progressing, run(30*time.Minute).Phase)
		require.NotContains(t, said(), "refused")

		require.NoError(t, server.Load([]byte(virtualService("z", "stranger", "hosts: [own]", "{"+bad+"}"))))
		<-time.After(time.Minute)
		require.NoError(t, canary.Send(t.Context(), router, canary.Command{Order: order.Abort}))
		require.Equal(t, phase.RollingBack, run(10*time.Minute).Phase, "users are still on the canary")
		require.NotZero(t, mesh.Send(1000, client).To("reviews-v2"))
		require.Contains(t, said(), "RollingBack: verifying: not as written in the last 30s: productpage.bookinfo at productpage.bookinfo sent ")
		require.Contains(t, said(), " requests to the canary; by istiod's counters productpage.bookinfo refused routes: look for an object ")

		require.NoError(t, server.Delete(virtualservices, "stranger", "z"))
		_, err = runner.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Zero(t, mesh.Send(1000, client).To("reviews-v2"))
	})
}

func TestOnlyProxiesThatAreToldOfABadRuleRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t, service("own", "stranger", 9080))
		mesh := fake.NewMesh(server, fake.Config{Delay: time.Second, Spread: 2 * time.Second})
		other := client
		other.Host, other.From = "reviews.bookinfo", fake.Source{Namespace: "other"}
		stranger := other
		stranger.From.Namespace = "stranger"
		require.NoError(t, server.Load([]byte(virtualService("z", "stranger", "hosts: [own]\n  exportTo: [bookinfo, other]", "{"+bad+"}"))))
		for _, r := range []fake.Request{client, visitor, stranger} {
			mesh.Send(10, r)
		}
		require.Empty(t, refusing(t, mesh), "nobody was told of it yet")
		<-time.After(1500 * time.Millisecond)
		require.Equal(t, "productpage.bookinfo refused routes", refusing(t, mesh), "some of its pods were")
		mesh.Send(1, other)
		<-time.After(time.Minute)
		require.Equal(t, "client.other refused routes, productpage.bookinfo refused routes", refusing(t, mesh))
		require.NoError(t, server.Delete(virtualservices, "stranger", "z"))
		<-time.After(time.Minute)
		require.Empty(t, refusing(t, mesh))
	})
}

func TestRefusalsHaveTheErrorsOfAStore(t *testing.T) {
	mesh := fake.NewMesh(bookinfo(t), fake.Config{})
	_, err := mesh.Refusals(t.Context(), last(0))
	require.ErrorIs(t, err, metrics.ErrBadQuery)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = mesh.Refusals(ended, last(time.Minute))
	require.ErrorIs(t, err, metrics.ErrUnavailable)
}
