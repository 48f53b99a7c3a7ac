package fake_test

import (
	"testing"

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
