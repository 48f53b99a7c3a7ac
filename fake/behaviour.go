package fake

import (
	"math"
	"net/http"
	"slices"
	"time"
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

// bounds are the upper bounds of the buckets of Istio's histogram, in
// milliseconds. One more bucket is for what is above.
var bounds = [...]float64{
	0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
}

type histogram [len(bounds) + 1]uint64

// bucketOf returns the index of the bucket for a duration in milliseconds.
func bucketOf(ms float64) int {
	i, _ := slices.BinarySearch(bounds[:], ms)
	return i
}

// version is a Behaviour made ready for drawing.
type version struct {
	Behaviour
	below [len(bounds) + 1]float64 // probability of a bucket or one before it
	mean  [len(bounds) + 1]float64 // mean duration within the bucket, in milliseconds
}

func newVersion(b Behaviour) *version {
	if b.Status == 0 {
		b.Status = http.StatusInternalServerError
	}
	b.Median = positive(b.Median, 10*time.Millisecond)
	if math.IsNaN(b.ErrorRate) {
		b.ErrorRate = 0
	}
	v := &version{Behaviour: b}
	median := float64(b.Median) / float64(time.Millisecond)
	if !(b.Sigma > 0) || math.IsInf(b.Sigma, 1) {
		only := bucketOf(median)
		for i := only; i < len(v.below); i++ {
			v.below[i] = 1
		}
		v.mean[only] = median
		return v
	}
	v.fill(math.Log(median), b.Sigma)
	return v
}

// fill computes share and mean of each bucket of a lognormal distribution.
func (v *version) fill(mu, sigma float64) {
	total := math.Exp(mu + sigma*sigma/2)
	before, partBefore := 0.0, 0.0
	for i := range v.below {
		v.below[i] = 1
		part := total
		if i < len(bounds) {
			z := (math.Log(bounds[i]) - mu) / sigma
			v.below[i], part = normal(z), total*normal(z-sigma)
		}
		if p := v.below[i] - before; p > 0 {
			v.mean[i] = (part - partBefore) / p
		}
		before, partBefore = v.below[i], part
	}
}

// normal is the distribution function of the standard normal distribution.
func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// durations draws n durations into h and returns their sum in milliseconds.
func (v *version) durations(d dice, n uint64, h *histogram) float64 {
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
		k := d.binomial(n, (p-before)/(1-before))
		h[i] += k
		sum += float64(k) * v.mean[i]
		n -= k
		before = p
	}
	return sum
}
