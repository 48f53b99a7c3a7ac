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

// V1: after an hour without a fault an outage is found in three looks, whatever else is judged, and
// never in two.
func TestAnOutageIsFoundInThreeLooksWhateverElseIsJudged(t *testing.T) {
	const look, fine = 15 * time.Second, 20 * time.Millisecond
	began := time.Unix(1e9, 0)
	fault := began.Add(time.Hour)
	metricsOf := []sequential.Metric{
		sequential.Rate{}, sequential.Latency{}, sequential.Rate{Signal: metrics.SlowerThan(time.Second)}, sequential.Latency{Before: time.Minute},
	}
	for n := range len(metricsOf) {
		for _, rate := range []float64{0, 0.004, 0.04} {
			for _, strict := range []bool{false, true} {
				t.Run(fmt.Sprint(n+1, " metrics, ", rate, ", strict ", strict), func(t *testing.T) {
					usual, down := arm{10, rate, fine}, arm{10, 1, fine}
					s := novel{drawn: draws{}, chapters: []chapter{
						{began.Add(-time.Hour), map[metrics.Arm]arm{shopV1: usual}},
						{began, map[metrics.Arm]arm{shopV1: usual, shopV2: usual}},
						{fault, map[metrics.Arm]arm{shopV1: usual, shopV2: down}},
					}}
					judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1, Metrics: metricsOf[:n+1], Tuning: sequential.Tuning{Strict: strict}}
					looks := 0
					for verdict := analysis.Blind; verdict != analysis.Fail; looks++ {
						to := fault.Add(time.Duration(looks)*look + look/3)
						result, err := judge.Analyze(t.Context(), analysis.Request{Canary: 0.5, Began: began, Window: metrics.Window{From: began, To: to}})
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
