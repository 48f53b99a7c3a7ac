package controller_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/examples/reconcile/controller"
)

func TestARunnerThatCannotBeMadeIsAnError(t *testing.T) {
	broken := errors.New("no such service")
	r := &controller.Reconciler{NewRunner: func(string) (*canary.Runner, error) { return nil, broken }}
	_, err := r.Reconcile(t.Context(), "x")
	require.ErrorIs(t, err, broken)
}
