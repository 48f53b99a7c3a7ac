package sequential_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// refuses is a FailOnly metric: the shop fails every Signal alike.
var refuses = sequential.Rate{Signal: metrics.ClientErrors(), FailOnly: true}

func TestAMetricThatFailsOnlyHasToBeOne(t *testing.T) {
	judge := judgeOf(newShop(arm{}, arm{}))
	require.NoError(t, judge.Validate())
	for says, all := range map[string][]sequential.Metric{
		"all metrics are FailOnly":                           {refuses, refuses},
		"it is FailOnly, and has a Pass margin or no Weight": {sequential.Rate{}, sequential.Rate{FailOnly: true, Weight: sequential.None}},
		"metric 1 (server errors): it is FailOnly, and has":  {sequential.Rate{}, sequential.Rate{FailOnly: true, Pass: sequential.Margin{Factor: 2}}},
		"the Factor of the Fail margin is 0.5":               {sequential.Rate{}, sequential.Rate{FailOnly: true, Fail: sequential.Margin{Factor: 0.5}}},
	} {
		judge.Metrics = all
		require.ErrorContains(t, judge.Validate(), says)
	}
}

// Beside the other default metrics an outage is found as soon as without them, and one that only
// the FailOnly metric sees two looks later.
func TestTheDefaultsFindAnOutageInThreeLooks(t *testing.T) {
	for name, c := range map[string]struct {
		metrics []sequential.Metric
		looks   int
	}{
		"by default":     {nil, 3},
		"alone":          {[]sequential.Metric{sequential.Rate{}}, 3},
		"client errors":  {[]sequential.Metric{sequential.Rate{Objective: 0.1}, refuses}, 3},
		"a heavy weight": {[]sequential.Metric{sequential.Rate{Objective: 0.1, Weight: 1}, sequential.Rate{FailOnly: true, Weight: 1}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(arm{bad: 0.001}, arm{bad: 0.9})
			judge := judgeOf(s)
			judge.Metrics = c.metrics
			for looks := 1; ; looks++ {
				r, err := judge.Analyze(t.Context(), request(15*looks+5))
				require.NoError(t, err)
				if r.Verdict == analysis.Fail {
					require.Equal(t, c.looks, looks, r.Reason)
					return
				}
				require.Less(t, looks, c.looks, r.Reason)
			}
		})
	}
}

// A canary may know the hosts of copies by no name, and answer 404 to all of them.
func TestCopiesAreNoClientsThatCouldBeRefused(t *testing.T) {
	s := newShop(arm{}, arm{bad: 1})
	judge := judgeOf(s)
	judge.Metrics = []sequential.Metric{sequential.Rate{Objective: 0.0001}, refuses}
	r := request(600)
	r.Canary, r.Mirrored = 0, true
	result, err := judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.NotEqual(t, analysis.Fail, result.Verdict, result.Reason)

	r.Canary, r.Mirrored = 0.05, false
	r.Earlier = []analysis.Block{{Window: r.Window, Mirrored: true}}
	r.Window = metrics.Window{From: r.Window.To, To: r.Window.To.Add(2 * time.Minute)}
	result, err = judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, analysis.Fail, result.Verdict, result.Reason)
}

// V9: half of the requests are read, and those fail ten times as often in any version. Only they are
// copied, so the copies fail more often than all requests to stable; that is no fault of the canary.
func TestCopiesOfReadsAreComparedByAWideMargin(t *testing.T) {
	for name, c := range map[string]struct {
		bad  float64
		all  bool
		want analysis.Verdict
	}{
		"healthy":                  {0.01, false, analysis.Inconclusive},
		"every tenth copy fails":   {0.1, false, analysis.Fail},
		"all requests were copied": {0.01, true, analysis.Fail},
	} {
		for _, rate := range []float64{10, 100} {
			s := &shop{seed: 7, arms: map[metrics.Arm]arm{shopV1: {requests: rate, bad: 0.0055}, shopV2: {requests: rate / 2, bad: c.bad}}}
			judge := judgeOf(s)
			judge.Tuning.AllCopied = c.all
			r := request(3600)
			r.Canary, r.Mirrored = 0, true
			result, err := judge.Analyze(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, c.want, result.Verdict, "%s at %v: %s", name, rate, result.Reason)
		}
	}
}
