package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

const (
	requestsPerSecond = 400
	scrape            = 250 * time.Millisecond
)

// onEmbeddedMesh drives the rollout on a mesh in this process: real servers as
// v1 and v2, real requests through the gateway, all on loopback.
func onEmbeddedMesh(ctx context.Context, p canary.Plan, o options, out io.Writer) (canary.State, error) {
	w, err := newWorld(o)
	if err != nil {
		return canary.State{}, err
	}
	defer w.close()
	fmt.Fprintf(out, "%s on an embedded mesh: %d requests/s through %s\n%s\n\n", p.Name(), requestsPerSecond, w.gateway, legend)
	before, err := w.spec()
	if err != nil {
		return canary.State{}, err
	}

	load := startLoad(w.gateway)
	defer load.stop()
	o.prometheus, o.look = w.prometheus, 2*scrape
	runner, err := newRunner(p, w.api.Config(), o, newScreen(out, p).show)
	if err != nil {
		return canary.State{}, err
	}
	state, err := runner.Run(ctx)
	load.stop()
	fmt.Fprintf(out, "\n%v\nanswered by the server of v1: %d, of v2: %d (copies included)\n", load, w.served[0].Load(), w.served[1].Load())
	after, specErr := w.spec()
	if specErr != nil {
		return state, errors.Join(err, specErr)
	}
	if reflect.DeepEqual(before, after) {
		fmt.Fprintln(out, "the VirtualService's spec is what it was before")
	} else {
		fmt.Fprintf(out, "the VirtualService's spec was %v\nand is %v\n", before, after)
	}
	return state, err
}

// world is the embedded mesh with its servers.
type world struct {
	api        *apiserver.Server
	mesh       *fake.Mesh
	gateway    string // URLs
	prometheus string
	served     [2]atomic.Int64 // requests, by version
	servers    []*http.Server
}

func newWorld(o options) (*world, error) {
	w := &world{api: apiserver.New()}
	w.api.ValidateIstio()
	manifests := bookinfo
	if o.manifests != "" {
		var err error
		if manifests, err = os.ReadFile(o.manifests); err != nil {
			return nil, err
		}
	}
	if err := w.api.Load(manifests); err != nil {
		return nil, err
	}
	w.mesh = fake.NewMesh(w.api, fake.Config{
		Seed: 1, Delay: 50 * time.Millisecond, Spread: 50 * time.Millisecond, Scrape: scrape, Start: 400 * time.Millisecond,
	})
	if err := w.listen(o.bad); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// listen starts v1 and v2, the gateway before them and the metrics of both.
func (w *world) listen(bad bool) error {
	for i, image := range []string{"reviews:1", "reviews:2"} {
		address, err := w.serve(w.version(i, bad && i == 1))
		if err != nil {
			return err
		}
		w.mesh.Handle(image, httputil.NewSingleHostReverseProxy(address))
	}
	gateway, err := w.serve(w.mesh.Entry(fake.Source{Gateway: namespace + "/bookinfo"}))
	if err != nil {
		return err
	}
	prometheus, err := w.serve(w.mesh.Prometheus())
	if err != nil {
		return err
	}
	w.gateway, w.prometheus = gateway.String(), prometheus.String()
	return nil
}

// version is one version of reviews. A bad one fails every third request.
func (w *world) version(i int, bad bool) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if n := w.served[i].Add(1); bad && n%3 == 0 {
			http.Error(rw, "no stars", http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(rw, "reviews v%d: five stars\n", i+1)
	})
}

func (w *world) serve(h http.Handler) (*url.URL, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	w.servers = append(w.servers, server)
	go server.Serve(listener) // ends with http.ErrServerClosed in close
	return &url.URL{Scheme: "http", Host: listener.Addr().String()}, nil
}

func (w *world) close() {
	w.mesh.Wait()
	for _, s := range w.servers {
		s.Close()
	}
}

// spec is the VirtualService's spec as the API server has it.
func (w *world) spec() (map[string]any, error) {
	text, ok := w.api.Get("virtualservices.networking.istio.io", namespace, "reviews")
	if !ok {
		return nil, errors.New("the manifests have no VirtualService bookinfo/reviews")
	}
	var vs struct{ Spec map[string]any }
	return vs.Spec, json.Unmarshal(text, &vs)
}
