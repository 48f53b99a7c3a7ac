package envoy

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsPath is where the metrics of a proxy are, as with Istio.
const metricsPath = "/stats/prometheus"

// telemetry counts requests with Istio's names. It begins at nothing with each
// pod.
type telemetry struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	handler  http.Handler
}

var labels = []string{
	"reporter",
	"source_workload", "source_workload_namespace", "source_canonical_service", "source_canonical_revision",
	"destination_workload", "destination_workload_namespace", "destination_canonical_service", "destination_canonical_revision",
	"destination_service", "destination_service_name", "destination_service_namespace",
	"request_protocol", "response_code", "response_flags", "connection_security_policy",
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
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}
	registry.MustRegister(t.requests, t.duration)
	return t
}

// peer is one side of a request.
type peer struct{ Workload, Namespace, Service, Revision string }

// report is one request as one side saw it.
type report struct {
	reporter    string
	source      peer
	destination peer
	host        string // of the service that was asked for
	status      int
	flags       string
	took        time.Duration
}

func (t *telemetry) count(r report) {
	name, rest, _ := strings.Cut(r.host, ".")
	namespace, _, _ := strings.Cut(rest, ".")
	known := func(s string) string { return cmp.Or(s, "unknown") }
	values := []string{
		r.reporter,
		known(r.source.Workload), known(r.source.Namespace), known(r.source.Service), cmp.Or(r.source.Revision, "latest"),
		known(r.destination.Workload), known(r.destination.Namespace), known(r.destination.Service), cmp.Or(r.destination.Revision, "latest"),
		known(r.host), known(name), known(namespace),
		"http", strconv.Itoa(r.status), cmp.Or(r.flags, "-"), "none",
	}
	t.requests.WithLabelValues(values...).Inc()
	t.duration.WithLabelValues(values...).Observe(float64(r.took) / float64(time.Millisecond))
}
