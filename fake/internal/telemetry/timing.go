package telemetry

import "slices"

// Bounds are the upper bounds of the buckets of Istio's histogram, in
// milliseconds. One more bucket is for what is above. They are not to be changed.
var Bounds = [...]float64{
	0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
}

// Histogram is how many durations lie in each bucket.
type Histogram [len(Bounds) + 1]uint64

// BucketOf returns the index of the bucket for a duration in milliseconds.
func BucketOf(ms float64) int {
	i, _ := slices.BinarySearch(Bounds[:], ms)
	return i
}

// UpTo returns how many durations lie in a bucket or in one before it.
func (h *Histogram) UpTo(bucket int) uint64 {
	var sum uint64
	for _, k := range h[:bucket+1] {
		sum += k
	}
	return sum
}

// Timing is the durations of some requests.
type Timing struct {
	// Sum is that of all durations, in milliseconds.
	Sum float64
	// Buckets are how many durations lie where.
	Buckets Histogram
}

// Instant is the timing of n requests that took the same number of milliseconds.
func Instant(n uint64, ms float64) Timing {
	t := Timing{Sum: ms * float64(n)}
	t.Buckets[BucketOf(ms)] = n
	return t
}
