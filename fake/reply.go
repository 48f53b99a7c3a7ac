package fake

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

// reply passes the answer of a handler on to the client, until it is cut off. The
// zero value with w alone does nothing else.
type reply struct {
	w http.ResponseWriter
	// hold, if there is one, reports whether an answer is not for the client.
	hold func(code int) bool
	// edit, if there is one, changes the headers of an answer.
	edit func(h http.Header, code int)
	// left, if there is one, reports whether the client has left.
	left func() bool

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
func (r *reply) Header() http.Header {
	if r.header != nil {
		return r.header
	}
	return r.w.Header()
}

// WriteHeader passes the status on.
func (r *reply) WriteHeader(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin(code)
}

func (r *reply) begin(code int) {
	if r.over || r.held {
		return
	}
	if code < http.StatusOK || r.code != 0 {
		r.w.WriteHeader(code)
		return
	}
	r.code = code
	if r.held = r.hold != nil && r.hold(code); r.held {
		return
	}
	maps.Copy(r.w.Header(), r.header)
	if r.edit != nil {
		r.edit(r.w.Header(), code)
	}
	r.w.WriteHeader(code)
	r.check()
}

// check looks whether the body has the length that was declared.
func (r *reply) check() {
	if r.w.Header().Get("Content-Length") == strconv.FormatInt(r.length, 10) {
		r.complete = r.complete || r.left != nil && !r.left()
	}
}

// Write passes the body on.
func (r *reply) Write(b []byte) (int, error) {
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
	n, err := r.w.Write(b)
	r.length += int64(n)
	r.check()
	return n, err
}

// Flush is for handlers that ask for an http.Flusher.
func (r *reply) Flush() { _ = r.FlushError() }

// FlushError sends off what is written so far.
func (r *reply) FlushError() error {
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
	return http.NewResponseController(r.w).Flush()
}

// Hijack hands the connection over to the handler: nothing is written to it from
// then on.
func (r *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.held {
		return nil, nil, http.ErrHandlerTimeout
	}
	conn, buffer, err := http.NewResponseController(r.w).Hijack()
	if err == nil {
		r.over, r.complete, r.code = true, true, http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// Unwrap lets http.ResponseController find what lies below.
func (r *reply) Unwrap() http.ResponseWriter { return r.w }

// end completes an answer.
func (r *reply) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.code == 0 {
		r.begin(http.StatusOK)
	}
	if r.over || r.held {
		return
	}
	var declared []string
	for name := range strings.SplitSeq(strings.Join(r.w.Header().Values("Trailer"), ","), ",") {
		declared = append(declared, http.CanonicalHeaderKey(strings.TrimSpace(name)))
	}
	for name, values := range r.header {
		if strings.HasPrefix(name, http.TrailerPrefix) || slices.Contains(declared, name) {
			r.w.Header()[name] = values
		}
	}
}

// cut ends the answer, and reports whether it had not begun.
func (r *reply) cut() (unsaid bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	return r.code == 0 || r.held
}

// discard drops an answer.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
