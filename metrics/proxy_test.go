package metrics_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
)

func TestAProxyIsNamedByWhatIsKnownOfIt(t *testing.T) {
	for want, p := range map[string]metrics.Proxy{
		"web.shop at 10.0.0.7:15020": {Workload: "web", Namespace: "shop", Instance: "10.0.0.7:15020"},
		"web.shop":                   {Workload: "web", Namespace: "shop"},
		"web at a":                   {Workload: "web", Instance: "a"},
		"10.0.0.7:15020":             {Instance: "10.0.0.7:15020"},
	} {
		require.Equal(t, want, p.String())
	}
}

func TestRequestsAreCountedForEachProxy(t *testing.T) {
	at := func(s int, total float64) metrics.Sample {
		return metrics.Sample{At: time.Unix(int64(s), 0), Total: total, Good: total}
	}
	w := metrics.Window{From: time.Unix(10, 0), To: time.Unix(30, 0)}
	busy, idle, young := metrics.Proxy{Instance: "busy"}, metrics.Proxy{Instance: "idle"}, metrics.Proxy{Instance: "young"}
	series := map[metrics.Proxy][]metrics.Series{
		busy:  {{Target: "busy", Samples: []metrics.Sample{at(5, 100), at(20, 160)}}},
		idle:  {{Target: "idle", Samples: []metrics.Sample{at(5, 100), at(20, 100)}}},
		young: {{Target: "young", Samples: []metrics.Sample{at(20, 7)}}},
	}
	counts, err := metrics.ProxyIncreases(series, w)
	require.NoError(t, err)
	require.Equal(t, map[metrics.Proxy]metrics.Counts{busy: {Total: 60}}, counts, "no evidence of the others")

	series[young][0].Samples = []metrics.Sample{at(5, -1), at(20, 7)}
	_, err = metrics.ProxyIncreases(series, w)
	require.ErrorIs(t, err, metrics.ErrNotCounter)
	require.ErrorContains(t, err, "young: ")
	_, err = metrics.ProxyIncreases(nil, w)
	require.ErrorIs(t, err, metrics.ErrNoSeries)
}
