package fake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/metrics"
)

// A rollout by hand: mirror everything, then weights, then the new image for
// stable, then back to stable. No request is lost, and copies are seen by the
// destination alone.
func TestARolloutByHandLosesNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		setWeights(t, server, 100, 0)
		mesh := fake.NewMesh(server, fake.Config{Seed: 5, Delay: time.Second, Spread: 2 * time.Second})
		load := mesh.Load(50, client)
		count := func(workload string, by metrics.Reporter) float64 {
			q := arm(workload)
			q.Reporter = by
			c, err := mesh.Counts(t.Context(), q, last(time.Minute))
			if err != nil {
				require.True(t, metrics.NoData(err), err)
			}
			return c.Total
		}
		time.Sleep(time.Minute)

		setRules(t, server, `[{route: [{destination: {host: reviews, subset: v1}, weight: 100}, {destination: {host: reviews, subset: v2}}],
			mirror: {host: reviews, subset: v2}}]`)
		time.Sleep(2 * time.Minute)
		require.EqualValues(t, 3000, count("reviews-v1", metrics.Source))
		require.Zero(t, count("reviews-v2", metrics.Source))
		require.EqualValues(t, 3000, count("reviews-v2", metrics.Destination))

		for _, weight := range []int{20, 40, 60, 80, 100} {
			setRules(t, server, split([]int{100 - weight, weight}))
			time.Sleep(2 * time.Minute)
			within(t, 3000, float64(weight)/100, uint64(count("reviews-v2", metrics.Source)))
		}

		setImage(t, server, "reviews-v1", "reviews:2")
		time.Sleep(time.Minute)
		require.Equal(t, 3, deploymentStatus(t, server, "reviews-v1").UpdatedReplicas)
		setRules(t, server, split([]int{100, 0}))
		time.Sleep(2 * time.Minute)
		require.EqualValues(t, 3000, count("reviews-v1", metrics.Source))
		require.Zero(t, count("reviews-v2", metrics.Source))

		result := load.Stop()
		require.EqualValues(t, 50*16*60, result.Sent())
		require.Zero(t, result.Broken())
		require.Zero(t, result.Failed())
	})
}

// run is a busy hour, written down. It reads the counters now and then, or not,
// which must change nothing.
func run(t *testing.T, seed uint64, curious bool) string {
	var b strings.Builder
	synctest.Test(t, func(t *testing.T) {
		server := bookinfo(t)
		mesh := fake.NewMesh(server, fake.Config{
			Seed: seed, Delay: time.Second, Spread: 5 * time.Second,
			Versions: map[string]fake.Behaviour{"reviews:2": {ErrorRate: 0.1, Sigma: 1}},
		})
		load := mesh.Load(33, client)
		for i := range 60 {
			setWeights(t, server, 100-i, i)
			if i == 30 {
				setImage(t, server, "reviews-v1", "reviews:2")
			}
			if curious {
				time.Sleep(time.Minute / 7)
				_, _ = mesh.Counts(t.Context(), arm("reviews-v2"), last(time.Minute))
				_, _ = ask(mesh, "istio_requests_total[1m]", "")
				time.Sleep(time.Minute - time.Minute/7)
			} else {
				time.Sleep(time.Minute)
			}
		}
		fmt.Fprint(&b, outcomes(load.Stop()))
		_, series := ask(mesh, "{__name__=~\".+\"}[1h]", "")
		b.WriteString(series)
	})
	return b.String()
}

func TestTheSameSeedIsTheSameRunWhoeverLooks(t *testing.T) {
	once := run(t, 1, false)
	require.Equal(t, once, run(t, 1, false))
	require.Equal(t, once, run(t, 1, true))
	require.NotEqual(t, once, run(t, 2, false))
}
