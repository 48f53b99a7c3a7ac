package fake_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// V17: as long as the canary has users it overloads a database that both versions share, and a
// third of all requests fail. No comparison of the two finds that, and stable's own past does: the
// canary loses its users within a minute and a half, and goes back when stable is well again.
func TestACanaryThatHurtsBothVersionsLosesItsUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{Seed: 6, Delay: time.Second})
		load := mesh.Load(50, client)
		hurts := fake.Behaviour{ErrorRate: 0.3}
		var began, back time.Time
		reached := make(chan canary.State, 1)
		runner := rolloutWith(t, server, learnt(mesh), polled, func(c *canary.Config) {
			c.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
				switch s := e.After; {
				case s.Traffic.Canary > 0 && began.IsZero():
					began = e.At
					mesh.Behave("reviews:1", hurts)
					mesh.Behave("reviews:2", hurts)
				case s.Phase == phase.Retreating && back.IsZero():
					back = e.At
					mesh.Behave("reviews:1", fake.Behaviour{})
					mesh.Behave("reviews:2", fake.Behaviour{})
					reached <- s
				}
			}}
		})
		<-time.After(time.Hour) // so that stable has a past
		state, err := runner.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.Contains(t, state.Reason, "stable is well again since it has all traffic, so the canary has hurt both: stable itself has ")
		require.Equal(t, cause.StableWorse, (<-reached).Retreat.Cause)
		t.Logf("%v until the canary had no users, %d of %d failed", back.Sub(began), load.Result().Failed(), load.Result().Sent())
		require.Less(t, back.Sub(began), 100*time.Second)
	})
}
