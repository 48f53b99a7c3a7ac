package relay

import (
	"context"
	"log"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Background counts what runs in the background. NewBackground makes one.
type Background struct {
	mu   sync.Mutex
	none *sync.Cond
	n    int
}

// NewBackground returns a Background in which nothing runs.
func NewBackground() *Background {
	r := &Background{}
	r.none = sync.NewCond(&r.mu)
	return r
}

// Start runs something in the background.
func (r *Background) Start(what func()) {
	r.mu.Lock()
	r.n++
	r.mu.Unlock()
	go func() {
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.n--; r.n == 0 {
				r.none.Broadcast()
			}
		}()
		what()
	}()
}

// Wait waits until nothing runs any more.
func (r *Background) Wait() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.n > 0 {
		r.none.Wait()
	}
}

// run lets a handler answer, and tells ended whether it came to its end. One that
// panics has closed the connection.
func (r *Reply) run(h http.Handler, req *http.Request, ended func(bool)) {
	returned := false
	defer func() {
		if err := recover(); err != nil {
			logPanic(req, err)
		}
		if returned {
			r.end()
		}
		ended(returned)
	}()
	h.ServeHTTP(r, req)
	returned = true
}

// logPanic shows the panic of a handler where the server of its request would.
func logPanic(req *http.Request, err any) {
	if err == http.ErrAbortHandler {
		return
	}
	logger := log.Default()
	if s, _ := req.Context().Value(http.ServerContextKey).(*http.Server); s != nil && s.ErrorLog != nil {
		logger = s.ErrorLog
	}
	logger.Printf("fake: panic serving %v: %v\n%s", req.RemoteAddr, err, debug.Stack())
}

// Within runs a handler for a limited time; 0 is without limit. A handler that
// takes longer sees its context end, goes on in the background, and what it writes
// from then on is dropped.
func (r *Reply) Within(limit time.Duration, h http.Handler, req *http.Request, in *Background) (ended, late bool) {
	if limit <= 0 {
		r.run(h, req, func(returned bool) { ended = returned })
		return ended, false
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	r.header = http.Header{}
	done := make(chan bool, 1)
	in.Start(func() { r.run(h, req.WithContext(ctx), func(returned bool) { done <- returned }) })
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case ended = <-done:
		return ended, false
	case <-timer.C:
		r.Cut() // before the handler hears of it, and answers
		return false, true
	}
}
