package workload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

// E10: stable had 30 pods, and the canary has one.
func TestAShareNeedsPodsInProportionToWhatStableHad(t *testing.T) {
	c := newCluster(t)
	scale := func(name string, n int32) {
		c.change(name, func(d *appsv1.Deployment) { *d.Spec.Replicas = n })
		c.finish(name)
	}
	scale("reviews-v1", 30)
	scale("reviews-v2", 1)
	pin, _, err := c.workload(both).Pin(t.Context(), canary.Question{})
	require.NoError(t, err)
	scale("reviews-v1", 2) // what stable has later changes nothing
	ready := func(config workload.Config, traffic canary.Traffic) canary.Answer {
		t.Helper()
		a, err := c.workload(config).Ready(t.Context(), canary.Question{Traffic: traffic, Pin: pin})
		require.NoError(t, err)
		return a
	}
	share := func(w canary.Weight) canary.Traffic { return canary.Traffic{Canary: w} }
	require.Equal(t, canary.Yes, ready(both, share(3*canary.Percent)).Reply)
	require.Equal(t, canary.Wait.Because("canary reviews-v2: 1 of 1 replicas available, and 100%% of the traffic needs 30, by the 30 that stable reviews-v1 had when the rollout began: scale the canary up, or set Config.Scaling or Config.Capacity"), ready(both, share(canary.Full)))
	require.Contains(t, ready(both, share(4*canary.Percent)).Reason, "4% of the traffic needs 2", "1.2 is more than one")
	require.Equal(t, canary.Yes, ready(both, canary.Traffic{Mirror: canary.Full}).Reply, "copies hurt nobody")
	require.Equal(t, canary.Yes, ready(both, canary.Traffic{Cohorts: "staff"}).Reply, "nobody knows how many they are")
	scale("reviews-v2", 15)
	require.Equal(t, canary.Yes, ready(both, share(50*canary.Percent)).Reply)
	require.Contains(t, ready(both, share(51*canary.Percent)).Reason, "15 of 15 replicas available, and 51% of the traffic needs 16")

	own := both
	own.Capacity = func(w canary.Weight, stable int) int { return stable / 3 }
	require.Equal(t, canary.Yes, ready(own, share(canary.Full)).Reply)
	scale("reviews-v2", 1)
	own.Capacity = workload.AtLeastOne
	require.Equal(t, canary.Yes, ready(own, share(canary.Full)).Reply)
	scale("reviews-v2", 0)
	require.Contains(t, ready(own, share(canary.Percent)).Reason, "scaled to zero")

	pin.Capacity = "-3"
	_, err = c.workload(both).Ready(t.Context(), canary.Question{Traffic: share(canary.Full), Pin: pin})
	require.ErrorIs(t, err, canary.ErrBadState)
	scale("reviews-v2", 1)
	pin.Capacity = ""
	require.Equal(t, canary.Yes, ready(both, share(canary.Full)).Reply, "nobody knows what stable had")
}
