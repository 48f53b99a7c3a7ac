package fake_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

func TestRequestsAreSharedOutByWeight(t *testing.T) {
	mesh := fake.NewMesh(bookinfo(t), fake.Config{Seed: 1})
	result := mesh.Send(100_000, client)
	require.EqualValues(t, 100_000, result.Sent())
	require.Zero(t, result.Broken())
	within(t, 100_000, 0.2, result.To("reviews-v2"))
	require.Empty(t, mesh.Problems())
}

func TestAVersionCanChangeItsBehaviour(t *testing.T) {
	mesh := fake.NewMesh(bookinfo(t), fake.Config{})
	require.Zero(t, mesh.Send(1000, client).Failed())
	mesh.Behave("reviews:1", fake.Behaviour{ErrorRate: 1})
	result := mesh.Send(1000, client)
	require.Equal(t, result.To("reviews-v1"), result.Failed())
	require.Zero(t, result.Broken(), "an error of a version is not one of the mesh")
}

func TestNoRequestsHaveNoResult(t *testing.T) {
	mesh := fake.NewMesh(bookinfo(t), fake.Config{})
	require.Empty(t, mesh.Send(0, client))
	require.Empty(t, mesh.Send(-1, client))
	require.Empty(t, mesh.Load(-1, client).Stop())
}

func TestAServiceWithoutSelectorHasNoEndpoints(t *testing.T) {
	mesh := fake.NewMesh(bookinfo(t, `
apiVersion: v1
kind: Service
metadata: {name: external, namespace: bookinfo}
spec: {ports: [{port: 80}]}
`), fake.Config{})
	require.Equal(t, fake.Result{{Outcome: fake.Outcome{Code: 503, Flags: "UH"}, N: 1}}, mesh.Send(1, fake.Request{Host: "external.bookinfo"}))
}

func TestNonsenseIsTakenForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nan := math.NaN()
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{
			Delay: -1, Spread: -1, Scrape: -1, Retention: -1, Start: -1, Reaction: -1,
			Versions: map[string]fake.Behaviour{"reviews:1": {ErrorRate: nan, Sigma: nan, Median: -1, Start: -1}, "reviews:2": {Sigma: math.Inf(1), ErrorRate: 7}},
		})
		setImage(t, server, "reviews-v1", "reviews:2")
		none, many := mesh.Load(nan, client), mesh.Load(math.Inf(1), client)
		time.Sleep(time.Minute)
		require.Zero(t, none.Stop().Sent())
		require.EqualValues(t, 60e9, many.Stop().Sent())
		require.Equal(t, 3, deploymentStatus(t, server, "reviews-v1").UpdatedReplicas)
	})
}
