package fake

import (
	"math"
	"net/http"
	"time"

	"github.com/serin-go/serin/fake/internal/latency"
	"github.com/serin-go/serin/fake/internal/traffic"
)

// Behaviour is how the pods of a container image behave. The zero value answers every
// request with 200 after 10 ms, and is ready as soon as its pod is.
type Behaviour struct {
	// ErrorRate is the share of requests, 0 to 1, that are answered with Status.
	ErrorRate float64
	// Status is what a failing request is answered with; 0 is 500.
	Status int
	// Median is the median of the time that an answer takes; 0 is 10 ms.
	Median time.Duration
	// Sigma is the standard deviation of the logarithm of the answer time, which has a
	// lognormal distribution; 0 makes each answer take Median.
	Sigma float64
	// Start is how long a pod takes to become ready; 0 is Config.Start.
	Start time.Duration
	// NeverReady: the pods never become ready.
	NeverReady bool
	// Capacity is how many requests per second a pod can answer; 0 is no limit. If the
	// pods of a workload with this image received more in one second, the share that was
	// too many is answered with 503 in the next second. Handlers are not limited.
	//
	// It is also 100 % for an autoscaler that looks at the CPU utilization. Without a
	// Capacity such an autoscaler has nothing to measure, and does nothing.
	Capacity float64
}

// version makes b ready for drawing.
func (b Behaviour) version() *traffic.Version {
	v := &traffic.Version{
		ErrorRate: b.ErrorRate, Status: b.Status, Capacity: b.Capacity, Durations: latency.New(positive(b.Median, 10*time.Millisecond), b.Sigma),
	}
	if v.Status == 0 {
		v.Status = http.StatusInternalServerError
	}
	if math.IsNaN(v.ErrorRate) {
		v.ErrorRate = 0
	}
	return v
}
