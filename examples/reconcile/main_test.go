package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestFiftyRolloutsAreDrivenByOneQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out))
		require.Equal(t, "50 rollouts: 45 promoted, 5 rolled back\n", out.String())
	})
}

func TestAControllerThatIsStoppedLeavesTheRolloutsWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, run(ctx, new(bytes.Buffer)), context.Canceled)
	})
}
