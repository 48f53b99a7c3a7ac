package evidence_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/internal/evidence"
)

// aLook draws counts from none to 1e9, often without errors or with nothing else.
var aLook = rapid.Custom(func(t *rapid.T) evidence.Look {
	arm := func(name string) evidence.Count {
		total := rapid.OneOf(rapid.Just(0.0), rapid.Just(1e9), rapid.Float64Range(0, 5000)).Draw(t, name+" total")
		share := rapid.OneOf(rapid.Just(0.0), rapid.Just(1.0), rapid.Float64Range(0, 0.1)).Draw(t, name+" bad")
		return evidence.Count{Bad: math.Round(total * share), Total: math.Round(total)}
	}
	return evidence.Look{Canary: arm("canary"), Baseline: arm("baseline")}
})

var anAlpha = rapid.Float64Range(1e-6, 0.5)

func ordered(t require.TestingT, i evidence.Interval) {
	require.LessOrEqual(t, i.Lower, i.Estimate)
	require.LessOrEqual(t, i.Estimate, i.Upper)
	require.GreaterOrEqual(t, i.Lower, 0.0)
	require.NotContains(t, i.String(), "NaN")
}

func TestARatioHasItsEstimateWithinBoundsWhateverWasCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		looks := rapid.SliceOfN(aLook, 0, 12).Draw(t, "looks")
		is, ok := evidence.Ratio(slices.Values(looks), nil, anAlpha.Draw(t, "alpha"))
		ordered(t, is)
		var canary, baseline bool // any bad request where both arms had traffic
		for _, l := range looks {
			if l.Canary.Total > 0 && l.Baseline.Total > 0 {
				canary, baseline = canary || l.Canary.Bad > 0, baseline || l.Baseline.Bad > 0
			}
		}
		require.Equal(t, canary || baseline, ok)
		if ok {
			require.Equal(t, !canary, is.Estimate == 0)
			require.Equal(t, !baseline, math.IsInf(is.Estimate, 1))
		}
	})
}

func TestARateHasItsEstimateWithinBoundsWhateverWasCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := aLook.Draw(t, "look").Canary
		is, ok := evidence.Rate(count, anAlpha.Draw(t, "alpha"))
		require.Equal(t, count.Total > 0, ok)
		ordered(t, is)
		require.LessOrEqual(t, is.Upper, 1.0)
		if ok {
			require.Equal(t, count.Bad/count.Total, is.Estimate)
			require.Less(t, is.Lower, is.Upper)
		}
	})
}

func TestASmallerAlphaGivesAWiderInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		looks := rapid.SliceOfN(aLook, 1, 8).Draw(t, "looks")
		alpha, share := anAlpha.Draw(t, "alpha"), rapid.Float64Range(0.01, 0.9).Draw(t, "share")
		wider := func(wide, narrow evidence.Interval) {
			require.LessOrEqual(t, wide.Lower, narrow.Lower)
			require.GreaterOrEqual(t, wide.Upper, narrow.Upper)
			require.Equal(t, wide.Estimate, narrow.Estimate)
		}
		wide, _ := evidence.Ratio(slices.Values(looks), nil, alpha*share)
		narrow, _ := evidence.Ratio(slices.Values(looks), nil, alpha)
		wider(wide, narrow)
		wide, _ = evidence.Rate(looks[0].Canary, alpha*share)
		narrow, _ = evidence.Rate(looks[0].Canary, alpha)
		wider(wide, narrow)
	})
}

// On a constant split the sum over looks is one look, and the ratio is that of the
// totals.
func TestLooksOfOneSplitAddUp(t *testing.T) {
	look := func(x, n, y, m float64) evidence.Look {
		return evidence.Look{
			Canary:   evidence.Count{Bad: x, Total: n},
			Baseline: evidence.Count{Bad: y, Total: m},
		}
	}
	parts := []evidence.Look{look(1, 50, 3, 950), look(0, 10, 0, 190), look(4, 200, 9, 3800), {}}
	several, ok := evidence.Ratio(slices.Values(parts), nil, 0.05)
	require.True(t, ok)
	one, ok := evidence.Ratio(slices.Values([]evidence.Look{look(5, 260, 12, 4940)}), nil, 0.05)
	require.True(t, ok)
	require.InEpsilon(t, one.Lower, several.Lower, 1e-9)
	require.InEpsilon(t, one.Upper, several.Upper, 1e-9)
	require.InEpsilon(t, 5./260/(12./4940), one.Estimate, 1e-9)
	pooled, ok := evidence.MantelHaenszel(slices.Values(parts))
	require.True(t, ok)
	require.InEpsilon(t, one.Estimate, pooled, 1e-9)
}

func TestMantelHaenszelNeedsBadRequests(t *testing.T) {
	calm := evidence.Look{Canary: evidence.Count{Total: 10}, Baseline: evidence.Count{Total: 90}}
	_, ok := evidence.MantelHaenszel(slices.Values([]evidence.Look{{}, calm}))
	require.False(t, ok)
	bad := calm
	bad.Canary.Bad = 1
	ratio, ok := evidence.MantelHaenszel(slices.Values([]evidence.Look{calm, bad}))
	require.True(t, ok)
	require.Equal(t, math.Inf(1), ratio)
}

// covers fails the test if the truth leaves an interval at some look in more
// rollouts than the intervals' alpha allows. A rollout returns the interval of its
// look k, from 1.
func covers(t *testing.T, truth float64, runs, looks int, rollout func() func(k, alpha float64) (evidence.Interval, bool)) {
	t.Helper()
	const alpha = 0.2
	missed := 0
	for range runs {
		look := rollout()
		for k := range looks {
			if is, ok := look(float64(k+1), alpha); ok && (is.Lower > truth || truth > is.Upper) {
				missed++
				break
			}
		}
	}
	require.LessOrEqual(t, float64(missed)/float64(runs), bound(alpha, runs), "of %v", truth)
	t.Logf("%v: %d of %d missed", truth, missed, runs)
}

// The error rate drifts, the split ramps and one looks at every look: still the
// true ratio stays in the interval.
func TestTheRatioIsCoveredAtAllLooksAtOnce(t *testing.T) {
	for _, ratio := range []float64{0.5, 1, 3} {
		r := rand.New(rand.NewPCG(1, uint64(ratio*8)))
		covers(t, ratio, 100, 30, func() func(k, alpha float64) (evidence.Interval, bool) {
			var looks []evidence.Look
			return func(k, alpha float64) (evidence.Interval, bool) {
				rate, n := 0.001*k, 100*k
				looks = append(looks, counted(r, n, ratio*rate, 6000-n, rate))
				return evidence.Ratio(slices.Values(looks), nil, alpha)
			}
		})
	}
}

func TestTheRateIsCoveredAtAllLooksAtOnce(t *testing.T) {
	for _, rate := range []float64{0.0005, 0.01, 0.5, 0.99} {
		r := rand.New(rand.NewPCG(2, uint64(rate*1e6)))
		covers(t, rate, 200, 100, func() func(k, alpha float64) (evidence.Interval, bool) {
			var total evidence.Count
			return func(_, alpha float64) (evidence.Interval, bool) {
				look := counted(r, 50, rate, 0, 0).Canary
				total.Bad, total.Total = total.Bad+look.Bad, total.Total+look.Total
				return evidence.Rate(total, alpha)
			}
		})
	}
}

func TestAnIntervalAtABillionRequestsIsNarrow(t *testing.T) {
	half := evidence.Count{Bad: 5e8, Total: 1e9}
	rate, ok := evidence.Rate(half, 0.05)
	require.True(t, ok)
	require.InDelta(t, 0.5, rate.Lower, 1e-4)
	require.InDelta(t, 0.5, rate.Upper, 1e-4)
	require.Less(t, rate.Lower, 0.5)
	ratio, ok := evidence.Ratio(slices.Values([]evidence.Look{{Canary: half, Baseline: half}}), nil, 0.05)
	require.True(t, ok)
	require.InDelta(t, 1, ratio.Lower, 1e-3)
	require.InDelta(t, 1, ratio.Upper, 1e-3)
}

func ExampleRatio() {
	looks := []evidence.Look{ // the canary's weight rises: 1, 10, 50 %
		{Canary: evidence.Count{Bad: 1, Total: 30}, Baseline: evidence.Count{Bad: 12, Total: 2970}},
		{Canary: evidence.Count{Bad: 4, Total: 300}, Baseline: evidence.Count{Bad: 20, Total: 2700}},
		{Canary: evidence.Count{Bad: 30, Total: 1500}, Baseline: evidence.Count{Bad: 31, Total: 1500}},
	}
	ratio, ok := evidence.Ratio(slices.Values(looks), nil, 0.05)
	fmt.Println(ratio, ok)
	ratio, ok = evidence.Ratio(slices.Values([]evidence.Look{
		{Canary: evidence.Count{Bad: 9, Total: 100}, Baseline: evidence.Count{Total: 1900}},
	}), nil, 0.05)
	fmt.Println(ratio, ok)
	// Output:
	// 1.12 (0.547 to 2.26) true
	// 10.3 or more true
}

func ExampleRate() {
	rate, ok := evidence.Rate(evidence.Count{Bad: 3, Total: 3000}, 0.05)
	fmt.Println(rate, ok)
	fmt.Printf("%.2f %% (%.2f to %.2f %%)\n", 100*rate.Estimate, 100*rate.Lower, 100*rate.Upper)
	// Output:
	// 0.001 (3.41e-05 to 0.00502) true
	// 0.10 % (0.00 to 0.50 %)
}

func ExampleMantelHaenszel() {
	ratio, ok := evidence.MantelHaenszel(slices.Values([]evidence.Look{
		{Canary: evidence.Count{Bad: 1, Total: 30}, Baseline: evidence.Count{Bad: 12, Total: 2970}},
		{Canary: evidence.Count{Bad: 30, Total: 1500}, Baseline: evidence.Count{Bad: 31, Total: 1500}},
	}))
	fmt.Printf("%.2f %v\n", ratio, ok)
	// Output: 1.02 true
}

func BenchmarkRatio(b *testing.B) {
	looks := make([]evidence.Look, 240)
	r := rand.New(rand.NewPCG(3, 3))
	for i := range looks {
		looks[i] = counted(r, 2500, 0.005, 47500, 0.005)
	}
	b.ReportAllocs()
	for b.Loop() {
		evidence.Ratio(slices.Values(looks), nil, 0.05)
	}
}

func BenchmarkRate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		evidence.Rate(evidence.Count{Bad: 3, Total: 3000}, 0.05)
	}
}
