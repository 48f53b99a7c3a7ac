package fake

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// reply passes the answer of a handler on to the client, until it is cut off. The
// zero value with w alone does nothing else.
type reply struct {
	w http.ResponseWriter
	// hold, if there is one, reports whether an answer is not for the client.
	hold func(code int) bool
	// edit, if there is one, changes the headers of an answer.
	edit func(h http.Header, code int)

	mu     sync.Mutex
	header http.Header // of an answer that may be cut off; nil is that of w
	code   int         // the first one that is final
	held   bool
	over   bool
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
	return r.w.Write(b)
}

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

// Unwrap lets http.ResponseController find what lies below.
func (r *reply) Unwrap() http.ResponseWriter { return r.w }

// run reports whether the handler came to its end: one that panics has closed
// the connection.
func (r *reply) run(h http.Handler, req *http.Request) (ended bool) {
	defer func() {
		if recover() == nil {
			r.end()
		}
	}()
	h.ServeHTTP(r, req)
	return true
}

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
	declared := r.w.Header().Values("Trailer")
	for name, values := range r.header {
		if strings.HasPrefix(name, http.TrailerPrefix) || slices.Contains(declared, name) {
			r.w.Header()[name] = values
		}
	}
}

// within runs a handler for a limited time; 0 is without limit. A handler that
// takes longer sees its context end, and what it writes from then on is dropped.
func (r *reply) within(limit time.Duration, h http.Handler, req *http.Request) (ended, late bool) {
	if limit <= 0 {
		return r.run(h, req), false
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	r.header = http.Header{}
	done := make(chan bool, 1)
	go func() { done <- r.run(h, req.WithContext(ctx)) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case ended = <-done:
		return ended, false
	case <-timer.C:
		return false, true
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
