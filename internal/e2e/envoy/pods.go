package envoy

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-go/serin/internal/e2e/plane"
)

// Gateway is a program that is a gateway: it takes the Gateways whose selectors
// fit the labels of its pod.
func Gateway(p *plane.Plane) plane.Program { return proxy(p, true) }

// Sidecar is a program that is a client's sidecar without the client: whoever
// dials it is that.
func Sidecar(p *plane.Plane) plane.Program { return proxy(p, false) }

func proxy(p *plane.Plane, gateway bool) plane.Program {
	return func(pod plane.Pod, l net.Listener) func() {
		watch, err := NewWatch(p.XDS(), Node{pod.Namespace, pod.Name, pod.Address, pod.Labels, gateway})
		if err != nil {
			return serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "envoy: "+err.Error(), http.StatusInternalServerError)
			}))
		}
		transport := &http.Transport{
			DialContext:         func(ctx context.Context, _, address string) (net.Conn, error) { return p.Dial(ctx, address) },
			MaxIdleConnsPerHost: 64,
		}
		self := &Proxy{config: watch.Config, self: self(pod), telemetry: newTelemetry(prometheus.NewRegistry()), pods: transport}
		stop := serve(l, self)
		return func() {
			stop()
			self.copies.Wait()
			transport.CloseIdleConnections()
			_ = watch.Close() // nothing is left of it either way
		}
	}
}

// App is a program that answers by a handler. Its own proxy counts what it
// answers, copies as well.
func App(h http.Handler) plane.Program {
	return func(pod plane.Pod, l net.Listener) func() { return Process(h, prometheus.NewRegistry())(pod, l) }
}

// Process is App for one process: what Prometheus reads of it is in the registry,
// its proxy's counters and the metrics of its own, as Istio merges them.
func Process(h http.Handler, registry *prometheus.Registry) plane.Program {
	return func(pod plane.Pod, l net.Listener) func() {
		return serve(l, &inbound{self(pod), newTelemetry(registry), h})
	}
}

// inbound is the proxy before an application.
type inbound struct {
	self      peer
	telemetry *telemetry
	app       http.Handler
}

func (i *inbound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == metricsPath {
		i.telemetry.handler.ServeHTTP(w, r)
		return
	}
	begin := time.Now()
	from, host := decodePeer(r.Header.Get(peerHeader))
	r.Header.Del(peerHeader)
	answer := &recorder{ResponseWriter: w, status: http.StatusOK}
	// Also if the application panics, which ends the connection.
	defer func() {
		i.telemetry.count(report{
			reporter: "destination", source: from, destination: i.self, host: host,
			status: answer.status, took: time.Since(begin),
		})
	}()
	i.app.ServeHTTP(answer, r)
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// serve serves on l until the function that it returns has let the requests
// under way end.
func serve(l net.Listener, h http.Handler) (stop func()) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go s.Serve(l) // ends with the server
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			_ = s.Close() // somebody holds on to a connection
		}
	}
}

func self(pod plane.Pod) peer {
	return peer{
		Workload: pod.Workload, Namespace: pod.Namespace,
		Service:  cmp.Or(pod.Labels["service.istio.io/canonical-name"], pod.Labels["app"], pod.Workload),
		Revision: cmp.Or(pod.Labels["service.istio.io/canonical-revision"], pod.Labels["version"]),
	}
}

// peerHeader tells the proxy of the pod who asks, and for what host, as Istio's
// proxies tell each other.
const peerHeader = "X-Envoy-Peer-Metadata"

type exchanged struct {
	peer
	Host string
}

func (p peer) encode(host string) string {
	b, _ := json.Marshal(exchanged{p, host}) // strings always have an encoding
	return base64.StdEncoding.EncodeToString(b)
}

// decodePeer reads what a proxy told; who is no proxy is nobody.
func decodePeer(text string) (peer, string) {
	var e exchanged
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && json.Unmarshal(b, &e) == nil {
		return e.peer, e.Host
	}
	return peer{}, ""
}
