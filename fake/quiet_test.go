package fake_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/fake"
)

// verified is rollout with a Verifier that reads the mesh's metrics. It returns what was
// said as well.
func verified(t *testing.T, mesh *fake.Mesh, runner func(...func(*canary.Config)) *canary.Runner) (r *canary.Runner, said func() string) {
	t.Helper()
	var mu sync.Mutex
	var lines []string
	r = runner(func(c *canary.Config) {
		c.Verifier = verify.Metrics{Provider: mesh, Stable: reviewsV1, Canary: reviewsV2}
		c.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, e.After.Phase.String()+": "+e.Reason.String())
		}}
	})
	return r, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(lines, "\n")
	}
}

// E30: istiod is stuck when the canary begins to fail. The rollout is over when the proxies
// were seen to send it nothing, and not before.
func TestARolloutIsNotRolledBackWhileProxiesAreBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{
			Seed: 6, Delay: time.Second, Versions: map[string]fake.Behaviour{"reviews:2": {}},
		})
		load := mesh.Load(20, client)
		runner, said := verified(t, mesh, func(more ...func(*canary.Config)) *canary.Runner {
			return rolloutWith(t, server, analysis.Threshold{Provider: mesh, Canary: reviewsV2, Max: 0.02}, polled, more...)
		})
		half, stop := context.WithTimeout(t.Context(), 9*time.Minute)
		defer stop()
		state, err := runner.Run(half)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, phase.Progressing, state.Phase)

		mesh.Stall(true)
		mesh.Behave("reviews:2", fake.Behaviour{ErrorRate: 0.5})
		hour, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		state, err = runner.Run(hour)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, phase.RollingBack, state.Phase, "users are still on the canary")
		require.NotZero(t, mesh.Send(1000, client).To("reviews-v2"))
		require.Contains(t, said(), "RollingBack: verifying: not as written in the last 30s: productpage.bookinfo at ")

		mesh.Stall(false)
		_, err = runner.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.NotContains(t, err.Error(), "not seen quiet")
		load.Stop()
		require.Zero(t, mesh.Send(1000, client).To("reviews-v2"))
	})
}
