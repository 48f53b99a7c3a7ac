package e2e_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/e2e/envoy"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
)

// processes are all that ran in the pods of reviews, and what each shows to
// Prometheus. Each has a number, which it shows as well: a pod whose process
// began anew is told apart by it, and not by counters that fell.
type processes struct {
	mu  sync.Mutex
	all []*prometheus.Registry
}

// The gauges of a process.
const (
	numberGauge = "reviews_process"
	memoryGauge = "reviews_memory_bytes"
)

// program runs a version, a process for each pod.
func (p *processes) program(on *plane.Plane, server *traffic.Server) plane.Program {
	return func(pod plane.Pod) (func(), error) {
		registry := prometheus.NewRegistry()
		p.mu.Lock()
		number := float64(len(p.all))
		p.all = append(p.all, registry)
		p.mu.Unlock()
		registry.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: numberGauge}, func() float64 { return number }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: memoryGauge}, func() float64 {
				served, _ := server.Served()
				return 1e8 * (1 + 0.02*math.Sin(float64(served))) // it wavers
			}))
		return envoy.Process(on, server, registry, traffic.Port)(pod)
	}
}

// served sums up what each process has counted of some series, by its number.
func (p *processes) served(t *testing.T, of model.LabelSet) map[float64]float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	sums := map[float64]float64{}
	for number, registry := range p.all {
		families, err := registry.Gather()
		require.NoError(t, err)
		shown, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.Now()}, families...)
		require.NoError(t, err)
		for _, sample := range shown {
			if fits(sample.Metric, of) {
				sums[float64(number)] += float64(sample.Value)
			}
		}
	}
	return sums
}

// fits reports whether a series has these labels. A bound may be written as "5" or as
// "5.0".
func fits(m model.Metric, of model.LabelSet) bool {
	for name, value := range of {
		if m[name] != value && (name != model.BucketLabel || m[name]+".0" != value) {
			return false
		}
	}
	return true
}

// readings are the sums of some series by pod and time.
type readings map[model.LabelValue]map[model.Time]float64

func (b *bookinfo) readings(t *testing.T, of model.LabelSet, since time.Time) readings {
	over := model.Duration(time.Since(since))
	matrix, ok := b.ask(t, fmt.Sprintf("%v[%v]", of.Merge(model.LabelSet{"namespace": model.LabelValue(b.namespace)}), over)).(model.Matrix)
	require.True(t, ok)
	all := readings{}
	for _, series := range matrix {
		pod := series.Metric["pod"]
		if all[pod] == nil {
			all[pod] = map[model.Time]float64{}
		}
		for _, sample := range series.Values {
			all[pod][sample.Timestamp] += float64(sample.Value)
		}
	}
	return all
}

// reckoning is what became of the requests to a version, or of some of them, in windows that
// follow each other.
type reckoning struct {
	Before  float64 // read by the first reading of a new pod
	Counted float64 // read in the windows
	Aside   float64 // read at other times
	Lost    float64 // came between the last reading of a process and its end
	Unread  float64 // will be read
}

// sum is all of them.
func (r reckoning) sum() float64 { return r.Before + r.Counted + r.Aside + r.Lost + r.Unread }

// reckon follows each process from reading to reading, and to its end. The counters
// are some of all that a version has.
func (b *bookinfo) reckon(t *testing.T, some, all model.LabelSet, since time.Time, windows ...metrics.Window) (r reckoning) {
	counters, first := b.readings(t, some, since), b.readings(t, all, since)
	numbers := b.readings(t, model.LabelSet{model.MetricNameLabel: numberGauge}, since)
	left := b.processes.served(t, some)
	for pod, counter := range counters {
		begin := slices.Min(slices.Collect(maps.Keys(first[pod])))
		read := map[float64]float64{} // by the number of the process
		newest := 0.0
		for _, at := range slices.Sorted(maps.Keys(counter)) {
			newest = numbers[pod][at]
			step := counter[at] - read[newest]
			read[newest] = counter[at]
			left[newest] -= step
			switch {
			case at == begin:
				r.Before += step
			case slices.ContainsFunc(windows, func(w metrics.Window) bool { return w.Contains(at.Time()) }):
				r.Counted += step
			default:
				r.Aside += step
			}
		}
		r.Unread += left[newest]
		delete(left, newest)
	}
	for _, lost := range left {
		r.Lost += lost
	}
	return r
}
