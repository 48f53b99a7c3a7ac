package fake

import "net/http"

// recorder remembers the status of an answer that passes.
type recorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader passes the status on and keeps the first one that is final.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 && code >= http.StatusOK {
		r.code = code
	}
	r.ResponseWriter.WriteHeader(code)
}

// Write passes the body on.
func (r *recorder) Write(b []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find what lies below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// run reports whether the handler came to its end: one that panics has closed
// the connection.
func (r *recorder) run(h http.Handler, req *http.Request) (ended bool) {
	defer func() {
		if recover() == nil && r.code == 0 {
			r.code = http.StatusOK
		}
	}()
	h.ServeHTTP(r, req)
	return true
}

// giveUp answers for a handler that did not: 503, or if an answer has begun, the
// connection is closed.
func (r *recorder) giveUp() {
	if r.code != 0 {
		panic(http.ErrAbortHandler)
	}
	r.WriteHeader(http.StatusServiceUnavailable)
}

// discard drops an answer.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
