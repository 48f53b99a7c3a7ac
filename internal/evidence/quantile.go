package evidence

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Bucket is one bucket of a classic histogram: Count observations were at most
// Le. Counts are cumulative; Le of the last one is +Inf.
type Bucket struct{ Le, Count float64 }

// Quantile estimates the q-quantile of what a histogram counted, for display:
// linear within a bucket, as histogram_quantile of Prometheus does. No verdict
// rests on it.
//
// A quantile in the last bucket is the highest finite bound. The lowest bucket
// begins at 0, or is its bound where that is not positive. It is -Inf for q < 0,
// +Inf for q > 1, and NaN when q is NaN, when nothing was counted or when there is
// no finite bound or no +Inf. Buckets may come in any order; equal bounds are
// added up and decreasing counts levelled. The argument is not changed.
func Quantile(q float64, buckets []Bucket) float64 {
	switch {
	case math.IsNaN(q):
		return q
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	buckets = levelled(buckets)
	last := len(buckets) - 1
	if last < 1 || !math.IsInf(buckets[last].Le, 1) || !(buckets[last].Count > 0) {
		return math.NaN()
	}
	rank := q * buckets[last].Count
	i := sort.Search(last, func(i int) bool { return buckets[i].Count >= rank && buckets[i].Count > 0 })
	switch {
	case i == last:
		return buckets[last-1].Le
	case i == 0 && buckets[0].Le <= 0:
		return buckets[0].Le
	}
	var below Bucket
	if i > 0 {
		below = buckets[i-1]
	}
	part := max(0, (rank-below.Count)/(buckets[i].Count-below.Count))
	return below.Le + (buckets[i].Le-below.Le)*part
}

// levelled returns the buckets in order, each bound once, with counts that do not
// decrease. An increase in the 13th digit is an error of rounding.
func levelled(buckets []Bucket) []Bucket {
	buckets = slices.Clone(buckets)
	slices.SortStableFunc(buckets, func(a, b Bucket) int {
		switch {
		case a.Le < b.Le:
			return -1
		case a.Le > b.Le:
			return 1
		}
		return 0
	})
	merged := buckets[:0]
	for _, b := range buckets {
		if last := len(merged) - 1; last >= 0 && merged[last].Le == b.Le {
			merged[last].Count += b.Count
			continue
		}
		merged = append(merged, b)
	}
	for i := 1; i < len(merged); i++ {
		if before := merged[i-1].Count; merged[i].Count <= before*(1+1e-12) {
			merged[i].Count = before
		}
	}
	return merged
}

// ErrBuckets: buckets that a verdict cannot rest on: none, no +Inf, a bound that
// is NaN or there twice, bounds out of order, counts that are negative, infinite
// or decrease, or a target that is NaN.
var ErrBuckets = errors.New("not the buckets of a histogram")

// Bracket is what a histogram knows of "slower than the target", without
// interpolation (section 5): the two bounds around the target and how many of the
// observations exceed each. If the target is a bound, both are the target.
type Bracket struct {
	// Low is the highest bound that is not above the target. At most AboveLow
	// observations exceed the target, so PASS is judged on these. If the target is
	// below all bounds, Low is the lesser of 0 and the target, exceeded by all.
	Low, AboveLow float64
	// High is the lowest bound that is not below the target. At least AboveHigh
	// observations exceed the target, so FAIL is judged on these. If the target is
	// above all finite bounds, High is +Inf, exceeded by none.
	High, AboveHigh float64
	// Total is the number of observations.
	Total float64
}

// Around brackets the target, in the unit of the bounds, by buckets in the order
// of their bounds. The error is ErrBuckets.
func Around(target float64, buckets []Bucket) (Bracket, error) {
	if err := checkBuckets(target, buckets); err != nil {
		return Bracket{}, err
	}
	n := buckets[len(buckets)-1].Count
	b := Bracket{Low: min(target, 0), AboveLow: n, Total: n}
	for _, k := range buckets {
		if k.Le <= target {
			b.Low, b.AboveLow = k.Le, n-k.Count
		}
		if k.Le >= target {
			b.High, b.AboveHigh = k.Le, n-k.Count
			break
		}
	}
	return b, nil
}

func checkBuckets(target float64, buckets []Bucket) error {
	if math.IsNaN(target) {
		return fmt.Errorf("%w: the target is NaN", ErrBuckets)
	}
	if len(buckets) == 0 || !math.IsInf(buckets[len(buckets)-1].Le, 1) {
		return fmt.Errorf("%w: the last one is not +Inf", ErrBuckets)
	}
	before := Bucket{Le: math.Inf(-1)}
	for _, b := range buckets {
		if !(b.Le > before.Le) {
			return fmt.Errorf("%w: bound %v after %v", ErrBuckets, b.Le, before.Le)
		}
		if !(b.Count >= before.Count) || math.IsInf(b.Count, 1) {
			return fmt.Errorf("%w: %v up to bound %v, %v up to %v", ErrBuckets, before.Count, before.Le, b.Count, b.Le)
		}
		before = b
	}
	return nil
}

// Coarse tells whether, by the counts as they are, the q-quantile lies between the
// two bounds, F(Low) < q <= F(High): then neither FAIL nor PASS will come, however
// long one waits, and a bound nearer to the target is needed. It means something
// once there are enough observations to speak of the quantile at all.
func (b Bracket) Coarse(q float64) bool {
	return b.Total-b.AboveLow < q*b.Total && q*b.Total <= b.Total-b.AboveHigh
}
