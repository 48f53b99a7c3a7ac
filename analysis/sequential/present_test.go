package sequential_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// How long a pass takes is said by the traffic of the present step, whatever the canary had before:
// less of it, or copies of everything.
func TestWhatIsMissingTakesItsTimeAtThePresentTraffic(t *testing.T) {
	const hundred, bad, fine = 100.0, 0.01, time.Millisecond
	began := time.Unix(1e9, 0)
	now := began.Add(time.Hour)
	shares := func(canary, baseline float64) map[metrics.Arm]arm {
		return map[metrics.Arm]arm{shopV1: {baseline, bad, fine}, shopV2: {canary, bad, fine}}
	}
	for name, c := range map[string]struct {
		before   analysis.Block
		was, is  map[metrics.Arm]arm
		share    float64
		requests float64 // of the canary in a second, at present
	}{
		"after a small share": {analysis.Block{Canary: 0.01}, shares(1, 99), shares(50, 50), 0.5, 50},
		"after copies":        {analysis.Block{Mirrored: true}, shares(hundred, hundred), shares(1, 99), 0.01, 1},
	} {
		t.Run(name, func(t *testing.T) {
			judge := judgeOf(nil)
			judge.Provider = novel{drawn: draws{}, chapters: []chapter{{began, c.was}, {now, c.is}}}
			judge.Metrics = []sequential.Metric{sequential.Rate{Pass: sequential.Margin{Factor: 1.1}}}
			c.before.Window = metrics.Window{From: began, To: now}
			r := analysis.Request{Began: began, Earlier: []analysis.Block{c.before}, Canary: c.share, Window: metrics.Window{From: now, To: now.Add(65 * time.Second)}}
			result, err := judge.Analyze(t.Context(), r)
			require.NoError(t, err)
			f := report(result).Findings[0]
			require.NotZero(t, f.Requests, result.Reason)
			require.InEpsilon(t, f.Requests/c.requests, f.After.Seconds(), 0.01, result.Reason)
		})
	}
}
