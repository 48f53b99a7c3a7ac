package fake

import (
	"net/http"
	"strings"

	"github.com/serin-go/serin/fake/internal/rules"
)

// Handle lets a real handler answer the real requests that are routed to pods of
// an image. Its status and the time that it took are what is counted.
func (m *Mesh) Handle(image string, h http.Handler) {
	m.now(func() { m.net.Handlers[image] = h })
}

// Entry returns a handler through which real requests enter the mesh, by the
// given proxy. Each is routed as Send routes, and answered by the handler of the
// image of the pod that was drawn; an image without handler answers at once by
// its Behaviour. Handlers see the path, the Host and the headers that the rule
// gives a request, and clients those that it gives an answer.
//
// Injected delays are waited for. A handler that takes longer than the rule lets
// it sees its context end, and the client gets 504 at once, or if an answer has
// begun, the connection is closed. The client sees the last try only. A request
// is not retried after more than 1 MiB of its body was read.
//
// Copies for mirrors are sent in the background as soon as the whole body is
// there, at most 64 at a time, and only of requests with a body up to 1 MiB;
// others are not mirrored.
//
// Handlers of copies, and those that took too long, may still run when the client
// has its answer: Wait waits for them.
func (m *Mesh) Entry(from Source) http.Handler {
	return m.net.Handler(func(r *http.Request) *rules.Call { return newRequest(from, r).call() })
}

// Wait waits until no mirrored request is under way, and no handler that took too
// long still runs.
func (m *Mesh) Wait() { m.net.Wait() }

func newRequest(from Source, r *http.Request) Request {
	out := Request{Host: r.Host, Path: r.URL.RequestURI(), Method: r.Method, From: from, Headers: make(map[string]string, len(r.Header))}
	if r.TLS != nil {
		out.Scheme = "https"
	}
	for key, values := range r.Header {
		out.Headers[key] = strings.Join(values, ",")
	}
	return out
}
