// Package plane is a real control plane for tests: etcd, kube-apiserver,
// kube-controller-manager, istiod and Prometheus, built from this module and run
// on free loopback ports, with the CRDs of Istio and the Gateway API, Istio's
// validating webhook and a kubelet that pretends. Its pods have addresses on
// loopback; package envoy runs Envoys in them.
package plane

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// Plane is a running control plane. It is safe for concurrent use.
type Plane struct {
	logf     func(format string, args ...any)
	programs programs
	dir      string // of all files
	release  func() // it
	ca       []byte
	ports    ports
	places   *places
	config   *rest.Config
	nursery  *nursery
	parts    map[Part]*part
	kubelet  kubelet
	pods     *http.Server // the way to them for Prometheus
	stop     func()       // once

	starting   sync.Mutex // held by Start
	namespaces atomic.Int64

	mu       sync.Mutex
	refusals map[string][]string // of Envoys, by namespace
}

// folder begins the names of the folders of planes in the folder for temporary
// files; the id of the process follows.
const folder = "serin-e2e-"

// Start starts a control plane and says through logf how long each part took.
// The caller stops it. Should this process be interrupted, terminated or killed,
// the parts end with it.
func Start(ctx context.Context, logf func(format string, args ...any)) (*Plane, error) {
	p := &Plane{logf: logf, nursery: newNursery(), places: newPlaces(), parts: map[Part]*part{}, refusals: map[string][]string{}}
	p.stop = sync.OnceFunc(p.halt)
	p.starting.Lock()
	defer p.starting.Unlock()
	ctx = p.stopOnSignal(ctx)
	begin := time.Now()
	for _, part := range []struct {
		name  string
		start func(context.Context) error
	}{
		{"programs", p.findPrograms},
		{"certificates", p.prepare},
		{"etcd", p.startEtcd},
		{"kube-apiserver", p.startAPIServer},
		{"kube-controller-manager", p.startControllerManager},
		{"CRDs", p.installCRDs},
		{"istiod", p.startIstiod},
		{"Istio's webhook", p.installWebhook},
		{"kubelet", p.startKubelet},
		{"Prometheus", p.startPrometheus},
	} {
		since := time.Now()
		if err := part.start(ctx); err != nil {
			p.Stop()
			return nil, fmt.Errorf("plane: %s: %w", part.name, err)
		}
		logf("plane: %-24s %6.2f s", part.name, time.Since(since).Seconds())
	}
	logf("plane: %-24s %6.2f s", "ready", time.Since(begin).Seconds())
	return p, nil
}

// Stop ends all parts and removes their files. It may be called again.
func (p *Plane) Stop() { p.stop() }

func (p *Plane) halt() {
	p.kubelet.stop()
	if p.pods != nil {
		_ = p.pods.Close() // its listener may be closed already
	}
	p.nursery.close()
	p.places.close()
	if p.dir != "" {
		_ = os.RemoveAll(p.dir) // what is left is swept away by the next plane
		p.release()
	}
}

// Config returns a configuration for clients with all rights and no limit of
// queries.
func (p *Plane) Config() *rest.Config { return rest.CopyConfig(p.config) }

// Logf says something that whoever reads the log of the plane should know.
func (p *Plane) Logf(format string, args ...any) { p.logf(format, args...) }

// XDS is the address of istiod's discovery service, in plain gRPC.
func (p *Plane) XDS() string { return address(p.ports.istioXDS) }

// stopOnSignal stops the plane and the process when it is told to end. The context
// that it returns ends then: what is half started is not to be stopped yet.
func (p *Plane) stopOnSignal(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		s := <-signals
		cancel(fmt.Errorf("plane: %v", s))
		p.starting.Lock()
		p.Stop()
		os.Exit(128 + int(s.(syscall.Signal)))
	}()
	return ctx
}

func (p *Plane) findPrograms(ctx context.Context) (err error) {
	if p.programs, err = find(ctx); err != nil {
		return err
	}
	if err := p.programs.missing(); err != nil {
		return fmt.Errorf("go -C internal/e2e run ./install gets what is missing: %w", err)
	}
	return p.checkEnvoy(ctx)
}

func (p *Plane) prepare(context.Context) error {
	if err := sweep(os.TempDir(), folder); err != nil {
		return err
	}
	var err error
	if p.dir, p.release, err = claim(os.TempDir(), folder); err != nil {
		return err
	}
	if p.ca, err = writeCertificates(p.dir); err != nil {
		return err
	}
	p.ports, err = freePorts()
	return err
}
