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
