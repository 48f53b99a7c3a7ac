package envoy

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-go/serin/internal/e2e/plane"
)

// App is a program that answers by a handler on some ports, in HTTP/1.1 and in
// HTTP/2 without TLS. It counts what it answers, copies as well, as its own proxy
// would.
func App(p *plane.Plane, h http.Handler, ports ...int) plane.Program {
	return func(pod plane.Pod) (func(), error) { return Process(p, h, prometheus.NewRegistry(), ports...)(pod) }
}

// Process is App for one process: what Prometheus reads of it is in the registry,
// its proxy's counters and the metrics of its own, as Istio merges them.
func Process(p *plane.Plane, h http.Handler, registry *prometheus.Registry, ports ...int) plane.Program {
	return func(pod plane.Pod) (func(), error) {
		in := &inbound{plane: p, pod: pod, telemetry: newTelemetry(registry), app: h}
		stop, err := serveMetrics(pod, registry)
		if err != nil {
			return nil, err
		}
		stops := []func(){stop}
		all := func() {
			for _, stop := range stops {
				stop()
			}
		}
		for _, port := range ports {
			stop, err := serve(pod, port, in)
			if err != nil {
				all()
				return nil, err
			}
			stops = append(stops, stop)
		}
		return all, nil
	}
}

// inbound is the proxy before an application.
type inbound struct {
	plane     *plane.Plane
	pod       plane.Pod
	telemetry *telemetry
	app       http.Handler
	found     atomic.Pointer[service]
}

func (i *inbound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	from := decodePeer(r.Header.Get(peerHeader))
	r.Header.Del(peerHeader)
	answer := &recorder{ResponseWriter: w, status: http.StatusOK}
	returned := false
	defer func() {
		code, flags := answer.status, ""
		switch {
		case r.Context().Err() != nil: // the client has left
			code, flags = 0, "DC"
		case !returned: // the application has panicked, which ends the connection
			code, flags = http.StatusServiceUnavailable, "UC"
		}
		i.telemetry.count(report{
			reporter: "destination", source: from, destination: self(i.pod), service: i.service(),
			code: code, flags: flags, took: time.Since(begin),
		})
	}()
	i.app.ServeHTTP(answer, r)
	returned = true
}

// service is the first one that leads to the pod, once there is one.
func (i *inbound) service() service {
	if s := i.found.Load(); s != nil {
		return *s
	}
	name := i.plane.ServiceOf(i.pod)
	if name == "" {
		return service{}
	}
	s := service{name + "." + i.pod.Namespace + ".svc.cluster.local", name, i.pod.Namespace}
	i.found.Store(&s)
	return s
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

// serve serves on a port of a pod until the function that it returns has let the
// requests under way end.
func serve(pod plane.Pod, port int, h http.Handler) (stop func(), err error) {
	l, err := pod.Listen(port)
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(l) // ends with the server
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			_ = s.Close() // somebody holds on to a connection
		}
	}, nil
}
