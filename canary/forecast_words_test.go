package canary_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
)

// The words of a forecast have no time that is over before it began, and none that nobody lives to see.
func TestAForecastHasNoAbsurdTimes(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour // the longest deadline of a plan
	plan, err := canary.NewPlan("shop").
		Weights(canary.List(canary.Percent, 50*canary.Percent, canary.Full), canary.Step{Hold: time.Minute, Deadline: century}).Build()
	require.NoError(t, err)
	for _, load := range []analysis.Load{{PerSecond: 1e-9}, {PerSecond: 100, Bad: 1e-6}, {PerSecond: 0.01}} {
		f, err := plan.Forecast(t.Context(), sequential.Judge{}, load)
		require.NoError(t, err)
		require.NotContains(t, f.String(), "about -")
		require.Regexp(t, "a doubling of errors is not found within a month|1e-09 requests a second, 0.1% of them bad, the steps take about 876000h0m0s", f.String())
	}
}
