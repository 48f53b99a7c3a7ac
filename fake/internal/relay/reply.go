// Package relay passes real HTTP requests on to handlers, and their answers back:
// bodies that can be read again, answers that can be held back or cut off, and
// handlers with limited time.
package relay

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Reply passes the answer of a handler on to the client, until it is cut off. With
// W alone it does nothing else.
type Reply struct {
	// W is the way to the client.
	W http.ResponseWriter
	// Hold, if there is one, reports whether an answer is not for the client.
	Hold func(code int) bool
	// Edit, if there is one, changes the headers of an answer.
	Edit func(h http.Header, code int)
	// Left, if there is one, reports whether the client has left.
	Left func() bool

	mu       sync.Mutex
	header   http.Header // of an answer that may be cut off; nil is that of w
	code     int         // the first one that is final
	held     bool
	over     bool
	length   int64 // of the body so far
	complete bool  // the client had the whole answer before it left
}

// Header returns the headers of the answer, which the client sees when its
// status is written.
func (r *Reply) Header() http.Header {
	if r.header != nil {
		return r.header
	}
	return r.W.Header()
}

// WriteHeader passes the status on.
func (r *Reply) WriteHeader(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin(code)
}

func (r *Reply) begin(code int) {
	if r.over || r.held {
		return
	}
	if code < http.StatusOK || r.code != 0 {
		r.W.WriteHeader(code)
		return
	}
	r.code = code
	if r.held = r.Hold != nil && r.Hold(code); r.held {
		return
	}
	maps.Copy(r.W.Header(), r.header)
	if r.Edit != nil {
		r.Edit(r.W.Header(), code)
	}
	r.W.WriteHeader(code)
	r.check()
}

// check looks whether the body has the length that was declared.
func (r *Reply) check() {
	if r.W.Header().Get("Content-Length") == strconv.FormatInt(r.length, 10) {
		r.complete = r.complete || r.Left != nil && !r.Left()
	}
}

// Write passes the body on.
func (r *Reply) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return 0, http.ErrHandlerTimeout
	}
	if r.code == 0 {
		r.begin(http.StatusOK)
	}
	if r.held {
		return len(b), nil
	}
	n, err := r.W.Write(b)
	r.length += int64(n)
	r.check()
	return n, err
}

// Flush is for handlers that ask for an http.Flusher.
func (r *Reply) Flush() { _ = r.FlushError() }

// FlushError sends off what is written so far.
func (r *Reply) FlushError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return http.ErrHandlerTimeout
	}
	if r.code == 0 {
		r.begin(http.StatusOK)
	}
	if r.held {
		return nil
	}
	return http.NewResponseController(r.W).Flush()
}

// Hijack hands the connection over to the handler: nothing is written to it from
// then on.
func (r *Reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.held {
		return nil, nil, http.ErrHandlerTimeout
	}
	conn, buffer, err := http.NewResponseController(r.W).Hijack()
	if err == nil {
		r.over, r.complete, r.code = true, true, http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// Unwrap lets http.ResponseController find what lies below.
func (r *Reply) Unwrap() http.ResponseWriter { return r.W }

// end completes an answer.
func (r *Reply) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.code == 0 {
		r.begin(http.StatusOK)
	}
	if r.over || r.held {
		return
	}
	var declared []string
	for name := range strings.SplitSeq(strings.Join(r.W.Header().Values("Trailer"), ","), ",") {
		declared = append(declared, http.CanonicalHeaderKey(strings.TrimSpace(name)))
	}
	for name, values := range r.header {
		if strings.HasPrefix(name, http.TrailerPrefix) || slices.Contains(declared, name) {
			r.W.Header()[name] = values
		}
	}
}

// Code returns the final status of the answer, 0 if there is none yet. It is to be
// asked after Cut.
func (r *Reply) Code() int { return r.code }

// Held reports whether the answer was not for the client. It is to be asked after
// Cut.
func (r *Reply) Held() bool { return r.held }

// Complete reports whether the client had the whole answer before it left. It is
// to be asked after Cut.
func (r *Reply) Complete() bool { return r.complete }

// Cut ends the answer, and reports whether it had not begun.
func (r *Reply) Cut() (unsaid bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	return r.code == 0 || r.held
}

// Discard returns a Reply that drops the answer of a handler.
func Discard() *Reply { return &Reply{W: &discard{header: http.Header{}}} }

// discard drops an answer.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
