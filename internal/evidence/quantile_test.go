package evidence_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

var inf = math.Inf(1)

func latencies() []evidence.Bucket {
	return []evidence.Bucket{{100, 10}, {250, 30}, {500, 90}, {1000, 99}, {inf, 100}}
}

func TestAQuantileOfBucketsInDisorderIsThatOfBucketsInOrder(t *testing.T) {
	mixed := []evidence.Bucket{{inf, 60}, {500, 45}, {100, 10}, {500, 45}, {1000, 99}, {250, 30}, {inf, 40}}
	before := slices.Clone(mixed)
	for _, q := range []float64{0, 0.05, 0.3, 0.5, 0.95, 0.995, 1} {
		require.Equal(t, evidence.Quantile(q, latencies()), evidence.Quantile(q, mixed), "%v", q)
	}
	require.Equal(t, before, mixed, "the argument is not changed")
}

func TestAQuantileInTheCorners(t *testing.T) {
	for name, c := range map[string]struct {
		q       float64
		buckets []evidence.Bucket
		want    float64
	}{
		"no buckets":                             {0.5, nil, math.NaN()},
		"q is NaN":                               {math.NaN(), latencies(), math.NaN()},
		"no bucket of infinity":                  {0.5, []evidence.Bucket{{1, 5}, {2, 7}}, math.NaN()},
		"the lowest bucket begins at zero":       {0.05, latencies(), 50},
		"the least":                              {0, latencies(), 0},
		"the most":                               {1, latencies(), 1000},
		"the least when the lowest is empty":     {0, []evidence.Bucket{{1, 0}, {2, 4}, {inf, 4}}, 1},
		"all above the finite bounds":            {0.5, []evidence.Bucket{{1, 0}, {inf, 4}}, 1},
		"a count that decreases is levelled":     {0.75, []evidence.Bucket{{1, 2}, {2, 4}, {3, 1}, {inf, 4}}, 1.5},
		"an increase by rounding alone is none":  {1, []evidence.Bucket{{1, 4}, {2, 4.0000000000001}, {inf, 4.0000000000001}}, 1},
		"a negative bound is followed by linear": {0.75, []evidence.Bucket{{-2, 2}, {-1, 4}, {inf, 4}}, -1.5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := evidence.Quantile(c.q, c.buckets); !math.IsNaN(c.want) || !math.IsNaN(got) {
				require.InDelta(t, c.want, got, 1e-12)
			}
		})
	}
}

func TestABracketInTheCorners(t *testing.T) {
	for name, c := range map[string]struct {
		target float64
		want   evidence.Bracket
	}{
		"on a bound":       {500, evidence.Bracket{Low: 500, AboveLow: 10, High: 500, AboveHigh: 10, Total: 100}},
		"between":          {700, evidence.Bracket{Low: 500, AboveLow: 10, High: 1000, AboveHigh: 1, Total: 100}},
		"below all bounds": {50, evidence.Bracket{Low: 0, AboveLow: 100, High: 100, AboveHigh: 90, Total: 100}},
		"above all bounds": {5000, evidence.Bracket{Low: 1000, AboveLow: 1, High: inf, AboveHigh: 0, Total: 100}},
		"negative":         {-1, evidence.Bracket{Low: -1, AboveLow: 100, High: 100, AboveHigh: 90, Total: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := evidence.Around(c.target, latencies())
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestABracketIsTooCoarseWhereTheQuantileLiesWithin(t *testing.T) {
	b, err := evidence.Around(700, latencies())
	require.NoError(t, err)
	require.True(t, b.Coarse(0.95))
	require.True(t, b.Coarse(0.99), "exactly at the upper bound: no fail will come")
	require.False(t, b.Coarse(0.9), "exactly at the lower bound: it is no slower than 500")
	require.False(t, b.Coarse(0.995), "slower than 1000")
	on, err := evidence.Around(500, latencies())
	require.NoError(t, err)
	require.False(t, on.Coarse(0.95), "on a bound nothing is coarse")
	require.False(t, evidence.Bracket{}.Coarse(0.95), "nothing was counted")
}

func TestABracketNeedsTheBucketsOfAHistogram(t *testing.T) {
	for name, buckets := range map[string][]evidence.Bucket{
		"none":                {},
		"no infinity":         {{1, 2}},
		"in disorder":         {{2, 1}, {1, 1}, {inf, 1}},
		"a bound twice":       {{1, 1}, {1, 1}, {inf, 1}},
		"a bound is NaN":      {{math.NaN(), 1}, {inf, 1}},
		"a negative count":    {{1, -1}, {inf, 1}},
		"a decreasing count":  {{1, 2}, {inf, 1}},
		"a count is NaN":      {{1, math.NaN()}, {inf, 1}},
		"a count is infinite": {{1, 1}, {inf, inf}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.Around(1, buckets)
			require.ErrorIs(t, err, evidence.ErrBuckets)
		})
	}
	_, err := evidence.Around(math.NaN(), latencies())
	require.ErrorIs(t, err, evidence.ErrBuckets)
}

// numbers makes floats of bytes: any bits at all.
func numbers(text []byte) (all []float64) {
	for ; len(text) >= 8; text = text[8:] {
		all = append(all, math.Float64frombits(binary.LittleEndian.Uint64(text)))
	}
	return all
}

// small makes the buckets of a true histogram of bytes, up to infinity.
func small(text []byte) []evidence.Bucket {
	var all []evidence.Bucket
	var b evidence.Bucket
	for ; len(text) >= 2; text = text[2:] {
		b.Le += 1 + float64(text[0])
		b.Count += float64(text[1])
		all = append(all, b)
	}
	return append(all, evidence.Bucket{Le: inf, Count: b.Count + float64(len(text))})
}

func FuzzBuckets(f *testing.F) {
	f.Add([]byte{9, 10, 14, 20, 24, 60, 49, 9, 1}, 0.99, 70.0)
	f.Add([]byte{}, 0.5, 1.0)
	f.Add(make([]byte, 64), 0.0, math.NaN())
	f.Fuzz(func(t *testing.T, text []byte, q, target float64) {
		wild := numbers(text)
		var buckets []evidence.Bucket
		for ; len(wild) >= 2; wild = wild[2:] {
			buckets = append(buckets, evidence.Bucket{Le: wild[0], Count: wild[1]})
		}
		evidence.Quantile(q, buckets)
		if b, err := evidence.Around(target, buckets); err != nil {
			require.ErrorIs(t, err, evidence.ErrBuckets)
		} else {
			bracketed(t, b, target)
		}

		buckets = small(text)
		b, err := evidence.Around(target, buckets)
		if math.IsNaN(target) {
			require.ErrorIs(t, err, evidence.ErrBuckets)
			return
		}
		require.NoError(t, err)
		bracketed(t, b, target)
		if !(q >= 0 && q <= 1) {
			return
		}
		value := evidence.Quantile(q, buckets)
		require.Equal(t, len(buckets) < 2 || b.Total == 0, math.IsNaN(value))
		if math.IsNaN(value) {
			return
		}
		require.GreaterOrEqual(t, value, 0.0)
		require.LessOrEqual(t, value, buckets[len(buckets)-2].Le)
		require.LessOrEqual(t, value, evidence.Quantile(min(1, q+0.1), buckets))
		if b.Coarse(q) {
			require.GreaterOrEqual(t, value*(1+1e-9), b.Low)
			require.LessOrEqual(t, value, b.High*(1+1e-9))
		}
	})
}

func bracketed(t *testing.T, b evidence.Bracket, target float64) {
	require.LessOrEqual(t, b.Low, target)
	require.LessOrEqual(t, target, b.High)
	require.LessOrEqual(t, 0.0, b.AboveHigh)
	require.LessOrEqual(t, b.AboveHigh, b.AboveLow)
	require.LessOrEqual(t, b.AboveLow, b.Total)
}

func ExampleQuantile() {
	milliseconds := []evidence.Bucket{{100, 10}, {250, 30}, {500, 90}, {1000, 99}, {math.Inf(1), 100}}
	fmt.Printf("p50 %.0f ms, p99.5 %.0f ms\n", evidence.Quantile(0.5, milliseconds), evidence.Quantile(0.995, milliseconds))
	// Output: p50 333 ms, p99.5 1000 ms
}

func ExampleAround() {
	milliseconds := []evidence.Bucket{{100, 10}, {250, 30}, {500, 90}, {1000, 99}, {math.Inf(1), 100}}
	b, err := evidence.Around(700, milliseconds)
	fmt.Printf("%v of %v took longer than %v, %v longer than %v, %v\n", b.AboveLow, b.Total, b.Low, b.AboveHigh, b.High, err)
	fmt.Println("too coarse for p95:", b.Coarse(0.95), "for p80:", b.Coarse(0.8))
	// Output:
	// 10 of 100 took longer than 500, 1 longer than 1000, <nil>
	// too coarse for p95: true for p80: false
}
