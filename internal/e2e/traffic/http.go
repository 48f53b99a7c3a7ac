package traffic

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-go/serin/internal/e2e/plane"
)

// versionHeader tells the version that answers.
const versionHeader = "Reviews-Version"

// Server is a version of reviews that answers HTTP. It is safe for concurrent
// use.
type Server struct {
	Version string
	// FailEvery makes each request of so many fail; 0 is none.
	FailEvery int64
	// Status is what a request that fails is answered with; 0 is 500.
	Status int
	// Takes is how long request n takes, from 1 on; nil is no time.
	Takes func(n int64) time.Duration
	// Fails is how many of 100 requests fail, evenly spread, from when it is set.
	Fails atomic.Int64

	served, failed, unsafe atomic.Int64
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(versionHeader, s.Version)
	if r.Method != http.MethodGet {
		s.unsafe.Add(1)
	}
	n := s.served.Add(1)
	if s.Takes != nil {
		select {
		case <-time.After(s.Takes(n)):
		case <-r.Context().Done(): // nobody waits for the answer any more
		}
	}
	if fails := s.Fails.Load(); n*fails/100 > (n-1)*fails/100 || s.FailEvery > 0 && n%s.FailEvery == 0 {
		s.failed.Add(1)
		http.Error(w, "no stars", cmp.Or(s.Status, http.StatusInternalServerError))
		return
	}
	fmt.Fprintln(w, r.URL.Path)
}

// Served is how many requests it has answered, copies as well, and how many of
// them with 500.
func (s *Server) Served() (all, failed int64) { return s.served.Load(), s.failed.Load() }

// Unsafe is how many requests it has answered that were no GET.
func (s *Server) Unsafe() int64 { return s.unsafe.Load() }

// HTTP calls through the proxy of a workload.
type HTTP struct {
	client *http.Client
	failed *atomic.Int64
	// Method, Host and Path are those of every request; "" is GET.
	Method, Host, Path string
}

// NewHTTP returns a client that reaches the mesh through a Deployment, such as a
// gateway, and asks for a URL there.
func NewHTTP(p *plane.Plane, namespace, through, host, path string) *HTTP {
	return &HTTP{Host: host, Path: path, failed: new(atomic.Int64), client: &http.Client{
		Transport:     Through(p, namespace, through),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Through dials a pod of a Deployment, whatever the host of a request, on the port
// that the host has.
func Through(p *plane.Plane, namespace, workload string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return p.DialWorkload(ctx, namespace, workload, port)
		},
		MaxIdleConnsPerHost: 64,
	}
}

// Using is the same client with another method.
func (c HTTP) Using(method string) *HTTP {
	c.Method = method
	return &c
}

// Call implements Caller. An answer of no version is an error.
func (c *HTTP) Call(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, c.Method, "http://"+c.Host+c.Path, nil)
	if err != nil {
		return "", err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return "", err
	}
	if version := answer.Header.Get(versionHeader); version != "" {
		if answer.StatusCode >= http.StatusInternalServerError {
			c.failed.Add(1)
		}
		return version, nil
	}
	return "", fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(text)))
}

// Failed is how many calls a version has answered with 5xx, by whatever method.
func (c *HTTP) Failed() int64 { return c.failed.Load() }

// Close ends what is kept open between calls.
func (c *HTTP) Close() { c.client.CloseIdleConnections() }

// Wait calls until a version answers, and returns it.
func Wait(ctx context.Context, c Caller) (string, error) {
	const limit, pause = time.Minute, 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		version, err := Once(c)
		if err == nil {
			return version, nil
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(pause):
		}
	}
}
