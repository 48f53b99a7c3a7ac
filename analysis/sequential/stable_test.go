package sequential_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// V17: the canary hurts both versions by what they share. No comparison of the two shows it, and
// stable's own past does, within a few looks; when stable is well again, that is seen as well.
func TestStableIsComparedWithItsOwnPast(t *testing.T) {
	began := time.Unix(1e9, 0)
	begins, ends := began.Add(10*time.Minute), began.Add(20*time.Minute)
	for name, c := range map[string]struct {
		usual, bad float64
		worse      bool
	}{
		"a third fails":           {0.004, 0.3, true},
		"an outage":               {0, 1, true},
		"twice as many":           {0.01, 0.02, false}, // it drifts so much in a day
		"it has always been so":   {0.2, 0.2, false},
		"five points more than 0": {0, 0.05, true},
	} {
		t.Run(name, func(t *testing.T) {
			all := func(bad float64) map[metrics.Arm]arm {
				return map[metrics.Arm]arm{shopV1: {100, bad, 0}, shopV2: {20, bad, 0}}
			}
			s := novel{drawn: draws{}, chapters: []chapter{{began.Add(-2 * time.Hour), all(c.usual)}, {begins, all(c.bad)}, {ends, all(c.usual)}}}
			judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1}
			at := func(after time.Time) analysis.Result {
				result, err := judge.Analyze(t.Context(), analysis.Request{Canary: 1. / 6, Began: began, Window: metrics.Window{From: began, To: after}})
				require.NoError(t, err)
				require.NotEqual(t, analysis.Fail, result.Verdict, result.Reason)
				return result
			}
			require.False(t, at(begins).StableWorse)
			now := at(begins.Add(65 * time.Second))
			require.Equal(t, c.worse, now.StableWorse, now.Reason)
			if c.worse {
				require.Contains(t, now.Reason, "stable itself has ")
				require.Contains(t, now.Reason, " before the rollout")
			}
			require.False(t, at(ends.Add(3*time.Minute)).StableWorse)
		})
	}
	nothing := novel{drawn: draws{}, chapters: []chapter{{began, map[metrics.Arm]arm{shopV1: {100, 1, 0}, shopV2: {20, 1, 0}}}}}
	judge := sequential.Judge{Provider: nothing, Canary: shopV2, Baseline: shopV1}
	result, err := judge.Analyze(t.Context(), analysis.Request{Canary: 1. / 6, Began: began, Window: metrics.Window{From: began, To: ends}})
	require.NoError(t, err)
	require.False(t, result.StableWorse, "it has no past")
}

// A driver's clock that was set back after the rollout began has looks before the beginning; the
// time before them is stable's past.
func TestThePastOfStableEndsBeforeTheFirstLook(t *testing.T) {
	began := time.Unix(1e9, 0)
	all := map[metrics.Arm]arm{shopV1: {100, 0.004, 0}, shopV2: {20, 0.004, 0}}
	judge := sequential.Judge{Provider: strict{novel{drawn: draws{}, chapters: []chapter{{began.Add(-3 * time.Hour), all}}}}, Canary: shopV2, Baseline: shopV1}
	for _, early := range []time.Duration{-time.Hour, 0, time.Minute, 2 * time.Hour} {
		result, err := judge.Analyze(t.Context(), analysis.Request{
			Canary: 1. / 6, Began: began, Window: metrics.Window{From: began.Add(-early), To: began.Add(10*time.Minute - early)},
		})
		require.NoError(t, err, early)
		require.NotEqual(t, analysis.Blind, result.Verdict, result.Reason)
	}
}

// strict refuses windows that overlap, as a Provider does.
type strict struct{ novel }

func (s strict) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	if err := metrics.Windows(windows); err != nil {
		return nil, err
	}
	return s.novel.Sequence(ctx, q, windows)
}

// A rollout that has waited for a month, so that its first looks were dropped, costs a query no more
// than its looks and an hour: nobody reads the month between. Stable's past still counts.
func TestThePastOfStableCostsNoMonth(t *testing.T) {
	began := time.Unix(1e9, 0)
	now := began.AddDate(0, 1, 0)
	all := func(bad float64) map[metrics.Arm]arm {
		return map[metrics.Arm]arm{shopV1: {100, bad, 0}, shopV2: {20, bad, 0}}
	}
	s := brief{strict{novel{drawn: draws{}, chapters: []chapter{{began.Add(-time.Hour), all(0.004)}, {now, all(0.3)}}}}, t, 2 * time.Hour}
	judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1}
	result, err := judge.Analyze(t.Context(), analysis.Request{
		Canary: 1. / 6, Began: began, Dropped: 100_000, Window: metrics.Window{From: now.Add(-30 * time.Minute), To: now.Add(5 * time.Minute)},
	})
	require.NoError(t, err)
	require.True(t, result.StableWorse, result.Reason)
}

// brief allows no query of more than the most.
type brief struct {
	strict
	t    *testing.T
	most time.Duration
}

func (b brief) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	require.LessOrEqual(b.t, windows[len(windows)-1].To.Sub(windows[0].From), b.most)
	return b.strict.Sequence(ctx, q, windows)
}

// A neighbour that the canary overloads is as bad as a stable that it overloads: a service that it
// calls, here. What nobody knows has no past, and is no reason.
func TestANeighbourThatTurnsBadIsAReasonToRetreat(t *testing.T) {
	began := time.Unix(1e9, 0)
	prices, unknown := metrics.Arm{Service: "prices.shop.svc.cluster.local"}, metrics.Arm{Service: "nobody"}
	arms := func(bad float64) map[metrics.Arm]arm {
		return map[metrics.Arm]arm{shopV1: {100, 0.004, 0}, shopV2: {20, 0.004, 0}, prices: {50, bad, 0}}
	}
	for name, c := range map[string]struct {
		bad   float64
		who   metrics.Arm
		r     analysis.Request
		worse bool
	}{
		"as before":           {0.01, prices, analysis.Request{Canary: 1. / 6}, false},
		"twice as bad":        {0.02, prices, analysis.Request{Canary: 1. / 6}, false},
		"a third fails":       {0.33, prices, analysis.Request{Canary: 1. / 6}, true},
		"with everything":     {0.33, prices, analysis.Request{Canary: 1}, true},
		"nobody knows it":     {0.33, unknown, analysis.Request{Canary: 1. / 6}, false},
		"copies only":         {0.33, prices, analysis.Request{Mirrored: true}, false},
		"stable was promoted": {0.33, prices, analysis.Request{Promoted: true, PromotionBegan: began}, false},
	} {
		t.Run(name, func(t *testing.T) {
			judge := judgeOf(nil)
			judge.Neighbours = []metrics.Arm{c.who}
			judge.Provider = knowing{novel{drawn: draws{}, chapters: []chapter{{began.Add(-2 * time.Hour), arms(0.01)}, {began, arms(c.bad)}}}, unknown}
			c.r.Began, c.r.Window = began, metrics.Window{From: began, To: began.Add(5 * time.Minute)}
			result, err := judge.Analyze(t.Context(), c.r)
			require.NoError(t, err)
			require.Equal(t, c.worse, result.StableWorse, result.Reason)
			if c.worse {
				require.Contains(t, result.Reason, "service prices.shop.svc.cluster.local itself has ")
			}
		})
	}
	judge := judgeOf(newShop(arm{}, arm{}))
	judge.Neighbours = []metrics.Arm{prices, {}}
	require.ErrorContains(t, judge.Validate(), "neighbour 1: ")
}

// knowing has no series of one arm.
type knowing struct {
	novel
	not metrics.Arm
}

func (k knowing) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	if q.Arm == k.not {
		return nil, metrics.ErrNoSeries
	}
	return k.novel.Sequence(ctx, q, windows)
}
