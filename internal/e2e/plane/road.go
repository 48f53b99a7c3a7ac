package plane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Road is a bad way to the API server: see BadRoad.
type Road struct {
	config *rest.Config
	next   http.RoundTripper
	server *http.Server
	served chan struct{}

	mu    sync.Mutex
	dice  *rand.Rand
	tally map[fate]int
}

// fate is what becomes of a request on a bad road.
type fate string

const (
	arrived fate = "arrived"
	dropped fate = "dropped" // before it was sent on
	lost    fate = "lost"    // the answer: the request was obeyed
	tooMany fate = "answered with 429"
	nobody  fate = "answered with 503"
)

// BadRoad opens a way to the API server on which requests take long, some are
// dropped, answers are lost, and some requests are sent away. A request that is
// under way arrives even if its sender is dead by then. The seed says what becomes of
// the first request, the second and so on. Close it.
func (p *Plane) BadRoad(seed uint64) (*Road, error) {
	next, err := rest.TransportFor(&rest.Config{Host: p.config.Host, TLSClientConfig: p.config.TLSClientConfig})
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(p.config.Host)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Road{
		config: p.Config(), next: next, served: make(chan struct{}),
		dice: rand.New(rand.NewPCG(seed, 0)), tally: map[fate]int{},
	}
	r.config.Host = "https://" + l.Addr().String()
	r.server = &http.Server{
		Handler: &httputil.ReverseProxy{
			Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to) },
			Transport:    r,
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
			ErrorLog:     log.New(io.Discard, "", 0),
		},
		ErrorLog: log.New(io.Discard, "", 0), // of clients that are killed
		// HTTP/2 has no connections that could be cut for one request alone.
		Protocols: new(http.Protocols),
	}
	r.server.Protocols.SetHTTP1(true)
	go func() {
		defer close(r.served)
		_ = r.server.ServeTLS(l, p.Path(certFile), p.Path(keyFile)) // until Close
	}()
	return r, nil
}

// Config is what Plane.Config says, but for the way.
func (r *Road) Config() *rest.Config { return rest.CopyConfig(r.config) }

// Close closes the road, waits until nobody is on it, and says in a line what
// became of the requests.
func (r *Road) Close() string {
	_ = r.server.Shutdown(context.Background()) // which nothing but its context ends early
	<-r.served
	r.mu.Lock()
	defer r.mu.Unlock()
	var words []string
	for _, f := range slices.Sorted(maps.Keys(r.tally)) {
		words = append(words, fmt.Sprintf("%d %s", r.tally[f], f))
	}
	return "requests: " + strings.Join(words, ", ")
}

// RoundTrip sends a request along the road.
func (r *Road) RoundTrip(request *http.Request) (*http.Response, error) {
	f, delay := r.draw()
	time.Sleep(delay)
	switch f {
	case dropped:
		return nil, errors.New("dropped")
	case tooMany:
		return answer(request, http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}}), nil
	case nobody:
		return answer(request, http.StatusServiceUnavailable, http.Header{}), nil
	}
	response, err := r.next.RoundTrip(request.WithContext(context.WithoutCancel(request.Context())))
	if err == nil && f == lost {
		_ = response.Body.Close() // nobody reads it
		err = errors.New("lost")
	}
	return response, err
}

// draw says what becomes of the next request, and how long it takes on top.
func (r *Road) draw() (fate, time.Duration) {
	const usual, longest = 40 * time.Millisecond, time.Second
	r.mu.Lock()
	defer r.mu.Unlock()
	f := arrived
	switch n := r.dice.IntN(100); {
	case n < 5:
		f = dropped
	case n < 10:
		f = lost
	case n < 12:
		f = tooMany
	case n < 14:
		f = nobody
	}
	r.tally[f]++
	return f, min(time.Duration(r.dice.ExpFloat64()*float64(usual)), longest)
}

func answer(request *http.Request, code int, header http.Header) *http.Response {
	text := http.StatusText(code)
	return &http.Response{
		StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader([]byte(text))), ContentLength: int64(len(text)), Request: request,
	}
}
