package fake_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

const ns = "bookinfo"

// client is a request of a sidecar beside the service.
var client = fake.Request{Host: "reviews", From: fake.Source{Namespace: ns, Workload: "productpage"}}

// bookinfo returns a server with the objects of testdata/bookinfo.yaml, and
// those of further documents.
func bookinfo(t testing.TB, more ...string) *apiserver.Server {
	t.Helper()
	documents, err := os.ReadFile("testdata/bookinfo.yaml")
	require.NoError(t, err)
	server := apiserver.New()
	require.NoError(t, server.Load(documents))
	for _, d := range more {
		require.NoError(t, server.Load([]byte(d)))
	}
	return server
}

func TestRequestsAreSharedOutByWeight(t *testing.T) {
	mesh := fake.NewMesh(bookinfo(t), fake.Config{Seed: 1})
	result := mesh.Send(100_000, client)
	require.EqualValues(t, 100_000, result.Sent())
	require.Zero(t, result.Broken())
	require.InDelta(t, 20_000, result.To("reviews-v2"), 5*127)
	require.Empty(t, mesh.Problems())
}

func TestPromotingAnImageTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{Versions: map[string]fake.Behaviour{"reviews:2": {ErrorRate: 1}}})
		setImage(t, server, "reviews-v1", "reviews:2")
		status := deploymentStatus(t, server, "reviews-v1")
		require.EqualValues(t, 1, status["observedGeneration"], "the controller has not looked yet")
		time.Sleep(3 * time.Second)
		status = deploymentStatus(t, server, "reviews-v1")
		require.EqualValues(t, 2, status["observedGeneration"])
		require.EqualValues(t, 4, status["replicas"])
		time.Sleep(10 * time.Second)
		status = deploymentStatus(t, server, "reviews-v1")
		require.EqualValues(t, 3, status["updatedReplicas"])
		require.EqualValues(t, 3, status["replicas"])
		result := mesh.Send(100, client)
		require.EqualValues(t, 100, result.Failed())
		require.Zero(t, result.Broken())
	})
}
