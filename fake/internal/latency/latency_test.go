package latency

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake/internal/chance"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

func TestDurationsAreLognormal(t *testing.T) {
	v := New(100*time.Millisecond, 1)
	for _, n := range []uint64{1, 1_000_000} {
		var h telemetry.Histogram
		sum, total := 0.0, uint64(0)
		for d := chance.New(8); total < 1_000_000; total += n {
			sum += v.Draw(d, n, &h)
		}
		require.Equal(t, total, h.UpTo(len(telemetry.Bounds)))
		require.InDelta(t, 500_000, float64(h.UpTo(telemetry.BucketOf(100))), 6*500)
		require.InEpsilon(t, 100*math.Exp(0.5), sum/float64(total), 0.01)
	}
	var h telemetry.Histogram
	require.EqualValues(t, 300, New(100*time.Millisecond, 0).Draw(chance.New(9), 3, &h))
	require.EqualValues(t, 3, h[telemetry.BucketOf(100)])
}
