package envoy

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/serin-go/serin/internal/e2e/plane"
)

// telemetry counts requests with Istio's names. It begins at nothing with each
// process.
type telemetry struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

var labels = []string{
	"reporter",
	"source_workload", "source_workload_namespace", "source_canonical_service", "source_canonical_revision",
	"destination_workload", "destination_workload_namespace", "destination_canonical_service", "destination_canonical_revision",
	"destination_service", "destination_service_name", "destination_service_namespace",
	"request_protocol", "response_code", "grpc_response_status", "response_flags", "connection_security_policy",
}

// buckets are Istio's, in milliseconds.
var buckets = []float64{
	0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
}

// newTelemetry shows its counters in the registry.
func newTelemetry(registry *prometheus.Registry) *telemetry {
	t := &telemetry{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "istio_requests_total", Help: "Requests."}, labels),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "istio_request_duration_milliseconds", Help: "Time to answer.", Buckets: buckets,
		}, labels),
	}
	registry.MustRegister(t.requests, t.duration)
	return t
}

// serveMetrics shows a registry where Prometheus looks for a pod's metrics.
func serveMetrics(pod plane.Pod, registry *prometheus.Registry) (stop func(), err error) {
	return serve(pod, plane.MetricsPort, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// peer is one side of a request: a workload, and its canonical service and
// revision.
type peer struct{ Workload, Namespace, Service, Revision string }

func self(pod plane.Pod) peer {
	return peer{
		Workload: pod.Workload, Namespace: pod.Namespace,
		Service:  cmp.Or(pod.Labels["service.istio.io/canonical-name"], pod.Labels["app"], pod.Workload),
		Revision: cmp.Or(pod.Labels["service.istio.io/canonical-revision"], pod.Labels["version"]),
	}
}

// peerHeader tells a pod who asks, as Istio's proxies tell each other.
const peerHeader = "X-Envoy-Peer-Metadata"

// encode is the value of the header.
func (p peer) encode() string {
	b, _ := json.Marshal(p) // strings always have an encoding
	return string(b)
}

// decodePeer reads the header. Without it the peer is zero.
func decodePeer(text string) (p peer) {
	if json.Unmarshal([]byte(text), &p) != nil {
		return peer{}
	}
	return p
}

// service is one that is asked for.
type service struct{ Host, Name, Namespace string }

// report is one request as one side saw it.
type report struct {
	reporter    string
	source      peer
	destination peer
	service     service
	grpc        bool
	status      string // of gRPC
	code        int
	flags       string
	took        time.Duration
}

func (t *telemetry) count(r report) {
	known := func(s string) string { return cmp.Or(s, "unknown") }
	protocol := "http"
	if r.grpc {
		protocol = "grpc"
	}
	values := []string{
		r.reporter,
		known(r.source.Workload), known(r.source.Namespace), known(r.source.Service), cmp.Or(r.source.Revision, "latest"),
		known(r.destination.Workload), known(r.destination.Namespace), known(r.destination.Service), cmp.Or(r.destination.Revision, "latest"),
		known(r.service.Host), known(r.service.Name), known(r.service.Namespace),
		protocol, strconv.Itoa(r.code), r.status, cmp.Or(r.flags, "-"), "none",
	}
	t.requests.WithLabelValues(values...).Inc()
	t.duration.WithLabelValues(values...).Observe(float64(r.took) / float64(time.Millisecond))
}
