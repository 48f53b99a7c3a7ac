package fake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// maxCopied is the size of the largest body that is mirrored, in bytes.
	maxCopied = 1 << 20
	// maxCopies is how many mirrored requests may be under way at once.
	maxCopies = 64
)

// Handle lets a real handler answer the real requests that are routed to pods of
// an image. Its status and the time that it took are what is counted.
func (m *Mesh) Handle(image string, h http.Handler) {
	m.now(func() { m.handlers[image] = h })
}

// Entry returns a handler through which real requests enter the mesh, by the
// given proxy. Each is routed as Send routes, and answered by the handler of the
// image of the pod that was drawn; an image without handler answers at once by
// its Behaviour.
//
// Copies for mirrors are sent in the background, at most 64 at a time, and only
// of requests with a body up to 1 MiB; others are not mirrored.
func (m *Mesh) Entry(from Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := m.draw(newRequest(from, r))
		p.serve(w, r)
	})
}

// Wait waits until no mirrored request is under way.
func (m *Mesh) Wait() {
	for range cap(m.copies) {
		m.copies <- struct{}{}
	}
	for range cap(m.copies) {
		<-m.copies
	}
}

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

// passage is the way of one real request.
type passage struct {
	m      *Mesh
	flow   flow
	result Result
	action *action
	live   *arm // nil if no handler is to answer
	copies []*arm
}

// draw decides about one request, and counts it unless a handler is to answer.
func (m *Mesh) draw(r Request) *passage {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
	p := &passage{m: m}
	proxy := m.views.seen[m.dice.IntN(len(m.views.seen))]
	p.flow = flow{m: m, t: proxy.table(), c: newCall(r), result: &p.result, take: p.take}
	p.action = p.flow.pass(1)
	return p
}

// take keeps the pods that have a handler.
func (p *passage) take(a *arm, mirrored bool) bool {
	if p.m.handlers[a.image] == nil {
		return false
	}
	if mirrored {
		p.copies = append(p.copies, a)
	} else {
		p.live = a
	}
	return true
}

func (p *passage) serve(w http.ResponseWriter, r *http.Request) {
	if p.live == nil && len(p.copies) == 0 {
		p.answer(w)
		return
	}
	if len(p.copies) > 0 {
		r = p.mirror(r)
	}
	if p.live == nil {
		p.answer(w)
		return
	}
	p.ask(p.live, w, r, false)
}

// answer writes what the mesh says by itself.
func (p *passage) answer(w http.ResponseWriter) {
	for _, c := range p.result {
		if c.Mirrored {
			continue
		}
		body := c.Workload
		if a := p.action; a != nil && a.answer != nil && c.Flags == "" {
			body = a.answer.body
			if a.answer.location != "" {
				w.Header().Set("Location", a.answer.location)
			}
		}
		if c.Flags != "" {
			body = fmt.Sprintf("no answer from the mesh: flag %s", c.Flags)
		}
		w.WriteHeader(c.Code)
		_, _ = io.WriteString(w, body) // a client that left needs no answer
	}
}

// mirror sends the copies off and returns the request with its body in place.
func (p *passage) mirror(r *http.Request) *http.Request {
	head, err := io.ReadAll(io.LimitReader(r.Body, maxCopied+1))
	whole := err == nil && len(head) <= maxCopied
	rest := r.Body
	r = r.WithContext(r.Context())
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), rest}
	if !whole {
		return r
	}
	for _, a := range p.copies {
		c := r.Clone(context.WithoutCancel(r.Context()))
		c.Body = io.NopCloser(bytes.NewReader(head))
		select {
		case p.m.copies <- struct{}{}:
			go func() {
				defer func() { <-p.m.copies }()
				p.ask(a, &discard{header: http.Header{}}, c, true)
			}()
		default: // too many are under way
		}
	}
	return r
}

// ask lets the handler of an arm answer, and counts how.
func (p *passage) ask(a *arm, w http.ResponseWriter, r *http.Request, mirrored bool) {
	p.m.mu.Lock()
	h := p.m.handlers[a.image]
	p.m.mu.Unlock()
	seen := &recorder{ResponseWriter: w}
	began := time.Now()
	ended := seen.run(h, r)
	ms := float64(time.Since(began)) / float64(time.Millisecond)
	code, flags := seen.code, ""
	switch {
	case r.Context().Err() != nil:
		code, flags = 0, "DC"
	case !ended:
		code, flags = http.StatusServiceUnavailable, "UC"
	}
	t := timing{sum: ms}
	t.buckets[bucketOf(ms)] = 1
	f := p.flow
	f.result = new(Result) // that of p may just be read
	p.m.mu.Lock()
	f.report(a, 1, code, flags, t, mirrored)
	p.m.mu.Unlock()
	if !ended && !mirrored {
		seen.giveUp()
	}
}
