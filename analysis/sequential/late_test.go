package sequential_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// V1, V4: after an hour without a fault an outage is found in three looks, whatever else is judged,
// beside stable and alone, and never in two.
func TestAnOutageIsFoundInThreeLooksWhateverElseIsJudged(t *testing.T) {
	const look, fine, half = 15 * time.Second, 20 * time.Millisecond, 30 * time.Minute
	began := time.Unix(1e9, 0)
	fault := began.Add(2 * half)
	metricsOf := []sequential.Metric{
		sequential.Rate{}, sequential.Latency{}, sequential.Rate{Signal: metrics.SlowerThan(time.Second)}, sequential.Latency{Before: time.Minute},
	}
	for n := range 2 * len(metricsOf) {
		alone, n := n >= len(metricsOf), n%len(metricsOf)
		for _, rate := range []float64{0, 0.004, 0.04, 0.05} {
			for _, strict := range []bool{false, true} {
				t.Run(fmt.Sprint(n+1, " metrics, ", rate, ", strict ", strict, ", alone ", alone), func(t *testing.T) {
					usual, down := arm{10, rate, fine}, arm{10, 1, fine}
					s := novel{drawn: draws{}, chapters: []chapter{
						{began.Add(-time.Hour), map[metrics.Arm]arm{shopV1: usual}},
						{began, map[metrics.Arm]arm{shopV1: usual, shopV2: usual}},
						{fault, map[metrics.Arm]arm{shopV1: usual, shopV2: down}},
					}}
					judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1, Metrics: metricsOf[:n+1], Tuning: sequential.Tuning{Strict: strict}}
					r := analysis.Request{Canary: 0.5, Began: began, Window: metrics.Window{From: began}}
					if alone {
						r.Canary, r.Window.From = 1, began.Add(half)
						r.Earlier = []analysis.Block{{Window: metrics.Window{From: began, To: began.Add(half)}, Canary: 0.5}}
					}
					looks := 0
					for verdict := analysis.Blind; verdict != analysis.Fail; looks++ {
						r.Window.To = fault.Add(time.Duration(looks)*look + look/3)
						result, err := judge.Analyze(t.Context(), r)
						require.NoError(t, err)
						require.Less(t, looks, 10, result.Reason)
						verdict = result.Verdict
					}
					want := 3
					if strict {
						want = 4
					}
					require.Equal(t, want, looks-1)
				})
			}
		}
	}
}
