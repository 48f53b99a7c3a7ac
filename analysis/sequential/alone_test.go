package sequential_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// chapter is how the arms are from some time on.
type chapter struct {
	from time.Time
	arms map[metrics.Arm]arm
}

// novel is a shop whose arms change.
type novel struct {
	metrics.Provider
	chapters []chapter
	drawn    draws
}

// at is the shop at a time.
func (n novel) at(t time.Time) *shop {
	now := &shop{seed: 1}
	for _, c := range n.chapters {
		if !t.Before(c.from) {
			now.arms = c.arms
		}
	}
	return now
}

func (n novel) Sequence(_ context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts := make([]metrics.Counts, len(windows))
	for i, w := range windows {
		for at := w.From; at.Before(w.To); at = at.Add(time.Second) {
			counts[i] = counts[i].Add(n.drawn.of(n.at(at), q, at))
		}
	}
	return counts, nil
}

func (n novel) SlowerThan(ctx context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window) ([][]metrics.Counts, error) {
	return eachBound(ctx, n.Sequence, q, bounds, windows)
}

// V4: the canary has everything, or stable was promoted and has everything again: the new
// version goes on being judged, against what was learnt of the old one. A fault is found in a few
// looks, whenever it begins, and a healthy version fails in none.
func TestTheNewVersionIsJudgedWhenItHasNoBaseline(t *testing.T) {
	const look = 15 * time.Second
	began := time.Unix(1e9, 0)
	alone := began.Add(20 * time.Minute)
	fine := 20 * time.Millisecond
	for name, promoted := range map[string]bool{"at 100 %": false, "in the bake time": true} {
		for fault, c := range map[string]struct {
			bad   float64
			mean  time.Duration
			most  int // looks; 0: never
			judge []sequential.Metric
		}{
			"healthy":          {0.004, fine, 0, nil},
			"an outage":        {1, fine, 3, nil},
			"every third":      {0.3, fine, 4, nil},
			"all slow":         {0.004, time.Second, 4, []sequential.Metric{sequential.Latency{}}},
			"not slower":       {0.004, fine, 0, []sequential.Metric{sequential.Latency{}}},
			"above each bound": {0.004, fine, 0, []sequential.Metric{sequential.Rate{}, sequential.Latency{Bounds: []time.Duration{time.Nanosecond, time.Microsecond}}}},
		} {
			for _, healthy := range []time.Duration{0, time.Minute, 40 * time.Minute} { // before the fault, alone
				t.Run(fmt.Sprint(name, ", ", fault, " after ", healthy), func(t *testing.T) {
					begins := alone.Add(healthy)
					usual, faulty := arm{20, 0.004, fine}, arm{20, c.bad, c.mean}
					serving := shopV2
					if promoted {
						serving = shopV1
					}
					s := novel{drawn: draws{}, chapters: []chapter{
						{began.Add(-time.Hour), map[metrics.Arm]arm{shopV1: usual}},
						{began, map[metrics.Arm]arm{shopV1: usual, shopV2: usual}},
						{alone, map[metrics.Arm]arm{serving: usual}},
						{begins, map[metrics.Arm]arm{serving: faulty}},
					}}
					judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1, Metrics: c.judge}
					r := analysis.Request{Canary: 1, Earlier: []analysis.Block{{Window: metrics.Window{From: began, To: alone}, Canary: 0.5}}, Began: began}
					if promoted {
						r.Canary, r.PromotionBegan, r.Promoted = 0, alone, true
					}
					for looks := 1; ; looks++ {
						r.Window = metrics.Window{From: alone, To: begins.Add(time.Duration(looks)*look + look/3)}
						result, err := judge.Analyze(t.Context(), r)
						require.NoError(t, err)
						if c.most == 0 {
							require.NotEqual(t, analysis.Fail, result.Verdict, result.Reason)
							if looks == 20 {
								require.NotEqual(t, analysis.Blind, result.Verdict, result.Reason)
								return
							}
						} else if result.Verdict == analysis.Fail {
							return
						}
						require.True(t, c.most == 0 || looks < c.most, "%d looks: %v %s", looks, result.Verdict, result.Reason)
					}
				})
			}
		}
	}
}

// V5, V6: an hour of good copies passes no live step, and a live step that has seen little is none
// that was looked at.
func TestWhatCopiesHaveShownPassesNoLiveStep(t *testing.T) {
	s := newShop(arm{bad: 0.02}, arm{bad: 0.02})
	r := request(3600)
	r.Canary, r.Mirrored = 0, true
	judge := judgeOf(s)
	result, err := judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, analysis.Inconclusive, result.Verdict, result.Reason)
	require.Contains(t, result.Reason, ": copies pass nothing")
	r.Earlier = []analysis.Block{{Window: r.Window, Mirrored: true}}
	r.Canary, r.Mirrored = 0.05, false
	begin := r.Window.To
	for after, want := range map[time.Duration]analysis.Verdict{
		35 * time.Second: analysis.Blind, 55 * time.Second: analysis.Inconclusive, 30 * time.Minute: analysis.Pass,
	} {
		r.Window = metrics.Window{From: begin, To: begin.Add(after)}
		result, err := judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, want, result.Verdict, "%v: %s", after, result.Reason)
	}
}

// V10: both versions fail through something that they share. Nobody passes meanwhile, and nobody
// is blamed.
func TestNothingIsLearntWhileStableFails(t *testing.T) {
	began := time.Unix(1e9, 0)
	usual, down := arm{20, 0.004, 0}, arm{20, 1, 0}
	outage := began.Add(20 * time.Minute)
	s := novel{drawn: draws{}, chapters: []chapter{
		{began, map[metrics.Arm]arm{shopV1: usual, shopV2: usual}},
		{outage, map[metrics.Arm]arm{shopV1: down, shopV2: down}},
		{outage.Add(5 * time.Minute), map[metrics.Arm]arm{shopV1: usual, shopV2: usual}},
	}}
	judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1}
	for after, want := range map[time.Duration]analysis.Verdict{19 * time.Minute: analysis.Pass, 21 * time.Minute: analysis.Blind, 24 * time.Minute: analysis.Blind, 40 * time.Minute: analysis.Pass} {
		result, err := judge.Analyze(t.Context(), analysis.Request{Canary: 0.5, Window: metrics.Window{From: began, To: began.Add(after)}})
		require.NoError(t, err)
		require.Equal(t, want, result.Verdict, "%v: %s", after, result.Reason)
		if want == analysis.Blind {
			require.Equal(t, analysis.StableFails, result.Blindness)
		}
	}
}

// While stable is promoted, and gets its traffic back in steps, both workloads run the new version
// and count together: how they divide the requests says nothing.
func TestTheDivisionIsNotTestedWhileStableIsPromoted(t *testing.T) {
	began := time.Unix(1e9, 0)
	promotion := began.Add(20 * time.Minute)
	for _, canary := range []float64{0.95, 0.5, 0.05} {
		usual := map[metrics.Arm]arm{shopV1: {100 * (1 - canary), 0.004, 0}, shopV2: {100 * canary, 0.004, 0}}
		judge := sequential.Judge{Provider: novel{drawn: draws{}, chapters: []chapter{{began.Add(-time.Hour), usual}}}, Canary: shopV2, Baseline: shopV1}
		result, err := judge.Analyze(t.Context(), analysis.Request{
			Began: began, PromotionBegan: promotion, Canary: canary,
			Earlier: []analysis.Block{{Window: metrics.Window{From: began, To: promotion}, Canary: canary}},
			Window:  metrics.Window{From: promotion, To: promotion.Add(10 * time.Minute)},
		})
		require.NoError(t, err)
		require.NotEqual(t, analysis.Blind, result.Verdict, result.Reason)
	}
}

// A plan that goes from copies, or from nothing, to everything at once never has a live baseline
// beside the canary. It is compared with what stable did before the rollout.
func TestACanaryThatGetsEverythingAtOnceIsComparedWithTheHourBefore(t *testing.T) {
	began := time.Unix(1e9, 0)
	moved := began.Add(20 * time.Minute)
	only := func(a metrics.Arm, bad float64, mean time.Duration) map[metrics.Arm]arm {
		return map[metrics.Arm]arm{a: {20, bad, mean}}
	}
	const fine = 20 * time.Millisecond
	for name, metric := range map[string]sequential.Metric{"errors": sequential.Rate{}, "latency": sequential.Latency{}} {
		for _, earlier := range [][]analysis.Block{nil, {{Window: metrics.Window{From: began, To: moved}, Mirrored: true}}} {
			t.Run(fmt.Sprint(name, ", ", len(earlier), " steps before"), func(t *testing.T) {
				both := only(shopV1, 0.004, fine)
				both[shopV2] = both[shopV1]
				at := func(bad float64, mean time.Duration) analysis.Result {
					s := novel{drawn: draws{}, chapters: []chapter{{began.Add(-2 * time.Hour), only(shopV1, 0.004, fine)}, {began, both}, {moved, only(shopV2, bad, mean)}}}
					r := analysis.Request{Canary: 1, Began: moved, Earlier: earlier, Window: metrics.Window{From: moved, To: moved.Add(65 * time.Second)}}
					if len(earlier) > 0 {
						r.Began = began
					}
					judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1, Metrics: []sequential.Metric{metric}}
					result, err := judge.Analyze(t.Context(), r)
					require.NoError(t, err)
					return result
				}
				healthy := at(0.004, fine)
				require.Equal(t, analysis.Inconclusive, healthy.Verdict, "%v %v", healthy.Blindness, healthy.Reason)
				outage := at(1, 10*time.Second)
				require.Equal(t, analysis.Fail, outage.Verdict, outage.Reason)
			})
		}
	}
}

// Copies that were somewhat worse by chance, or because they are copies, failed nothing. Live requests
// that are as good as stable's refute them.
func TestWhatCopiesCouldNotProveHoldsNoLiveStep(t *testing.T) {
	arms := func(bad float64) map[metrics.Arm]arm {
		return map[metrics.Arm]arm{shopV1: {20, 0.01, 0}, shopV2: {20, bad, 0}}
	}
	doubted := 0
	for seed := range 12 {
		began := time.Unix(1e9, 0).AddDate(0, 0, seed)
		live := began.Add(10 * time.Minute)
		judge := sequential.Judge{
			Provider: novel{drawn: draws{}, chapters: []chapter{{began.Add(-time.Hour), arms(0.014)}, {live, arms(0.01)}}}, Canary: shopV2, Baseline: shopV1,
			Metrics: []sequential.Metric{sequential.Rate{}}, Tuning: sequential.Tuning{AllCopied: true},
		}
		copies := analysis.Request{Mirrored: true, Began: began, Window: metrics.Window{From: began, To: live}}
		result, err := judge.Analyze(t.Context(), copies)
		require.NoError(t, err)
		if result.Verdict == analysis.Fail {
			continue
		}
		if result.Doubt {
			doubted++
		}
		result, err = judge.Analyze(t.Context(), analysis.Request{
			Canary: 0.5, Began: began, Earlier: copies.Blocks(), Window: metrics.Window{From: live, To: live.Add(2 * time.Hour)},
		})
		require.NoError(t, err)
		require.False(t, result.Doubt, "%d: %s", seed, result.Reason)
	}
	require.NotZero(t, doubted)
}

// A metric without weight fails no canary, so that its requests are no look at the metric that does.
func TestAMetricWithoutWeightSeesNothingForTheOthers(t *testing.T) {
	s := silentHistogram{novel{drawn: draws{}, chapters: []chapter{{time.Unix(1e9, 0).Add(-time.Hour), map[metrics.Arm]arm{shopV1: {20, 0.01, 0}, shopV2: {20, 0.01, 0}}}}}}
	for weight, want := range map[float64]analysis.Verdict{sequential.None: analysis.Blind, 1: analysis.Inconclusive} {
		judge := sequential.Judge{Provider: s, Canary: shopV2, Baseline: shopV1, Metrics: []sequential.Metric{sequential.Rate{Weight: weight}, sequential.Latency{}}}
		began := time.Unix(1e9, 0)
		result, err := judge.Analyze(t.Context(), analysis.Request{Canary: 0.5, Began: began, Window: metrics.Window{From: began, To: began.Add(10 * time.Minute)}})
		require.NoError(t, err)
		require.Equal(t, want, result.Verdict, "%v: %s", weight, result.Reason)
	}
}

// silentHistogram has no histograms.
type silentHistogram struct{ novel }

func (silentHistogram) SlowerThan(context.Context, metrics.Query, []time.Duration, []metrics.Window) ([][]metrics.Counts, error) {
	return nil, metrics.ErrNoSeries
}

// A new version that hangs with everything answers nothing, and nothing is counted. Where little was
// counted before, that may be chance.
func TestSilenceOfAVersionThatHasEverythingIsForWantOfReadings(t *testing.T) {
	began := time.Unix(1e9, 0)
	alone := began.Add(20 * time.Minute)
	quiet := alone.Add(10 * time.Minute)
	for rate, want := range map[float64]analysis.Blindness{20: analysis.NoReadings, 1: analysis.NoReadings, 0: analysis.NoBaseline} {
		usual := arm{rate, 0.004, 0}
		judge := judgeOf(nil)
		judge.Provider = novel{drawn: draws{}, chapters: []chapter{
			{began.Add(-time.Hour), map[metrics.Arm]arm{shopV1: usual}},
			{began, map[metrics.Arm]arm{shopV1: usual, shopV2: usual}},
			{alone, map[metrics.Arm]arm{shopV2: usual}},
			{quiet, nil},
		}}
		r := analysis.Request{Canary: 1, Began: began, Earlier: []analysis.Block{{Window: metrics.Window{From: began, To: alone}, Canary: 0.5}}}
		r.Window = metrics.Window{From: alone, To: quiet.Add(70 * time.Second)}
		result, err := judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		require.NotContains(t, result.Reason, "no requests at all", "not yet")
		r.Window.To = quiet.Add(2 * time.Minute)
		result, err = judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, want, result.Blindness, "%v a second: %s", rate, result.Reason)
	}
}
