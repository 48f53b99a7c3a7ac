package analysis_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/judgingtest"
	"github.com/serin-go/serin/metrics"
)

type store = judgingtest.Store

var (
	noon, minute = judgingtest.Noon, judgingtest.Minute
	mirrored     = analysis.Request{Window: minute.Window, Mirrored: true}
	v1, v2       = judgingtest.V1, judgingtest.V2
	broken, of   = judgingtest.Broken, judgingtest.Of
)

func TestThreshold(t *testing.T) {
	for name, c := range map[string]struct {
		counts metrics.Counts
		max    float64
		want   analysis.Verdict
		reason string
	}{
		"few bad requests": {of(12, 1530), 0.01, analysis.Pass,
			"canary has 12/1530 (0.78%) server errors, at most 1% accepted"},
		"too many bad requests": {of(12, 1530), 0.005, analysis.Fail,
			"canary has 12/1530 (0.78%) server errors, more than 0.5%"},
		"exactly the share accepted":  {of(29, 100), 0.29, analysis.Pass, "canary has 29/100 (29.00%) server errors, at most 29% accepted"},
		"not enough requests":         {of(0, 99), 0.01, analysis.Inconclusive, "canary has 99 of the 100 requests needed: canary has 0/99 (0.00%) server errors"},
		"bad, but not yet settled":    {of(1, 2), 0.01, analysis.Inconclusive, "canary has 2 of the 100 requests needed: canary has 1/2 (50.00%) server errors"},
		"settled before all are here": {of(2, 2), 0.01, analysis.Fail, "canary has 2/2 (100.00%) server errors, more than 1%, even if the next 98 are good"},
		"nothing bad is accepted":     {of(1, 7), 0, analysis.Fail, "canary has 1/7 (14.29%) server errors, more than 0%, even if the next 93 are good"},
		"nothing counted":             {of(0, 0), 0, analysis.Blind, "no requests to the canary yet"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := analysis.Threshold{Provider: store{v2: c.counts}, Canary: v2, Max: c.max}.Analyze(t.Context(), minute)
			require.NoError(t, err)
			require.Equal(t, c.want, result.Verdict)
			require.Equal(t, c.reason, result.Reason)
		})
	}
}

// judges are the two judges with everything but a Provider.
func judges(p metrics.Provider) map[string]analysis.Analyzer {
	return map[string]analysis.Analyzer{
		"threshold": analysis.Threshold{Provider: p, Canary: v2, Max: 0.01},
		"compare":   analysis.Compare{Provider: p, Canary: v2, Baseline: v1, Extra: 0.01},
	}
}

func TestNoEvidenceIsNotGoodEvidenceAndNotBadEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"no series":   {metrics.ErrNoSeries, "no requests to the canary yet"},
		"no traffic":  {metrics.ErrNoTraffic, "no requests to the canary yet"},
		"one reading": {metrics.ErrTooFewSamples, "the requests to the canary were not read often enough yet to count them"},
	} {
		for judge, a := range judges(broken(c.err)) {
			t.Run(name+", "+judge, func(t *testing.T) {
				result, err := a.Analyze(t.Context(), minute)
				require.NoError(t, err)
				require.Equal(t, analysis.Result{Blindness: analysis.FewRequests, Reason: c.reason}, result)
			})
		}
	}
}

func TestAnUnusableAnswerIsAnErrorAndNoVerdict(t *testing.T) {
	for _, want := range []error{
		metrics.ErrUnavailable, metrics.ErrPartial, metrics.ErrStale, metrics.ErrNotANumber, metrics.ErrInfinite,
		metrics.ErrNotCounter, metrics.ErrManySeries, metrics.ErrNoBucket, metrics.ErrNoLabel, context.Canceled,
	} {
		for judge, a := range judges(broken(want)) {
			result, err := a.Analyze(t.Context(), minute)
			require.ErrorIs(t, err, want, judge)
			require.Equal(t, analysis.Result{}, result, judge)
		}
	}
	for _, counts := range []metrics.Counts{of(2, 1), of(-1, 1), of(math.NaN(), 1), of(1, math.NaN()), of(1, math.Inf(1))} {
		for judge, a := range judges(store{v2: counts}) {
			_, err := a.Analyze(t.Context(), minute)
			require.ErrorIs(t, err, metrics.ErrNotCounter, "%s %v", judge, counts)
		}
	}
}

func TestBeforeItsWindowBeginsAJudgeAsksNobody(t *testing.T) {
	for judge, a := range judges(broken(errors.New("asked"))) {
		result, err := a.Analyze(t.Context(), analysis.Request{Window: metrics.Window{From: noon.Add(20 * time.Second), To: noon}})
		require.NoError(t, err, judge)
		require.Equal(t, analysis.Result{Reason: "measuring begins in 20s"}, result, judge)
	}
}

func TestTheReporterFollowsTheCopies(t *testing.T) {
	for name, c := range map[string]struct {
		request      analysis.Request
		wanted, want metrics.Reporter
	}{
		"live requests are counted at the source": {minute, metrics.Source, metrics.Source},
		"copies are counted at the destination":   {mirrored, metrics.Source, metrics.Destination},
		"a given reporter is kept":                {minute, metrics.Destination, metrics.Destination},
		"a given waypoint is kept with copies":    {mirrored, metrics.Waypoint, metrics.Waypoint},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []metrics.Query
			p := metrics.ProviderFunc(func(_ context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
				require.Equal(t, c.request.Window, w)
				asked = append(asked, q)
				return of(0, 1000), nil
			})
			signal := metrics.GRPCErrors()
			_, err := analysis.Threshold{Provider: p, Canary: v2, Signal: signal, Reporter: c.wanted, Max: 0.01}.Analyze(t.Context(), c.request)
			require.NoError(t, err)
			_, err = analysis.Compare{Provider: p, Canary: v2, Baseline: v1, Signal: signal, Reporter: c.wanted, Factor: 2}.Analyze(t.Context(), c.request)
			require.NoError(t, err)
			require.Equal(t, []metrics.Query{
				{Arm: v2, Reporter: c.want, Signal: signal},
				{Arm: v2, Reporter: c.want, Signal: signal},
				{Arm: v1, Reporter: c.want, Signal: signal},
			}, asked)
		})
	}
}

func TestAPassNeedsAsManyRequestsAsAreAskedFor(t *testing.T) {
	judge := analysis.Threshold{Provider: store{v2: of(0, 10)}, Canary: v2, Max: 0.1, MinRequests: 10}
	result, err := judge.Analyze(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, analysis.Pass, result.Verdict)

	judge.MinRequests = 11
	result, err = judge.Analyze(t.Context(), minute)
	require.NoError(t, err)
	require.Equal(t, analysis.Inconclusive, result.Verdict)
}

func TestThresholdReportsEveryMistakeAtOnce(t *testing.T) {
	for _, bad := range []float64{-0.1, 1, math.NaN(), math.Inf(1)} {
		_, err := analysis.Threshold{Max: bad, MinRequests: -1}.Analyze(t.Context(), minute)
		for _, want := range []string{"Max is", "MinRequests is -1", "the arm needs", "no Provider"} {
			require.ErrorContains(t, err, want)
		}
		require.ErrorIs(t, err, metrics.ErrBadQuery)
	}
}

// drawCounts draws whole counts of which the first bad are bad.
func drawCounts(t *rapid.T, most int) metrics.Counts {
	total := rapid.IntRange(1, most).Draw(t, "total")
	return of(float64(rapid.IntRange(0, total).Draw(t, "bad")), float64(total))
}

func TestAnEarlyFailIsTheVerdictThatWouldHaveComeAnyway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCounts(t, 99)
		th := analysis.Threshold{Canary: v2, Max: rapid.Float64Range(0, 0.5).Draw(t, "max")}
		verdict := func(c metrics.Counts) analysis.Verdict {
			th.Provider = store{v2: c}
			result, err := th.Analyze(t.Context(), minute)
			require.NoError(t, err)
			return result.Verdict
		}
		atBest := verdict(of(c.Bad, 100)) // all that are missing are good
		switch verdict(c) {
		case analysis.Fail:
			require.Equal(t, analysis.Fail, atBest)
		case analysis.Inconclusive:
			require.Equal(t, analysis.Pass, atBest)
			require.Equal(t, analysis.Fail, verdict(of(c.Total, c.Total)), "a disaster would have been seen")
		default:
			require.Equal(t, analysis.Blind, verdict(of(c.Total, c.Total)), "no disaster could be seen")
		}
	})
}

func TestMoreBadRequestsNeverMakeAVerdictBetter(t *testing.T) {
	rank := map[analysis.Verdict]int{analysis.Pass: 0, analysis.Blind: 1, analysis.Inconclusive: 1, analysis.Fail: 2}
	rapid.Check(t, func(t *rapid.T) {
		c, baseline := drawCounts(t, 500), drawCounts(t, 500)
		worse := of(float64(rapid.IntRange(int(c.Bad), int(c.Total)).Draw(t, "worse")), c.Total)
		before, after := judges(store{v2: c, v1: baseline}), judges(store{v2: worse, v1: baseline})
		for judge := range before {
			a, err := before[judge].Analyze(t.Context(), minute)
			require.NoError(t, err)
			b, err := after[judge].Analyze(t.Context(), minute)
			require.NoError(t, err)
			require.LessOrEqual(t, rank[a.Verdict], rank[b.Verdict], judge)
		}
	})
}
