package fake

import (
	"math"
	"net/http"
	"time"

	"github.com/serin-go/serin/fake/internal/chance"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

// Behaviour is how the pods of one container image behave. The zero value
// answers every request with 200 after 10 ms and is ready when its pod is.
type Behaviour struct {
	// ErrorRate is the share of requests, 0 to 1, that are answered with Status.
	ErrorRate float64
	// Status is what a failing request is answered with; 0 is 500.
	Status int
	// Median is the median of the time that an answer takes; 0 is 10 ms.
	Median time.Duration
	// Sigma is the standard deviation of the logarithm of that time, which is
	// distributed lognormally; 0 makes every answer take Median.
	Sigma float64
	// Start is how long a pod takes to become ready; 0 is what the Config says.
	Start time.Duration
	// NeverReady is an image whose pods never become ready.
	NeverReady bool
}

// version is a Behaviour made ready for drawing.
type version struct {
	Behaviour
	median float64                            // in milliseconds
	below  [len(telemetry.Bounds) + 1]float64 // probability of a bucket or one before it
	mean   [len(telemetry.Bounds) + 1]float64 // mean duration within the bucket, in milliseconds
	late   float64                            // probability of a duration that the limit cuts off
	cuts   map[float64]*version               // the same with limits, in milliseconds
}

func newVersion(b Behaviour) *version {
	if b.Status == 0 {
		b.Status = http.StatusInternalServerError
	}
	b.Median = positive(b.Median, 10*time.Millisecond)
	if math.IsNaN(b.ErrorRate) {
		b.ErrorRate = 0
	}
	if !(b.Sigma > 0) || math.IsInf(b.Sigma, 1) {
		b.Sigma = 0
	}
	v := &version{Behaviour: b, median: milliseconds(b.Median)}
	v.fill(math.Inf(1))
	return v
}

// maxCuts bounds what is kept for limits.
const maxCuts = 64

// within returns the version with durations up to a limit, and the probability
// that one is longer.
func (v *version) within(limit float64) *version {
	if cut, ok := v.cuts[limit]; ok {
		return cut
	}
	if len(v.cuts) >= maxCuts || v.cuts == nil {
		v.cuts = map[float64]*version{}
	}
	cut := &version{Behaviour: v.Behaviour, median: v.median}
	cut.fill(limit)
	v.cuts[limit] = cut
	return cut
}

// fill computes share and mean of each bucket, of the durations up to a limit.
func (v *version) fill(limit float64) {
	all, partOfAll := v.upTo(limit)
	v.late = 1 - all
	before, partBefore := 0.0, 0.0
	for i := range v.below {
		share, part := all, partOfAll
		if i < len(telemetry.Bounds) && telemetry.Bounds[i] < limit {
			share, part = v.upTo(telemetry.Bounds[i])
		}
		if p := share - before; p > 0 {
			v.mean[i] = (part - partBefore) / p
		}
		v.below[i] = 1
		if all > 0 {
			v.below[i] = share / all
		}
		before, partBefore = share, part
	}
}

// upTo returns the share of the durations up to a limit, and their part of the
// mean.
func (v *version) upTo(limit float64) (share, part float64) {
	if v.Sigma == 0 {
		if v.median > limit {
			return 0, 0
		}
		return 1, v.median
	}
	z := (math.Log(limit) - math.Log(v.median)) / v.Sigma
	return normal(z), math.Exp(math.Log(v.median)+v.Sigma*v.Sigma/2) * normal(z-v.Sigma)
}

// normal is the distribution function of the standard normal distribution.
func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// durations draws n durations into h and returns their sum in milliseconds.
func (v *version) durations(d chance.Dice, n uint64, h *telemetry.Histogram) float64 {
	sum, before := 0.0, 0.0
	if n == 1 {
		u := d.Float64()
		for i, p := range v.below {
			if u < p {
				h[i]++
				return v.mean[i]
			}
		}
	}
	for i, p := range v.below {
		if n == 0 {
			break
		}
		k := d.Binomial(n, (p-before)/(1-before))
		h[i] += k
		sum += float64(k) * v.mean[i]
		n -= k
		before = p
	}
	return sum
}
