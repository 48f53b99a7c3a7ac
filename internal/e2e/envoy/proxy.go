package envoy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// Proxy is the proxy of a client or a gateway. It takes the port that a client
// dialled from the authority of a request; without one it is 80. It is safe for
// concurrent use.
type Proxy struct {
	config    func() *Config
	self      peer
	telemetry *telemetry
	pods      http.RoundTripper
	turn      atomic.Uint64  // of the endpoints
	copies    sync.WaitGroup // under way
}

// Why a proxy answered by itself, as Envoy's response flags name it.
const (
	noRoute         = "NR"
	noCluster       = "NC"
	noHealthy       = "UH"
	connectFailed   = "UF"
	upstreamClosed  = "UC"
	upstreamTimeout = "UT"
)

// ServeHTTP routes a request as istiod told last.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == metricsPath {
		p.telemetry.handler.ServeHTTP(w, r)
		return
	}
	begin := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	config := p.config()
	choice, err := config.Choose(port(r), r)
	if err != nil {
		http.Error(w, "envoy: "+err.Error(), http.StatusNotImplemented)
		return
	}
	e := &exchange{proxy: p, config: config, choice: choice, cluster: choice.draw(), body: body}
	e.retries = choice.action.GetRetryPolicy().GetNumRetries().GetValue()
	if choice.Status != 0 {
		e.answer(w, r)
	} else {
		if pods, _ := config.Endpoints(e.cluster); len(pods) > 0 {
			e.mirror(r) // what cannot be sent is not copied
		}
		e.forward(w, r)
	}
	p.telemetry.count(report{
		reporter: "source", source: p.self, destination: e.to, host: host(e.cluster),
		status: e.status, flags: e.flags, took: time.Since(begin),
	})
}

func port(r *http.Request) uint32 {
	if _, text, err := net.SplitHostPort(r.Host); err == nil {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil {
			return uint32(n)
		}
	}
	return 80
}

// host is the service of a cluster, whose name is outbound|port|subset|host.
func host(cluster string) string { return cluster[strings.LastIndexByte(cluster, '|')+1:] }

// exchange is one request on its way, and what comes of it.
type exchange struct {
	proxy   *Proxy
	config  *Config
	choice  Choice
	cluster string
	body    []byte
	retries uint32

	to     peer // who got it last
	status int
	flags  string
}

// answer is for requests that go nowhere.
func (e *exchange) answer(w http.ResponseWriter, r *http.Request) {
	e.status = e.choice.Status
	if d := e.choice.redirect; d != nil {
		w.Header().Set("Location", location(d, r))
	} else if e.choice.Route == "" && e.choice.body == nil && e.status == http.StatusNotFound {
		e.flags = noRoute
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(e.choice.body) // the client may have left
}

func location(d *route.RedirectAction, r *http.Request) string {
	u := *r.URL
	u.Scheme, u.Host = "http", r.Host
	if s := d.GetSchemeRedirect(); s != "" {
		u.Scheme = s
	}
	if h := d.GetHostRedirect(); h != "" {
		u.Host = h
	}
	if path := d.GetPathRedirect(); path != "" {
		u.Path, u.RawPath = path, ""
	}
	return u.String()
}

// mirror sends the copies that are drawn. Nobody waits for the answers, and only
// those that get them count them. A copy is sent once.
func (e *exchange) mirror(r *http.Request) {
	for _, m := range e.choice.Mirrors {
		if rand.Uint32N(whole) >= m.Weight {
			continue
		}
		copied := &exchange{proxy: e.proxy, config: e.config, choice: e.choice, cluster: m.Cluster, body: e.body}
		request := r.Clone(context.WithoutCancel(r.Context()))
		e.proxy.copies.Go(func() { copied.forward(nowhere{}, request) })
	}
}

// nowhere is where the answers to copies go.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}

// forward sends the request to the cluster and the answer to w.
func (e *exchange) forward(w http.ResponseWriter, r *http.Request) {
	if t := e.choice.timeout(); t > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), t)
		defer cancel()
		r = r.WithContext(ctx)
	}
	(&httputil.ReverseProxy{
		Rewrite:   e.rewrite,
		Transport: e,
		ModifyResponse: func(answer *http.Response) error {
			e.status = answer.StatusCode
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			e.status, e.flags = trouble(err)
			http.Error(w, e.flags+": "+err.Error(), e.status)
		},
	}).ServeHTTP(w, r)
}

var (
	errNoCluster = errors.New("there is no such cluster")
	errNoHealthy = errors.New("no healthy upstream")
)

func trouble(err error) (status int, flags string) {
	var dial *net.OpError
	switch {
	case errors.Is(err, errNoCluster):
		return http.StatusServiceUnavailable, noCluster
	case errors.Is(err, errNoHealthy):
		return http.StatusServiceUnavailable, noHealthy
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, upstreamTimeout
	case errors.As(err, &dial) && dial.Op == "dial":
		return http.StatusServiceUnavailable, connectFailed
	}
	return http.StatusServiceUnavailable, upstreamClosed
}

// rewrite makes the request that the pods get.
func (e *exchange) rewrite(r *httputil.ProxyRequest) {
	out, a := r.Out, e.choice.action
	out.URL.Scheme, out.Host = "http", r.In.Host
	if h := a.GetHostRewriteLiteral(); h != "" {
		out.Host = h
	}
	if to := a.GetPrefixRewrite(); to != "" {
		out.URL.Path, out.URL.RawPath = to+strings.TrimPrefix(r.In.URL.Path, e.choice.prefix), ""
	}
	out.Header.Set(peerHeader, e.proxy.self.encode(host(e.cluster)))
}

// RoundTrip sends the request to the endpoints in turn, as often as the route
// says.
func (e *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	endpoints, ok := e.config.Endpoints(e.cluster)
	switch {
	case !ok:
		return nil, errNoCluster
	case len(endpoints) == 0:
		return nil, errNoHealthy
	}
	for left := e.retries; ; left-- {
		to := endpoints[e.proxy.turn.Add(1)%uint64(len(endpoints))]
		e.to = peer{to.Workload, to.Namespace, to.Service, to.Revision}
		try := r.Clone(r.Context())
		try.URL.Host = to.Address
		if try.Body = http.NoBody; len(e.body) > 0 {
			try.Body = io.NopCloser(bytes.NewReader(e.body))
		}
		answer, err := e.proxy.pods.RoundTrip(try)
		if left == 0 || !again(e.choice.action.GetRetryPolicy().GetRetryOn(), answer, err) {
			return answer, err
		}
		if answer != nil {
			_ = answer.Body.Close() // it is not wanted
		}
	}
}

// again reports whether what happened is a reason to retry.
func again(reasons string, answer *http.Response, err error) bool {
	for reason := range strings.SplitSeq(reasons, ",") {
		switch reason {
		case "connect-failure":
			if _, flags := trouble(err); err != nil && flags == connectFailed {
				return true
			}
		case "5xx":
			if err != nil || answer.StatusCode >= 500 {
				return true
			}
		case "gateway-error":
			if err != nil || answer.StatusCode >= 502 && answer.StatusCode <= 504 {
				return true
			}
		case "reset", "reset-before-request":
			if err != nil {
				return true
			}
		}
	}
	return false
}
