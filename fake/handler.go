package fake

import (
	"net/http"
	"strings"

	"github.com/serin-go/serin/fake/internal/rules"
)

// Handle sets the handler that answers real requests for pods of an image. The mesh
// counts its status and the time that it takes.
func (m *Mesh) Handle(image string, h http.Handler) {
	m.now(func() { m.net.Handlers[image] = h })
}

// Entry returns a handler through which real requests enter the mesh, at the given proxy.
// The mesh routes each request as Send does. The handler of the chosen pod's image
// answers it. An image without a handler answers at once, by its Behaviour. The rule's
// changes of path, Host and request headers apply before the handler, its changes of
// response headers before the client.
//
// Injected delays take real time. If a handler exceeds the rule's timeout, its context
// ends, and the client gets 504; if an answer has begun, the connection is closed. The
// client sees the last try only. A request is not retried after more than 1 MiB of its
// body was read.
//
// Copies for mirrors are sent in the background once the whole body has arrived, at most
// 64 at a time. Requests with a body above 1 MiB are not mirrored.
//
// Handlers of copies, and handlers that exceeded their timeout, may still run when the
// client has its answer. Wait waits for them.
func (m *Mesh) Entry(from Source) http.Handler {
	return m.net.Handler(func(r *http.Request) *rules.Call { return newRequest(from, r).call() })
}

// Wait returns when no mirrored request is under way and no handler runs any more that
// exceeded its timeout.
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
