package telemetry

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/metrics"
)

// Series returns the readings of the series that a query asks for, after from, up
// to and including to.
func (r *Recorder) Series(q metrics.Query, from, to time.Time) ([]metrics.Series, error) {
	var all []metrics.Series
	err := r.each(q, from, to, func(_ metrics.Proxy, one metrics.Series) { all = append(all, one) })
	return all, err
}

// Proxies is Series by the proxy that reports.
func (r *Recorder) Proxies(q metrics.Query, from, to time.Time) (map[metrics.Proxy][]metrics.Series, error) {
	all := map[metrics.Proxy][]metrics.Series{}
	err := r.each(q, from, to, func(proxy metrics.Proxy, one metrics.Series) { all[proxy] = append(all[proxy], one) })
	return all, err
}

// Requests returns the readings of all counters of senders, after from, up to and including to.
func (r *Recorder) Requests(from, to time.Time) (all []metrics.RequestCounter) {
	rows := r.history.between(from, to)
	for i, s := range r.counters.all {
		c := metrics.RequestCounter{
			Service: s.to.Host, Workload: s.to.Workload, Namespace: s.to.Namespace, Revision: s.to.Revision,
			Flags: s.key.Flags, SourceNamespace: s.key.FromNamespace, Instance: s.instance(),
		}
		for _, row := range rows {
			if s.key.By == BySource && i < len(row.readings) {
				c.Samples = append(c.Samples, metrics.Sample{At: row.at, Total: float64(row.readings[i].requests)})
			}
		}
		if len(c.Samples) > 0 {
			all = append(all, c)
		}
	}
	return all
}

func (r *Recorder) each(q metrics.Query, from, to time.Time, yield func(metrics.Proxy, metrics.Series)) error {
	good, err := goodRequests(q.Signal)
	if err != nil {
		return err
	}
	for i, s := range r.counters.all {
		if !s.belongs(q) {
			continue
		}
		one := metrics.Series{Target: s.instance()}
		for _, row := range r.history.between(from, to) {
			if i < len(row.readings) {
				reading := &row.readings[i]
				one.Samples = append(one.Samples, metrics.Sample{At: row.at, Total: float64(reading.requests), Good: good(s, reading)})
			}
		}
		if len(one.Samples) > 0 {
			yield(metrics.Proxy{Workload: s.key.FromWorkload, Namespace: s.key.FromNamespace, Instance: one.Target}, one)
		}
	}
	return nil
}

// goodRequests returns how to tell the good requests of a reading.
func goodRequests(signal metrics.Signal) (func(*series, *reading) float64, error) {
	bound, ok := signal.Bound()
	if !ok {
		return func(s *series, r *reading) float64 {
			if signal.Failed(s.code(), "") {
				return 0
			}
			return float64(r.requests)
		}, nil
	}
	ms := float64(bound) / float64(time.Millisecond)
	i := slices.Index(Bounds[:], ms)
	if i < 0 {
		return nil, fmt.Errorf("%w: %g ms", metrics.ErrNoBucket, ms)
	}
	return func(_ *series, r *reading) float64 { return float64(r.buckets.UpTo(i)) }, nil
}

// belongs reports whether the query asks for the series.
func (s *series) belongs(q metrics.Query) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	to := s.to
	return !q.Signal.GRPC() && q.Reporter.String() == string(s.key.By) &&
		same(q.Arm.Workload, to.Workload) && same(q.Arm.Namespace, to.Namespace) &&
		same(q.Arm.Revision, to.Revision) && same(q.Arm.Service, to.Host)
}
