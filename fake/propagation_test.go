package fake_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

func TestChangesTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{Delay: 2 * time.Second})
		setWeights(t, server, 0, 100)
		require.NotZero(t, mesh.Send(1000, client).To("reviews-v1"))
		time.Sleep(2*time.Second - 1)
		require.NotZero(t, mesh.Send(1000, client).To("reviews-v1"))
		time.Sleep(time.Nanosecond)
		require.EqualValues(t, 1000, mesh.Send(1000, client).To("reviews-v2"))
	})
}

func TestProxiesLearnOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{Delay: time.Second, Spread: 7 * time.Second})
		setWeights(t, server, 0, 100)
		const n = 100_000
		for second := range 10 {
			within(t, n, min(1, float64(second)/8), mesh.Send(n, client).To("reviews-v2"))
			time.Sleep(time.Second)
		}
	})
}

func TestSubsetAndRuleInOneApplyBreakRequestsUntilAllProxiesKnowBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{Delay: time.Second})
		setRules(t, server, "[{route: [{destination: {host: reviews, subset: next}}]}]")
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, server.Load([]byte(destinationRule("next", ns, "reviews", "next", "v2"))))
		time.Sleep(600 * time.Millisecond)
		require.Equal(t, "NC", mesh.Send(1, client)[0].Flags)
		time.Sleep(time.Second)
		require.Zero(t, mesh.Send(1000, client).Broken())
	})
}

func TestPropagationCanStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{Delay: time.Second})
		setWeights(t, server, 50, 50)
		time.Sleep(500 * time.Millisecond)
		mesh.Stall(true)
		mesh.Stall(true)
		setWeights(t, server, 0, 100)
		time.Sleep(time.Hour)
		require.EqualValues(t, 1000, mesh.Send(1000, client).To("reviews-v1"))
		mesh.Stall(false)
		require.EqualValues(t, 1000, mesh.Send(1000, client).To("reviews-v2"))
		setWeights(t, server, 100, 0)
		time.Sleep(time.Second)
		require.EqualValues(t, 1000, mesh.Send(1000, client).To("reviews-v1"))
	})
}

func TestAStallHoldsChangesOfTheSameInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{})
		setWeights(t, server, 100, 0)
		mesh.Stall(true)
		setWeights(t, server, 0, 100)
		time.Sleep(time.Second)
		require.EqualValues(t, 1000, mesh.Send(1000, client).To("reviews-v1"))
		mesh.Stall(false)
		require.EqualValues(t, 1000, mesh.Send(1000, client).To("reviews-v2"))
	})
}

func TestPodsThatCrashAnswerNothingWhileTheirEndpointsStay(t *testing.T) {
	server := bookinfo(t)
	setRules(t, server, "[{route: [{destination: {host: reviews, subset: v1}}], mirror: {host: reviews, subset: v2}}]")
	mesh := fake.NewMesh(server, fake.Config{})
	mesh.Crash(ns, "reviews-v1", true)
	mesh.Crash(ns, "reviews-v2", true)
	require.Equal(t, "10 x {Workload: Revision: Image: Code:503 Flags:URX,UF Mirrored:false}\n", outcomes(mesh.Send(10, client)))
	mesh.Crash(ns, "reviews-v1", false)
	require.Zero(t, mesh.Send(10, client).Broken())
}
