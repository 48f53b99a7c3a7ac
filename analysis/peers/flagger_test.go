package peers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/peers"
	"github.com/serin-go/serin/metrics"
)

func TestFlagger(t *testing.T) {
	for name, c := range map[string]struct {
		canary     []int
		threshold  int
		iterations int
		want       analysis.Verdict
		reason     string
	}{
		"the last check passed": {[]int{2, 0, 1}, 3, 0, analysis.Pass, "1 of 3 checks failed, rollback at 3; 2 passed in this step, 1 needed"},
		"the last check failed": {[]int{0, 2}, 3, 0, analysis.Inconclusive,
			"1 of 2 checks failed, rollback at 3; in the last one, canary has 2/100 (2.00%) server errors, want at most 1% bad"},
		"too few have passed":           {[]int{0, 1}, 3, 3, analysis.Inconclusive, "0 of 2 checks failed, rollback at 3; 2 passed in this step, 3 needed"},
		"enough have passed":            {[]int{0, 1, 5, 0}, 3, 3, analysis.Pass, "1 of 4 checks failed, rollback at 3; 3 passed in this step, 3 needed"},
		"failures need not be in a row": {[]int{5, 0, 0, 0, 5}, 2, 0, analysis.Fail, "2 of 5 checks failed, rollback at 2; in the last one, canary has 5/100 (5.00%) server errors, want at most 1% bad"},
		"what comes after it failed is not looked at": {[]int{5, 0, 0, 0}, 0, 0, analysis.Fail,
			"1 of 1 checks failed, rollback at 1; in the last one, canary has 5/100 (5.00%) server errors, want at most 1% bad"},
		"no traffic is a failed check": {[]int{-1, -1}, 2, 0, analysis.Fail,
			"2 of 2 checks failed, rollback at 2; in the last one, canary has nothing (no requests in the window), want at most 1% bad"},
		"nothing yet": {nil, 2, 0, analysis.Blind, "the first check is complete in 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			judge := peers.Flagger{
				Provider: minutes{v2: hundreds(c.canary...)}, Canary: v2, Every: time.Minute, Threshold: c.threshold, Iterations: c.iterations,
				Metrics: []peers.FlaggerMetric{{Want: peers.BadAtMost(0.01)}},
			}
			result, err := judge.Analyze(t.Context(), after(time.Duration(len(c.canary))*time.Minute))
			require.NoError(t, err)
			require.Equal(t, c.want, result.Verdict)
			require.Equal(t, c.reason, result.Reason)
		})
	}
}

func TestOneCheckFailsOnceHoweverManyMetricsDo(t *testing.T) {
	judge := peers.Flagger{
		Provider: minutes{v2: hundreds(5, 3)}, Canary: v2, Every: time.Minute, Threshold: 3,
		Metrics: []peers.FlaggerMetric{
			{Want: peers.BadAtMost(0.04)},
			{Signal: metrics.SlowerThan(time.Second), Want: peers.BadAtMost(0.01)},
			{Want: peers.Where("at least 100 requests", func(c metrics.Counts) bool { return c.Total >= 100 })},
		},
	}
	result, err := judge.Analyze(t.Context(), after(2*time.Minute))
	require.NoError(t, err)
	require.Equal(t, analysis.Result{
		Verdict: analysis.Inconclusive, Reason: "2 of 2 checks failed, rollback at 3; in the last one, canary has 3/100 (3.00%) requests slower than 1s, want at most 1% bad",
		Values: []analysis.Value{
			{Name: "server errors", Arm: "canary", Counts: of(3, 100)},
			{Name: "requests slower than 1s", Arm: "canary", Counts: of(3, 100)},
			{Name: "server errors", Arm: "canary", Counts: of(3, 100)},
			{Name: "failed checks", Number: 2, Unit: "of 3"},
		},
	}, result)
}

func TestFlaggerReportsEveryMistakeAtOnce(t *testing.T) {
	_, err := peers.Flagger{Threshold: -1, Iterations: -2, Metrics: []peers.FlaggerMetric{{}}}.Analyze(t.Context(), minute)
	for _, want := range []string{"Every is 0s", "Threshold is -1", "Iterations is -2", "metric 1 has no condition", "the arm needs", "no Provider"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorIs(t, err, metrics.ErrBadQuery)
	require.ErrorContains(t, peers.Flagger{}.Validate(), "no Metrics; want at least one")
}

func ExampleFlagger() {
	// interval: 1m, threshold: 2, request-success-rate min 99
	judge := peers.Flagger{
		Provider: minutes{v2: hundreds(0, 1, 7, 0, 9)}, Canary: v2, Every: time.Minute, Threshold: 2,
		Metrics: []peers.FlaggerMetric{{Signal: metrics.ServerErrors(), Want: peers.BadAtMost(0.01)}},
	}
	for _, passed := range []time.Duration{2 * time.Minute, 3 * time.Minute, 5 * time.Minute} {
		result, err := judge.Analyze(context.Background(), after(passed))
		fmt.Println(result.Verdict, err)
		fmt.Println(result.Reason)
	}
	// Output:
	// pass <nil>
	// 0 of 2 checks failed, rollback at 2; 2 passed in this step, 1 needed
	// inconclusive <nil>
	// 1 of 3 checks failed, rollback at 2; in the last one, canary has 7/100 (7.00%) server errors, want at most 1% bad
	// fail <nil>
	// 2 of 5 checks failed, rollback at 2; in the last one, canary has 9/100 (9.00%) server errors, want at most 1% bad
}
