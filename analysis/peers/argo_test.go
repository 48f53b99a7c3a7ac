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

func TestArgo(t *testing.T) {
	good, bad := peers.BadAtMost(0.01), peers.BadAbove(0.05)
	for name, c := range map[string]struct {
		argo   peers.Argo
		canary []int
		want   analysis.Verdict
		reason string
	}{
		"enough checks": {peers.Argo{Success: good, Count: 2}, []int{0, 1, 50}, analysis.Pass,
			"2 of 2 checks made, 0 failed; the last check was successful: canary has 1/100 (1.00%) server errors"},
		"not yet enough checks": {peers.Argo{Success: good, Count: 4}, []int{0, 1}, analysis.Inconclusive,
			"2 of 4 checks made, 0 failed; the last check was successful: canary has 1/100 (1.00%) server errors"},
		"failures within the limit": {peers.Argo{Success: good, Count: 3, FailureLimit: 1}, []int{0, 2, 0}, analysis.Pass,
			"3 of 3 checks made, 1 failed; the last check was successful: canary has 0/100 (0.00%) server errors"},
		"one failure is one too many": {peers.Argo{Success: good, Count: 3}, []int{0, 2, 0}, analysis.Fail,
			"failed checks: 1, at most 0 accepted; the last check was failed: canary has 2/100 (2.00%) server errors"},
		"only what fails is said": {peers.Argo{Failure: bad, Count: 1}, []int{5}, analysis.Pass,
			"1 of 1 checks made, 0 failed; the last check was successful: canary has 5/100 (5.00%) server errors"},
		"only what fails is said, and it does": {peers.Argo{Failure: bad, Count: 1}, []int{6}, analysis.Fail,
			"failed checks: 1, at most 0 accepted; the last check was failed: canary has 6/100 (6.00%) server errors"},
		"failure wins if both hold": {peers.Argo{Success: good, Failure: peers.BadAtMost(0), Count: 1}, []int{0}, analysis.Fail,
			"failed checks: 1, at most 0 accepted; the last check was failed: canary has 0/100 (0.00%) server errors"},
		"neither holds": {peers.Argo{Success: good, Failure: bad, Count: 2}, []int{3, 0, 0}, analysis.Inconclusive,
			"inconclusive checks: 1, at most 0 accepted, a person must decide; the last check was inconclusive: canary has 3/100 (3.00%) server errors"},
		"neither holds, within the limit": {peers.Argo{Success: good, Failure: bad, Count: 2, InconclusiveLimit: 1}, []int{3, 0}, analysis.Pass,
			"2 of 2 checks made, 0 failed; the last check was successful: canary has 0/100 (0.00%) server errors"},
		"errors do not count": {peers.Argo{Success: good, Count: 2}, []int{-1, -1, -1, -1, 0, -1, -1, -1, -1, 1}, analysis.Pass,
			"2 of 2 checks made, 0 failed; the last check was successful: canary has 1/100 (1.00%) server errors"},
		"five errors in a row": {peers.Argo{Success: good, Count: 2}, []int{0, -1, -1, -1, -1, -1, 0}, analysis.Fail,
			"checks in a row without an answer: 5, at most 4 accepted; the last check was without an answer: canary has nothing (no requests in the window)"},
		"no error is accepted": {peers.Argo{Success: good, ConsecutiveErrorLimit: peers.NoErrors}, []int{-1}, analysis.Fail,
			"checks in a row without an answer: 1, at most 0 accepted; the last check was without an answer: canary has nothing (no requests in the window)"},
		"in the background": {peers.Argo{Success: good, FailureLimit: 2}, []int{0, 3, 3}, analysis.Pass,
			"checks made: 3, failed: 2; the last check was failed: canary has 3/100 (3.00%) server errors"},
		"in the background, nothing good yet": {peers.Argo{Success: good, FailureLimit: 2}, []int{3, -1}, analysis.Inconclusive,
			"checks made: 1, failed: 1; the last check was without an answer: canary has nothing (no requests in the window)"},
		"the first minutes are left out": {peers.Argo{Success: good, InitialDelay: 2 * time.Minute}, []int{90, 90, 0}, analysis.Pass,
			"checks made: 1, failed: 0; the last check was successful: canary has 0/100 (0.00%) server errors"},
		"before the first check": {peers.Argo{Success: good, InitialDelay: 2 * time.Minute}, []int{90}, analysis.Blind,
			"the first check is complete in 2m0s"},
		"dry run": {peers.Argo{Success: good, DryRun: true}, []int{90}, analysis.Pass,
			"dry run, would be fail: failed checks: 1, at most 0 accepted; the last check was failed: canary has 90/100 (90.00%) server errors"},
	} {
		t.Run(name, func(t *testing.T) {
			c.argo.Provider, c.argo.Canary, c.argo.Every = minutes{v2: hundreds(c.canary...)}, v2, time.Minute
			result, err := c.argo.Analyze(t.Context(), after(time.Duration(len(c.canary))*time.Minute))
			require.NoError(t, err)
			require.Equal(t, c.want, result.Verdict)
			require.Equal(t, c.reason, result.Reason)
		})
	}
}

func TestADryRunIsWithoutEffectEvenWithoutAStore(t *testing.T) {
	judge := peers.Argo{Provider: broken(metrics.ErrUnavailable), Canary: v2, Every: time.Minute, Success: peers.BadAtMost(0.01), DryRun: true}
	result, err := judge.Analyze(t.Context(), after(time.Minute))
	require.NoError(t, err)
	require.Equal(t, analysis.Result{Verdict: analysis.Pass, Reason: "dry run, without an answer: analysis: store: metric store unavailable"}, result)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = judge.Analyze(ended, after(time.Minute))
	require.Error(t, err)
}

func TestArgoReportsEveryMistakeAtOnce(t *testing.T) {
	_, err := peers.Argo{Count: -1, FailureLimit: -1, InconclusiveLimit: -1, ConsecutiveErrorLimit: -2, InitialDelay: -1}.Analyze(t.Context(), minute)
	for _, want := range []string{
		"Every is 0s", "Count is -1", "FailureLimit is -1", "InconclusiveLimit is -1", "ConsecutiveErrorLimit is -2", "InitialDelay is -1ns",
		"no condition; want Success, Failure or both", "the arm needs", "no Provider",
	} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorIs(t, err, metrics.ErrBadQuery)
}

func ExampleArgo() {
	// interval: 1m, count: 4, failureLimit: 1, successCondition: result[0] >= 0.95
	errors := peers.Argo{
		Provider: minutes{v2: hundreds(0, 9, 1, 2, 0)}, Canary: v2, Every: time.Minute, Count: 4, FailureLimit: 1,
		Success: peers.BadAtMost(0.05),
	}
	latency := errors
	latency.Signal, latency.DryRun = metrics.SlowerThan(time.Second), true
	result, err := analysis.All(errors, latency).Analyze(context.Background(), after(5*time.Minute))
	fmt.Println(result.Verdict, err)
	for _, v := range result.Values[:4] {
		fmt.Println(v.Name+":", v)
	}
	// Output:
	// pass <nil>
	// server errors: canary 2/100 (2.00%)
	// failed checks: 1 of 1
	// inconclusive checks: 0 of 0
	// checks in a row without an answer: 0 of 4
}
