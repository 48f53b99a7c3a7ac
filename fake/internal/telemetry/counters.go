package telemetry

import (
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/endpoint"
)

// Reporter is the proxy that counts.
type Reporter string

// The proxy of the sender counts, and that of the pod.
const (
	BySource      Reporter = "source"
	ByDestination Reporter = "destination"
)

// Key is all that tells series apart.
type Key struct {
	By Reporter
	// FromWorkload and FromNamespace are those of the sender.
	FromWorkload, FromNamespace string
	// To is the destination.
	To endpoint.ID
	// Code is the status of the answer; 0 if there was none.
	Code int
	// Flags are Envoy's response flags; "-" for none.
	Flags string
}

// series is a counter of requests and a histogram of their durations.
type series struct {
	labels []pair // sorted by name
	key    Key
	to     endpoint.Identity
	now    reading
	ever   uint64 // requests, also those before a restart
}

// reading is what one series shows at one moment.
type reading struct {
	requests uint64
	sum      float64 // of durations, in milliseconds
	buckets  Histogram
}

// counters are the series of a mesh, in the order of their first request.
type counters struct {
	index map[Key]int
	all   []*series
	// dirty: something moved since the last scrape.
	dirty bool
}

func (c *counters) at(key Key) *series {
	i, ok := c.index[key]
	if !ok {
		i = len(c.all)
		c.index[key] = i
		c.all = append(c.all, &series{labels: labelsOf(key), key: key, to: key.To.Value()})
	}
	c.dirty = true
	return c.all[i]
}

func (s *series) add(n uint64, t *Timing) {
	s.now.requests += n
	s.ever += n
	s.now.sum += t.Sum
	for i, k := range t.Buckets {
		s.now.buckets[i] += k
	}
}

// reset begins the counters anew that the proxies of a workload keep.
func (c *counters) reset(namespace, workload string) {
	for _, s := range c.all {
		own := types.NamespacedName{Namespace: s.to.Namespace, Name: s.to.Workload}
		if s.key.By == BySource {
			own = types.NamespacedName{Namespace: s.key.FromNamespace, Name: s.key.FromWorkload}
		}
		if own == (types.NamespacedName{Namespace: namespace, Name: workload}) {
			s.now = reading{}
			c.dirty = true
		}
	}
}

// instance names the proxy that keeps the series.
func (s *series) instance() string { return s.key.instance() }

func (s *series) code() string { return strconv.Itoa(s.key.Code) }

func (k Key) instance() string {
	if k.By == ByDestination {
		to := k.To.Value()
		return to.Workload + "." + to.Namespace
	}
	return k.FromWorkload + "." + k.FromNamespace
}

// pair is a label and its value.
type pair struct{ name, value string }

// labelsOf spells the labels of a series as Istio does.
func labelsOf(k Key) []pair {
	policy, to := endpoint.Unknown, k.To.Value()
	if k.By == ByDestination {
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
		{"reporter", string(k.By)},
		{"request_protocol", "http"},
		{"response_code", strconv.Itoa(k.Code)},
		{"response_flags", k.Flags},
		{"source_workload", k.FromWorkload},
		{"source_workload_namespace", k.FromNamespace},
	}
	return slices.DeleteFunc(labels, func(p pair) bool { return p.value == "" })
}
