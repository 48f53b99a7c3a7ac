package envoy

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"text/template"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-go/serin/internal/e2e/plane"
)

// Proxy is an Envoy: the sidecar of a client without the client, since whoever
// dials it is that, or a gateway.
type Proxy struct {
	Plane *plane.Plane
	// Gateway is one that takes the Gateways whose selectors fit the labels of its
	// pod.
	Gateway bool
	// Log, if there is one, is told each entry of the access log.
	Log func(Entry)
}

// Run is a plane.Program: it starts an Envoy in a pod, which ends with the pod.
func (x Proxy) Run(pod plane.Pod) (func(), error) {
	counters := prometheus.NewRegistry()
	hide, err := serveMetrics(pod, counters)
	if err != nil {
		return nil, err
	}
	r, err := newRelay(x.Plane, pod)
	if err != nil {
		hide()
		return nil, err
	}
	process, err := x.start(pod, r.address(), counters)
	if err != nil {
		r.close()
		hide()
		return nil, err
	}
	var stopped atomic.Bool
	go func() {
		if why := process.Ended(); !stopped.Load() {
			x.Plane.Logf("plane: an Envoy has ended by itself: %v", why)
		}
	}()
	return func() {
		stopped.Store(true)
		process.Kill()
		r.close()
		hide()
	}, nil
}

// AdminPort is where Envoy's own interface for people is, as with Istio.
const AdminPort = 15000

// bootstrap is the configuration that Envoy starts with: who it is, and where it
// is told the rest.
//
//go:embed bootstrap.yaml
var bootstrapText string

var bootstrap = template.Must(template.New("bootstrap").Parse(bootstrapText))

// start starts an Envoy that is told by a relay, and counts its requests.
func (x Proxy) start(pod plane.Pod, relay string, counters *prometheus.Registry) (*plane.Process, error) {
	admin, err := x.Plane.Place(pod.Address, AdminPort)
	if err != nil {
		return nil, err
	}
	kind := "sidecar"
	if x.Gateway {
		kind = "router"
	}
	name := fmt.Sprintf("envoy-%s-%s", pod.Namespace, pod.Name)
	file, err := os.Create(x.Plane.Path(name + ".yaml"))
	if err != nil {
		return nil, err
	}
	err = bootstrap.Execute(file, map[string]any{"Kind": kind, "Pod": pod, "Relay": split(relay), "Admin": split(admin)})
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, x.Plane.Envoy(), "-c", file.Name(), "--disable-hot-restart", "--concurrency", "1",
		"--log-level", "warning", "--file-flush-interval-msec", "10", "--drain-time-s", "1")
	cmd.Stdout = &accessLog{telemetry: newTelemetry(counters), self: self(pod), proxy: x, unreadable: kill}
	return x.Plane.Run(name, cmd)
}

// endpoint is an address as Envoy wants it.
type endpoint struct {
	Host string
	Port int
}

func split(address string) endpoint {
	host, text, _ := net.SplitHostPort(address) // it is one of ours
	port, _ := strconv.Atoi(text)
	return endpoint{host, port}
}
