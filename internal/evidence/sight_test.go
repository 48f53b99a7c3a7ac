package evidence_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

// A bound that nearly all requests exceed, now or from the beginning, cannot tell a slow canary from
// a usual one. The others can, and a step is not unseen for ever because of it. If there is no other,
// it is.
func TestABoundThatAllRequestsExceedDoesNotBlindTheOthers(t *testing.T) {
	slow := func(before []evidence.Count, rates ...float64) float64 {
		test, err := evidence.NewLatencyTest(before, evidence.Settings{})
		require.NoError(t, err)
		var l evidence.LatencyLook
		l.Canary.Total, l.Baseline.Total = 100, 100
		for j, rate := range rates {
			l.Canary.Over[j], l.Baseline.Over[j] = 100*rate, 100*rate
		}
		for range 4 {
			test.Update(l)
		}
		return test.Sight()
	}
	needed := evidence.Sighted(0.05, math.Log(20)/2, 1)
	require.Less(t, slow([]evidence.Count{{Bad: 100, Total: 100}}, 1), needed)
	require.Less(t, slow([]evidence.Count{{Bad: 100, Total: 100}, {Bad: 3, Total: 100}}, 1, 0.03), 6.0)
	require.GreaterOrEqual(t, slow([]evidence.Count{{Bad: 100, Total: 100}, {Bad: 3, Total: 100}}, 1, 0.03), needed)
	require.GreaterOrEqual(t, slow([]evidence.Count{{Bad: 10, Total: 100}, {Bad: 3, Total: 100}}, 0.1, 0.03), needed)
}

// Whatever the level and the cap of a look, a step with enough requests was looked at well enough at
// some time.
func TestEveryStepIsSeenWellEnoughAtSomeTime(t *testing.T) {
	for _, s := range []evidence.Settings{{}, {LookCap: 100}, {LookCap: math.Inf(1)}, {Alpha: 1e-40}, {Alpha: 1e-9, LookCap: 80}} {
		test, err := evidence.NewErrorTest(s)
		require.NoError(t, err)
		s, err = s.For(evidence.Errors)
		require.NoError(t, err)
		for range 240 {
			test.Update(evidence.Look{Canary: evidence.Count{Total: 100}, Baseline: evidence.Count{Total: 100}})
		}
		require.GreaterOrEqual(t, test.Sight(), evidence.Sighted(s.Alpha, s.LookCap, 64), "%+v", s)
	}
}
