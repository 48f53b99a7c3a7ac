package fake

import (
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/endpoint"
)

// reporter is the proxy that counts.
type reporter string

const (
	bySource      reporter = "source"
	byDestination reporter = "destination"
)

// seriesKey is all labels of a series.
type seriesKey struct {
	by            reporter
	fromWorkload  string
	fromNamespace string
	to            endpoint.ID
	code          int
	flags         string
}

// series is a counter of requests and a histogram of their durations.
type series struct {
	labels []pair // sorted by name
	key    seriesKey
	to     endpoint.Identity
	now    reading
}

// reading is what one series shows at one moment.
type reading struct {
	requests uint64
	sum      float64 // of durations, in milliseconds
	buckets  histogram
}

// counters are the series of a mesh, in the order of their first request.
type counters struct {
	index map[seriesKey]int
	all   []*series
	// dirty: something moved since the last scrape.
	dirty bool
}

func (c *counters) at(key seriesKey) *series {
	i, ok := c.index[key]
	if !ok {
		i = len(c.all)
		c.index[key] = i
		c.all = append(c.all, &series{labels: labelsOf(key), key: key, to: key.to.Value()})
	}
	c.dirty = true
	return c.all[i]
}

func (s *series) add(n uint64, sum float64, h *histogram) {
	s.now.requests += n
	s.now.sum += sum
	for i, k := range h {
		s.now.buckets[i] += k
	}
}

// reset begins the counters anew that the proxies of a workload keep.
func (c *counters) reset(namespace, workload string) {
	for _, s := range c.all {
		own := types.NamespacedName{Namespace: s.to.Namespace, Name: s.to.Workload}
		if s.key.by == bySource {
			own = types.NamespacedName{Namespace: s.key.fromNamespace, Name: s.key.fromWorkload}
		}
		if own == (types.NamespacedName{Namespace: namespace, Name: workload}) {
			s.now = reading{}
			c.dirty = true
		}
	}
}

// instance names the proxy that keeps the series.
func (s *series) instance() string { return s.key.instance() }

func (s *series) code() string { return strconv.Itoa(s.key.code) }

func (k seriesKey) instance() string {
	if k.by == byDestination {
		to := k.to.Value()
		return to.Workload + "." + to.Namespace
	}
	return k.fromWorkload + "." + k.fromNamespace
}

// upTo returns how many durations lie in a bucket or in one before it.
func (h *histogram) upTo(bucket int) uint64 {
	var sum uint64
	for _, k := range h[:bucket+1] {
		sum += k
	}
	return sum
}

// pair is a label and its value.
type pair struct{ name, value string }

// labelsOf spells the labels of a series as Istio does.
func labelsOf(k seriesKey) []pair {
	policy, to := endpoint.Unknown, k.to.Value()
	if k.by == byDestination {
		policy = "mutual_tls"
	}
	labels := []pair{
		{"connection_security_policy", policy},
		{"destination_app", to.App},
		{"destination_canonical_revision", to.Revision},
		{"destination_canonical_service", to.Service},
		{"destination_service", to.Host},
		{"destination_service_name", to.HostName},
		{"destination_service_namespace", to.HostNamespace},
		{"destination_version", to.Version},
		{"destination_workload", to.Workload},
		{"destination_workload_namespace", to.Namespace},
		{"grpc_response_status", ""},
		{"instance", k.instance()},
		{"reporter", string(k.by)},
		{"request_protocol", "http"},
		{"response_code", strconv.Itoa(k.code)},
		{"response_flags", k.flags},
		{"source_workload", k.fromWorkload},
		{"source_workload_namespace", k.fromNamespace},
	}
	return slices.DeleteFunc(labels, func(p pair) bool { return p.value == "" })
}
