package peers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/peers"
	"github.com/serin-go/serin/metrics"
)

// atOnce is minutes that answer one question for all windows, but not for bounds
// of latency.
type atOnce struct {
	metrics.Sequencer
	minutes
}

func (a atOnce) Counts(ctx context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	return a.minutes.Counts(ctx, q, w)
}

func (a atOnce) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts, any := make([]metrics.Counts, len(windows)), false
	for i, w := range windows {
		c, err := a.Counts(ctx, q, w)
		if err != nil && !metrics.NoData(err) {
			return nil, err
		}
		counts[i], any = c, any || err == nil
	}
	if !any {
		return nil, metrics.ErrNoTraffic
	}
	return counts, nil
}

// sequence is a Provider that has only this answer for all windows.
type sequence struct {
	metrics.Sequencer
	counts []metrics.Counts
	err    error
}

func (s sequence) Sequence(context.Context, metrics.Query, []metrics.Window) ([]metrics.Counts, error) {
	return s.counts, s.err
}

func TestOneQuestionForAllChecksIsAnsweredLikeManyQuestions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []metrics.Counts {
			return hundreds(rapid.SliceOfN(rapid.IntRange(-1, 8), 12, 12).Draw(t, name)...)
		}
		p := minutes{v2: draw("canary"), v1: draw("baseline")}
		many, one := judges(p), judges(atOnce{minutes: p})
		r := after(time.Duration(rapid.IntRange(0, 12).Draw(t, "length")) * time.Minute)
		for judge := range many {
			want, err := many[judge].Analyze(t.Context(), r)
			require.NoError(t, err)
			got, err := one[judge].Analyze(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, want, got, judge)
		}
	})
}

func TestAnUnusableAnswerForAllChecksIsAnError(t *testing.T) {
	for _, c := range []struct {
		s    sequence
		want error
	}{
		{sequence{err: metrics.ErrUnavailable}, metrics.ErrUnavailable},
		{sequence{err: metrics.ErrStale}, metrics.ErrStale},
		{sequence{counts: hundreds(1)}, metrics.ErrPartial},
		{sequence{counts: []metrics.Counts{of(0, 1), of(2, 1)}}, metrics.ErrNotCounter},
	} {
		for judge, a := range judges(c.s) {
			result, err := a.Analyze(t.Context(), after(2*time.Minute))
			require.ErrorIs(t, err, c.want, judge)
			require.Equal(t, analysis.Result{}, result)
		}
	}
}

func TestAGapInTheReadingsIsSilenceOnceItIsOver(t *testing.T) {
	inGap := func(_ context.Context, _ metrics.Query, w metrics.Window) (metrics.Counts, error) {
		if w.From.Equal(noon.Add(time.Minute)) {
			return metrics.Counts{}, fmt.Errorf("store: %w", metrics.ErrStale)
		}
		return of(0, 100), nil
	}
	judge := judges(metrics.ProviderFunc(inGap))["flagger"]
	_, err := judge.Analyze(t.Context(), after(2*time.Minute))
	require.ErrorIs(t, err, metrics.ErrStale)
	result, err := judge.Analyze(t.Context(), after(3*time.Minute))
	require.NoError(t, err)
	require.Equal(t, "1 of 3 checks failed, rollback at 3; 2 passed in this step, 4 needed", result.Reason)
}

// steps is a request in the third step of a rollout, that long after noon: the
// first two had four minutes each, and half a minute passed between them.
func steps(d time.Duration) analysis.Request {
	r := after(d)
	r.Window.From = noon.Add(10 * time.Minute)
	for _, from := range []time.Duration{0, 5 * time.Minute} {
		w := metrics.Window{From: noon.Add(from), To: noon.Add(from + 4*time.Minute + 30*time.Second)}
		r.Earlier = append(r.Earlier, analysis.Block{Window: w})
	}
	return r
}

func TestFailedChecksOfEarlierStepsCount(t *testing.T) {
	//                              0  1  2  3  4  5  6  7  8  9  10 11 12
	p := minutes{v2: hundreds(0, 9, 0, 0, 99, 0, 0, 9, 0, 99, 0, 0, 9)}
	flagger := judges(p)["flagger"].(peers.Flagger)
	flagger.Iterations = 2
	argo := peers.Argo{Provider: p, Canary: v2, Every: time.Minute, Success: peers.BadAtMost(0.01), FailureLimit: 2}
	stepwise, delayed := argo, argo
	stepwise.Count, delayed.InitialDelay = 3, 6*time.Minute
	for _, c := range []struct {
		judge  analysis.Analyzer
		after  time.Duration
		want   analysis.Verdict
		reason string
	}{
		{flagger, 10 * time.Minute, analysis.Blind, "the first check is complete in 1m0s"},
		{flagger, 11 * time.Minute, analysis.Inconclusive, "2 of 9 checks failed, rollback at 3; 1 passed in this step, 2 needed"},
		{flagger, 12 * time.Minute, analysis.Pass, "2 of 10 checks failed, rollback at 3; 2 passed in this step, 2 needed"},
		{flagger, 13 * time.Minute, analysis.Fail, "3 of 11 checks failed, rollback at 3; in the last one, canary has 9/100 (9.00%) server errors, want at most 1% bad"},
		{argo, 10 * time.Minute, analysis.Blind, "the first check is complete in 1m0s"},
		{argo, 12 * time.Minute, analysis.Pass, "checks made: 10, failed: 2; the last check was successful: canary has 0/100 (0.00%) server errors"},
		{argo, 13 * time.Minute, analysis.Fail, "failed checks: 3, at most 2 accepted; the last check was failed: canary has 9/100 (9.00%) server errors"},
		{stepwise, 13 * time.Minute, analysis.Pass, "3 of 3 checks made, 1 failed; the last check was failed: canary has 9/100 (9.00%) server errors"},
		{delayed, 13 * time.Minute, analysis.Pass, "checks made: 6, failed: 2; the last check was failed: canary has 9/100 (9.00%) server errors"},
	} {
		result, err := c.judge.Analyze(t.Context(), steps(c.after))
		require.NoError(t, err)
		require.Equal(t, c.want, result.Verdict, "%T after %v", c.judge, c.after)
		require.Equal(t, c.reason, result.Reason)
	}
	flagger.Threshold = 1
	result, err := flagger.Analyze(t.Context(), steps(10*time.Minute))
	require.NoError(t, err)
	require.Equal(t, analysis.Fail, result.Verdict, "it failed in the first step")
}

func TestEachStepIsCountedByWhomeverSawIt(t *testing.T) {
	var asked []metrics.Reporter
	p := metrics.ProviderFunc(func(_ context.Context, q metrics.Query, _ metrics.Window) (metrics.Counts, error) {
		asked = append(asked, q.Reporter)
		return of(0, 100), nil
	})
	r := after(2 * time.Minute)
	r.Window.From = noon.Add(time.Minute)
	r.Earlier = []analysis.Block{{Window: after(time.Minute).Window, Mirrored: true}}
	for _, judge := range []analysis.Analyzer{
		peers.Flagger{Provider: p, Canary: v2, Every: time.Minute, Metrics: []peers.FlaggerMetric{{Want: peers.BadAtMost(0)}}},
		peers.Argo{Provider: p, Canary: v2, Every: time.Minute, Success: peers.BadAtMost(0)},
	} {
		asked = nil
		result, err := judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, analysis.Pass, result.Verdict)
		require.Equal(t, []metrics.Reporter{metrics.Destination, metrics.Source}, asked)
	}
}
