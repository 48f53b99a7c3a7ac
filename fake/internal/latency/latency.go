// Package latency draws how long answers take.
package latency

import (
	"math"
	"time"

	"github.com/serin-go/serin/fake/internal/chance"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

// Distribution is how long answers take: a lognormal distribution, perhaps with a
// limit, made ready for drawing. New makes one. It is not safe for concurrent use.
type Distribution struct {
	// Late is the probability of a duration that the limit cuts off.
	Late float64

	median, sigma float64                            // the median in milliseconds
	below         [len(telemetry.Bounds) + 1]float64 // probability of a bucket or one before it
	mean          [len(telemetry.Bounds) + 1]float64 // mean duration within the bucket, in milliseconds
	cuts          map[float64]*Distribution          // the same with limits, in milliseconds
}

// New returns the distribution of a median and a standard deviation of the
// logarithm. A sigma that is not above 0, or infinite, makes every duration the
// median.
func New(median time.Duration, sigma float64) *Distribution {
	if !(sigma > 0) || math.IsInf(sigma, 1) {
		sigma = 0
	}
	d := &Distribution{median: float64(median) / float64(time.Millisecond), sigma: sigma}
	d.fill(math.Inf(1))
	return d
}

// maxCuts bounds what is kept for limits.
const maxCuts = 64

// Within returns the distribution of the durations up to a limit in milliseconds.
func (d *Distribution) Within(limit float64) *Distribution {
	if cut, ok := d.cuts[limit]; ok {
		return cut
	}
	if len(d.cuts) >= maxCuts || d.cuts == nil {
		d.cuts = map[float64]*Distribution{}
	}
	cut := &Distribution{median: d.median, sigma: d.sigma}
	cut.fill(limit)
	d.cuts[limit] = cut
	return cut
}

// fill computes share and mean of each bucket, of the durations up to a limit.
func (d *Distribution) fill(limit float64) {
	all, partOfAll := d.upTo(limit)
	d.Late = 1 - all
	before, partBefore := 0.0, 0.0
	for i := range d.below {
		share, part := all, partOfAll
		if i < len(telemetry.Bounds) && telemetry.Bounds[i] < limit {
			share, part = d.upTo(telemetry.Bounds[i])
		}
		if p := share - before; p > 0 {
			d.mean[i] = (part - partBefore) / p
		}
		d.below[i] = 1
		if all > 0 {
			d.below[i] = share / all
		}
		before, partBefore = share, part
	}
}

// upTo returns the share of the durations up to a limit, and their part of the
// mean.
func (d *Distribution) upTo(limit float64) (share, part float64) {
	if d.sigma == 0 {
		if d.median > limit {
			return 0, 0
		}
		return 1, d.median
	}
	z := (math.Log(limit) - math.Log(d.median)) / d.sigma
	return normal(z), math.Exp(math.Log(d.median)+d.sigma*d.sigma/2) * normal(z-d.sigma)
}

// normal is the distribution function of the standard normal distribution.
func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// Draw draws n durations into h and returns their sum in milliseconds.
func (d *Distribution) Draw(dice chance.Dice, n uint64, h *telemetry.Histogram) float64 {
	sum, before := 0.0, 0.0
	if n == 1 {
		u := dice.Float64()
		for i, p := range d.below {
			if u < p {
				h[i]++
				return d.mean[i]
			}
		}
	}
	for i, p := range d.below {
		if n == 0 {
			break
		}
		k := dice.Binomial(n, (p-before)/(1-before))
		h[i] += k
		sum += float64(k) * d.mean[i]
		n -= k
		before = p
	}
	return sum
}

// Later returns the timing of k answers as their clients saw it, who had waited for
// some milliseconds before.
func (d *Distribution) Later(t *telemetry.Timing, k uint64, before float64) telemetry.Timing {
	moved := telemetry.Timing{Sum: t.Sum + before*float64(k)}
	for i, n := range t.Buckets {
		if n > 0 {
			moved.Buckets[telemetry.BucketOf(d.mean[i]+before)] += n
		}
	}
	return moved
}
