package fake

import (
	"slices"
	"strconv"
	"unique"

	"k8s.io/apimachinery/pkg/types"
)

// who is an identity that is compared at once, however long its names are.
type who = unique.Handle[identity]

// identity is the destination of a request in the labels of Istio's metrics.
type identity struct {
	workload, namespace string
	app, service        string // service is the canonical service
	revision, version   string
	// host, hostName and hostNamespace are the Service that was called.
	host, hostName, hostNamespace string
}

const unknown = "unknown"

// nobody is the destination of a request that reached no pod.
var nobody = identity{
	workload: unknown, namespace: unknown, app: unknown, service: unknown, revision: "latest", version: unknown,
	host: unknown, hostName: unknown, hostNamespace: unknown,
}

// identify names pods that were reached through a Service.
func identify(p instances, s *service) who {
	id := nobody
	id.host, id.hostName, id.hostNamespace = s.host, s.name, s.namespace
	id.workload, id.namespace = p.workload, p.namespace
	id.app = label(p.labels, unknown, "app")
	id.service = label(p.labels, p.workload, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
	id.revision = label(p.labels, "latest", "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
	id.version = label(p.labels, unknown, "version")
	return unique.Make(id)
}

// nobodyAt is nobody behind a Service.
func nobodyAt(s *service) who {
	id := nobody
	id.host, id.hostName, id.hostNamespace = s.host, s.name, s.namespace
	return unique.Make(id)
}

// label returns the first of the labels that is there.
func label(labels map[string]string, otherwise string, names ...string) string {
	for _, name := range names {
		if value := labels[name]; value != "" {
			return value
		}
	}
	return otherwise
}

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
	to            who
	code          int
	flags         string
}

// series is a counter of requests and a histogram of their durations.
type series struct {
	labels []pair // sorted by name
	key    seriesKey
	to     identity
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
		own := types.NamespacedName{Namespace: s.to.namespace, Name: s.to.workload}
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
		return to.workload + "." + to.namespace
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
	policy, to := unknown, k.to.Value()
	if k.by == byDestination {
		policy = "mutual_tls"
	}
	labels := []pair{
		{"connection_security_policy", policy},
		{"destination_app", to.app},
		{"destination_canonical_revision", to.revision},
		{"destination_canonical_service", to.service},
		{"destination_service", to.host},
		{"destination_service_name", to.hostName},
		{"destination_service_namespace", to.hostNamespace},
		{"destination_version", to.version},
		{"destination_workload", to.workload},
		{"destination_workload_namespace", to.namespace},
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
