// Package telemetry counts requests as Istio's proxies do, and shows the counters
// as a Prometheus server that scrapes the proxies does.
package telemetry

import "time"

// Recorder is the counters of all proxies of a mesh and the readings that were
// taken of them. NewRecorder makes one. A Recorder is not safe for concurrent use.
type Recorder struct {
	counters counters
	history  history
}

// NewRecorder returns a Recorder without a series, which keeps its readings for some
// time. The interval from now to the first reading, and from each to the next one,
// is given by every.
func NewRecorder(now time.Time, every, keep time.Duration) *Recorder {
	return &Recorder{
		counters: counters{index: map[Key]int{}},
		history:  history{next: now.Add(every), every: every, keep: keep},
	}
}

// Count adds n requests to a series.
func (r *Recorder) Count(k Key, n uint64, t *Timing) { r.counters.at(k).add(n, t) }

// Restart begins the counters anew that the proxies of a workload keep.
func (r *Recorder) Restart(namespace, workload string) { r.counters.reset(namespace, workload) }

// Arrived returns how many requests the pods of a workload have received since the
// beginning. Restarts change nothing about it.
func (r *Recorder) Arrived(namespace, workload string) uint64 {
	var n uint64
	for _, s := range r.counters.all {
		if s.key.By == ByDestination && s.to.Namespace == namespace && s.to.Workload == workload {
			n += s.ever
		}
	}
	return n
}

// Due returns when the counters are read next.
func (r *Recorder) Due() time.Time { return r.history.next }

// Scrape reads the counters if it is time.
func (r *Recorder) Scrape(at time.Time) { r.history.scrape(at, &r.counters) }
