package unittest_test

import (
	_ "embed"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/examples/unittest"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

//go:embed shop.yaml
var shop []byte

// cluster is a whole mesh in the virtual time of a synctest bubble.
type cluster struct {
	api    *apiserver.Server
	mesh   *fake.Mesh
	runner *canary.Runner
	load   *fake.Load
}

func newCluster(t *testing.T) *cluster {
	api := apiserver.New()
	require.NoError(t, api.Load(shop))
	mesh := fake.NewMesh(api, fake.Config{Seed: 1, Delay: time.Second, Spread: 3 * time.Second})
	istioClient, err := istio.NewForConfig(api.Config())
	require.NoError(t, err)
	kube, err := kubernetes.NewForConfig(api.Config())
	require.NoError(t, err)
	runner, err := unittest.Release(istioClient, kube, mesh)
	require.NoError(t, err)
	return &cluster{api, mesh, runner, mesh.Load(100, fake.Request{Host: "shop.shop"})}
}

func TestAHundredHoursOfRolloutLoseNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		began := time.Now()
		state, err := c.runner.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, phase.Promoted, state.Phase)
		require.Greater(t, time.Since(began), 100*time.Hour)
		result := c.load.Stop()
		require.Greater(t, result.Sent(), uint64(36_000_000))
		require.Zero(t, result.Broken(), "not one 404 or 503 of the mesh")
	})
}

func TestAVersionThatTurnsBadInTheNightIsRolledBackWithinMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		var turnedBad time.Time
		time.AfterFunc(10*time.Hour, func() {
			turnedBad = time.Now()
			c.mesh.Behave("shop:2", fake.Behaviour{ErrorRate: 0.2})
		})
		state, err := c.runner.Run(t.Context())
		require.ErrorIs(t, err, canary.ErrRolledBack)
		require.ErrorContains(t, err, "requests failed")
		require.Less(t, state.Shifted.Sub(turnedBad), 5*time.Minute, "then stable had all traffic")
	})
}

func TestAnAPIServerThatFailsOftenCostsTimeAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		var mu sync.Mutex // the driver calls, and its watch of the canary
		dice := rand.New(rand.NewPCG(1, 1))
		c.api.Hook(func(apiserver.Call) apiserver.Fault {
			mu.Lock()
			defer mu.Unlock()
			switch dice.IntN(7) {
			case 0:
				return apiserver.ServerError()
			case 1:
				return apiserver.LoseAnswer()
			}
			return nil
		})
		state, err := c.runner.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, phase.Promoted, state.Phase)
		require.Zero(t, c.load.Stop().Broken())
	})
}
