package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
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

func TestARunnerThatCannotBeMadeIsAnError(t *testing.T) {
	broken := errors.New("no such service")
	r := &Reconciler{NewRunner: func(string) (*canary.Runner, error) { return nil, broken }}
	_, err := r.Reconcile(t.Context(), "x")
	require.ErrorIs(t, err, broken)
}
