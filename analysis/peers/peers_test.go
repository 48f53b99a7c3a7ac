package peers_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/peers"
	"github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/metrics"
)

// minutes is a Provider with the counts of each arm in the minutes since noon.
// The zero value of a minute is no traffic, and there is no series beyond the
// last one.
type minutes map[metrics.Arm][]metrics.Counts

func (m minutes) Counts(_ context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
	i := int(w.From.Sub(noon) / time.Minute)
	switch {
	case w.Length() != time.Minute || !w.From.Equal(noon.Add(time.Duration(i)*time.Minute)):
		return metrics.Counts{}, fmt.Errorf("asked for %v from %v: %w", w.Length(), w.From, metrics.ErrBadQuery)
	case i < 0 || i >= len(m[q.Arm]):
		return metrics.Counts{}, metrics.ErrNoSeries
	case m[q.Arm][i] == metrics.Counts{}:
		return metrics.Counts{}, metrics.ErrNoTraffic
	}
	return m[q.Arm][i], nil
}

// after is a request that long after noon.
func after(d time.Duration) analysis.Request {
	return analysis.Request{Window: metrics.Window{From: noon, To: noon.Add(d)}}
}

// hundreds returns minutes of a hundred requests, of which so many are bad; below
// zero is a minute without traffic.
func hundreds(bad ...int) []metrics.Counts {
	counts := make([]metrics.Counts, len(bad))
	for i, b := range bad {
		if b >= 0 {
			counts[i] = of(float64(b), 100)
		}
	}
	return counts
}

// peers are the Analyzers that go through the checks of a window.
func judges(p metrics.Provider) map[string]analysis.Analyzer {
	return map[string]analysis.Analyzer{
		"flagger": peers.Flagger{Provider: p, Canary: v2, Every: time.Minute, Threshold: 3, Iterations: 4,
			Metrics: []peers.FlaggerMetric{{Want: peers.BadAtMost(0.01)}}},
		"argo": peers.Argo{Provider: p, Canary: v2, Every: time.Minute, Count: 12, Success: peers.BadAtMost(0.01),
			Failure: peers.BadAbove(0.05), FailureLimit: 2, InconclusiveLimit: 2},
		"kayenta": peers.Kayenta{Provider: p, Canary: v2, Baseline: v1, Every: time.Minute, Lifetime: 12 * time.Minute,
			JudgeEvery: 6 * time.Minute, Groups: []peers.KayentaGroup{{Metrics: []peers.KayentaMetric{{}}}}},
	}
}

func TestWhatFailsOnceFailsAtEveryLaterLook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) []metrics.Counts {
			return hundreds(rapid.SliceOfN(rapid.IntRange(-1, rapid.SampledFrom([]int{1, 8}).Draw(t, "most")), 0, 20).Draw(t, name)...)
		}
		for judge, a := range judges(minutes{v2: draw("canary"), v1: draw("baseline")}) {
			before := analysis.Inconclusive
			for look := range 24 {
				result, err := a.Analyze(t.Context(), after(time.Duration(look)*time.Minute))
				require.NoError(t, err)
				require.NotEmpty(t, result.Reason)
				if before == analysis.Fail || judge == "argo" && before == analysis.Pass {
					require.Equal(t, before, result.Verdict, judge)
				}
				before = result.Verdict
			}
		}
	})
}

func TestOnlyCompleteChecksAreAskedFor(t *testing.T) {
	for judge, a := range judges(broken(metrics.ErrUnavailable)) {
		for _, early := range []time.Duration{-time.Hour, 0, 59 * time.Second} {
			result, err := a.Analyze(t.Context(), after(early))
			require.NoError(t, err, judge)
			require.Equal(t, analysis.Blind, result.Verdict)
			require.NotEmpty(t, result.Reason)
		}
		_, err := a.Analyze(t.Context(), after(time.Minute))
		require.ErrorIs(t, err, metrics.ErrUnavailable, judge)
	}
}

func TestAStoreThatDoesNotAnswerIsNoEvidenceAboutChecks(t *testing.T) {
	for _, want := range []error{metrics.ErrUnavailable, metrics.ErrStale, metrics.ErrPartial, metrics.ErrNoLabel, context.Canceled} {
		for judge, a := range judges(broken(want)) {
			result, err := a.Analyze(t.Context(), after(10*time.Minute))
			require.ErrorIs(t, err, want, judge)
			require.Equal(t, analysis.Result{}, result, judge)
		}
	}
	for judge, a := range judges(store{v1: of(2, 1), v2: of(2, 1)}) {
		_, err := a.Analyze(t.Context(), after(10*time.Minute))
		require.ErrorIs(t, err, metrics.ErrNotCounter, judge)
	}
	for judge, a := range judges(store{v1: {}, v2: {}}) { // against its promise, without an error
		result, err := a.Analyze(t.Context(), after(10*time.Minute))
		require.NoError(t, err, judge)
		require.NotEqual(t, analysis.Pass, result.Verdict, judge)
	}
}

func TestAMistypedIntervalDoesNotAskForEver(t *testing.T) {
	for judge, a := range map[string]analysis.Analyzer{
		"flagger": peers.Flagger{Provider: store{}, Canary: v2, Every: time.Microsecond,
			Metrics: []peers.FlaggerMetric{{Want: peers.BadAtMost(0.01)}}},
		"argo": peers.Argo{Provider: store{}, Canary: v2, Every: time.Microsecond, Success: peers.BadAtMost(0.01)},
	} {
		_, err := a.Analyze(t.Context(), after(time.Hour))
		require.ErrorContains(t, err, "1h0m0s holds 3600000000 checks of 1µs; want at most 10000", judge)
	}
}

func TestConditionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		bad  peers.Condition
		want string
	}{
		{peers.BadAtMost(1.5), "the share of bad requests is 1.5"},
		{peers.BadAbove(math.NaN()), "the share of bad requests is NaN"},
		{peers.Where("at least 10 requests", nil), "the condition needs words and a function"},
		{peers.Where("", func(metrics.Counts) bool { return true }), "the condition needs words and a function"},
		{peers.Condition{}, "no condition"},
	} {
		require.ErrorContains(t, peers.Flagger{Metrics: []peers.FlaggerMetric{{Want: c.bad}}}.Validate(), c.want)
		require.ErrorContains(t, peers.Argo{Success: c.bad}.Validate(), c.want)
	}
	require.Equal(t, "at most 1% bad", peers.BadAtMost(0.01).String())
	require.Equal(t, "more than 0.5% bad", peers.BadAbove(0.005).String())
}

// poisson returns a Provider of Poisson traffic to the canary, rps requests per
// second with a share of bad ones, for an hour.
func poisson(rng *rand.Rand, rps, share float64) minutes {
	m := minutes{}
	for range 60 {
		bad := draw.Poisson(rng, 60*rps*share)
		m[v2] = append(m[v2], of(bad, bad+draw.Poisson(rng, 60*rps*(1-share))))
	}
	return m
}

// TestTheRulesErrAsTheirDocumentationSays counts rollbacks within an hour.
func TestTheRulesErrAsTheirDocumentationSays(t *testing.T) {
	flagger := func(p metrics.Provider) analysis.Analyzer {
		return peers.Flagger{Provider: p, Canary: v2, Every: time.Minute, Threshold: 5,
			Metrics: []peers.FlaggerMetric{{Want: peers.BadAtMost(0.01)}}}
	}
	argo := func(most float64) func(p metrics.Provider) analysis.Analyzer {
		return func(p metrics.Provider) analysis.Analyzer {
			return peers.Argo{Provider: p, Canary: v2, Every: time.Minute, Success: peers.BadAtMost(most), FailureLimit: 3}
		}
	}
	for name, c := range map[string]struct {
		rule        func(metrics.Provider) analysis.Analyzer
		rps, share  float64
		least, most float64 // rollbacks
	}{
		"flagger, healthy, 1 rps":        {flagger, 1, 0.005, 0.98, 1},
		"flagger, healthy, 10 rps":       {flagger, 10, 0.005, 0.15, 0.35},
		"flagger, twice as bad, 10 rps":  {flagger, 10, 0.002, 0, 0.02},
		"argo, healthy, 1 rps":           {argo(0.01), 1, 0.001, 0.35, 0.57},
		"argo, ten times as bad, 1 rps":  {argo(0.05), 1, 0.01, 0, 0.02},
		"argo, ten times as bad, 10 rps": {argo(0.05), 10, 0.01, 0, 0.02},
	} {
		t.Run(name, func(t *testing.T) {
			const rollouts = 100
			rng, failed := rand.New(rand.NewPCG(1, 2)), 0.0
			for range rollouts {
				result, err := c.rule(poisson(rng, c.rps, c.share)).Analyze(t.Context(), after(time.Hour))
				require.NoError(t, err)
				if result.Verdict == analysis.Fail {
					failed++
				}
			}
			require.GreaterOrEqual(t, failed/rollouts, c.least)
			require.LessOrEqual(t, failed/rollouts, c.most)
		})
	}
}
