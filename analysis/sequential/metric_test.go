package sequential_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

const ms = time.Millisecond

func TestASlowerCanaryFailsByTheBoundThatShowsItBest(t *testing.T) {
	for _, c := range []struct {
		name    string
		mean    time.Duration
		verdict analysis.Verdict
		says    string
	}{
		{"half as fast again", 120 * ms, analysis.Fail, `canary has \d+/\d+ \(.*\) requests slower than 250ms, stable .* times the rate; not by chance`},
		{"as fast", 80 * ms, analysis.Pass, `requests slower than .* times the rate`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(arm{mean: 80 * ms}, arm{mean: c.mean})
			judge := judgeOf(s)
			judge.Metrics = []sequential.Metric{sequential.Latency{}}
			r, err := judge.Analyze(t.Context(), request(3600))
			require.NoError(t, err)
			require.Equal(t, c.verdict, r.Verdict, r.Reason)
			require.Regexp(t, c.says, r.Reason)
			require.Equal(t, 3, s.asked, "one question for each arm, and one about the time before")
		})
	}
}

func TestLatencyWithoutAPastChoosesItsBoundsByTheFirstLook(t *testing.T) {
	for _, c := range []struct {
		mean    time.Duration
		verdict analysis.Verdict
	}{{80 * ms, analysis.Pass}, {160 * ms, analysis.Fail}} {
		s := newShop(arm{mean: 80 * ms}, arm{mean: c.mean})
		past := &emptyPast{shop: s, begin: request(1).Window.From}
		judge := judgeOf(s)
		judge.Provider = past
		judge.Metrics = []sequential.Metric{sequential.Latency{Before: time.Minute}}
		r, err := judge.Analyze(t.Context(), request(3600))
		require.NoError(t, err)
		require.Equal(t, c.verdict, r.Verdict, r.Reason)
		require.Equal(t, time.Minute, past.asked.Length())
		require.InDelta(t, 0, report(r).Trace.LogE[0], 1e-12, "what chose the bounds is no evidence")
	}
	none := newShop(arm{}, arm{mean: 80 * ms})
	none.err = map[metrics.Arm]error{shopV1: metrics.ErrNoTraffic}
	judge := judgeOf(none)
	judge.Metrics = []sequential.Metric{sequential.Latency{}}
	r, err := judge.Analyze(t.Context(), request(3600))
	require.NoError(t, err)
	require.Equal(t, analysis.Blind, r.Verdict)
	require.Equal(t, analysis.NoReadings, r.Blindness)
	require.Contains(t, r.Reason, "no requests to stable to compare with")
}

// emptyPast is a shop whose baseline had no requests before the rollout.
type emptyPast struct {
	*shop
	begin time.Time
	asked metrics.Window
}

func (p *emptyPast) SlowerThan(ctx context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window) ([][]metrics.Counts, error) {
	if !windows[0].To.After(p.begin) {
		p.asked = windows[0]
		return nil, metrics.ErrNoTraffic
	}
	return p.shop.SlowerThan(ctx, q, bounds, windows)
}

func TestAQuantileIsJudgedByTheBoundsAroundItsTarget(t *testing.T) {
	for _, c := range []struct {
		name    string
		metric  sequential.Quantile
		mean    time.Duration
		verdict analysis.Verdict
		says    string
	}{
		{"a target on a bound, missed", sequential.Quantile{Quantile: 0.99, Target: 250 * ms}, 80 * ms, analysis.Fail,
			`canary has \d+/\d+ \(.*%\) requests slower than 250ms: .*% to .*% of its requests; not by chance`},
		{"a target on a bound, met", sequential.Quantile{Quantile: 0.99, Target: 500 * ms}, 80 * ms, analysis.Pass, "slower than 500ms"},
		{"between bounds, missed at the upper one", sequential.Quantile{Quantile: 0.9, Target: 200 * ms}, 200 * ms, analysis.Fail, "slower than 250ms"},
		{"between bounds that are too far apart", sequential.Quantile{Quantile: 0.9, Target: 200 * ms}, 80 * ms, analysis.Inconclusive,
			"the bounds of the histogram around 200ms are too far apart to tell"},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := judgeOf(newShop(arm{mean: 10 * ms}, arm{mean: c.mean}))
			judge.Metrics = []sequential.Metric{c.metric}
			r, err := judge.Analyze(t.Context(), request(3600))
			require.NoError(t, err)
			require.Equal(t, c.verdict, r.Verdict, r.Reason)
			require.Regexp(t, c.says, r.Reason)
		})
	}
}

// scales are Gaugers whose arms weigh this much, give or take 5 %.
type scales map[string]float64

func (s scales) Values(_ context.Context, query string, windows []metrics.Window) ([]float64, error) {
	mean, ok := s[query]
	if !ok {
		return nil, fmt.Errorf("%s: %w", query, metrics.ErrNoSeries)
	}
	values := make([]float64, len(windows))
	for i, w := range windows {
		dice := rand.New(rand.NewPCG(uint64(w.To.Unix()), uint64(mean)))
		if values[i] = mean * math.Exp(0.05*dice.NormFloat64()); i%40 == 7 {
			values[i] = math.NaN() // a gap
		}
	}
	return values, nil
}

func TestAGaugeIsComparedByItsRatio(t *testing.T) {
	memory := func(canary float64, weight float64) sequential.Gauge {
		return sequential.Gauge{Provider: scales{"v1": 400, "v2": canary}, Name: "memory per pod", Canary: "v2", Baseline: "v1", Weight: weight}
	}
	for _, c := range []struct {
		name    string
		metrics []sequential.Metric
		verdict analysis.Verdict
		says    string
	}{
		{"twice the memory", []sequential.Metric{memory(800, 0)}, analysis.Fail, `memory per pod is 8.* in the canary, [34].* in stable: .* times as much; not by chance`},
		{"twice the memory, which is not to fail", []sequential.Metric{sequential.Rate{}, memory(800, sequential.None)}, analysis.Inconclusive, "the values do not speak for a pass"},
		{"the same memory", []sequential.Metric{memory(400.1, 0)}, analysis.Pass, "memory per pod is"},
		{"nobody weighs the canary", []sequential.Metric{sequential.Gauge{Provider: scales{"v1": 1}, Name: "memory", Canary: "v2", Baseline: "v1"}}, analysis.Blind, "no memory of both arms: the store knows no series"},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := judgeOf(newShop(arm{bad: 0.005}, arm{bad: 0.005}))
			judge.Metrics = c.metrics
			r, err := judge.Analyze(t.Context(), request(1800))
			require.NoError(t, err)
			require.Equal(t, c.verdict, r.Verdict, r.Reason)
			require.Regexp(t, c.says, r.Reason)
		})
	}
	judge := judgeOf(newShop(arm{}, arm{}))
	judge.Metrics = []sequential.Metric{memory(440, 0)} // on the tolerance
	r, err := judge.Analyze(t.Context(), request(300))
	require.NoError(t, err)
	require.Equal(t, analysis.Inconclusive, r.Verdict)
	require.NotZero(t, r.Values[0].Number)
}

func TestAnObjectiveIsJudgedWithoutTheBaseline(t *testing.T) {
	judge := judgeOf(newShop(arm{bad: 0.1}, arm{bad: 0.05}))
	judge.Metrics = []sequential.Metric{sequential.Rate{Objective: 0.99}}
	r, err := judge.Analyze(t.Context(), request(600))
	require.NoError(t, err)
	require.Equal(t, analysis.Fail, r.Verdict)
	require.Regexp(t, `canary has .* server errors: .*% to .*% of its requests; not by chance`, r.Reason)

	judge = judgeOf(newShop(arm{bad: 0.1}, arm{bad: 0.0005}))
	judge.Metrics = []sequential.Metric{sequential.Rate{Objective: 0.99}}
	r, err = judge.Analyze(t.Context(), request(3600))
	require.NoError(t, err)
	require.Equal(t, analysis.Pass, r.Verdict, r.Reason)
}

func TestOneOfSeveralMetricsIsNamed(t *testing.T) {
	judge := judgeOf(newShop(arm{bad: 0.005, mean: 80 * ms}, arm{bad: 0.1, mean: 80 * ms}))
	judge.Metrics = []sequential.Metric{sequential.Rate{Weight: 2}, sequential.Latency{}, sequential.Rate{Objective: 0.5}}
	r, err := judge.Analyze(t.Context(), request(1800))
	require.NoError(t, err)
	require.Equal(t, analysis.Fail, r.Verdict)
	require.Len(t, report(r).Findings, 3)
	require.False(t, report(r).Findings[1].Suspect)
	require.Contains(t, r.Reason, "server errors")
	require.NotContains(t, r.Reason, "slower")
	require.Len(t, r.Values, 6)
}
