package fake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// passage is the way of one real request.
type passage struct {
	m      *Mesh
	flow   flow
	result Result
	share  *share // the destination that was drawn, nil if there is none
	live   *live  // nil if no handler is to answer
	copies []*arm
	began  time.Time // after injected delays
	body   *replay
}

// live is a pod with a handler, and the tries that were made before.
type live struct {
	cluster *cluster
	arm     int
	tries   tries
}

// meet decides what a request meets, and draws whether it is delayed.
func (m *Mesh) meet(r Request) *passage {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
	p := &passage{m: m}
	p.flow = m.views.seen[m.dice.IntN(len(m.views.seen))].flow(m, newCall(r))
	p.flow.result, p.flow.passage = &p.result, p
	a := p.flow.t.decide(p.flow.c)
	p.flow.a = a
	if a != nil && m.dice.binomial(1, float64(a.delay.ppm)/million) > 0 {
		p.flow.pause = milliseconds(a.delay.by)
	}
	return p
}

// take keeps the pods that have a handler.
func (p *passage) take(c *cluster, arm int, h tries, copied bool) bool {
	a := &c.arms[arm]
	if p.m.handlers[a.image] == nil {
		return false
	}
	if copied {
		p.copies = append(p.copies, a)
	} else {
		p.live = &live{c, arm, h}
	}
	return true
}

func (p *passage) serve(w http.ResponseWriter, r *http.Request) {
	if p.flow.pause > 0 && !wait(r.Context(), p.flow.a.delay.by) {
		p.locked(func(f *flow) { f.fail(f.stranger(), 1, 0, "DC", 0) })
		return
	}
	p.began = time.Now()
	p.locked(func(f *flow) {
		if f.a == nil {
			f.pass(1)
		} else {
			f.enter(1)
		}
	})
	if len(p.copies) > 0 {
		r = p.mirror(r)
	}
	if p.live != nil && p.flow.a.retry != nil {
		p.body = newReplay(r.Body)
	}
	for p.live != nil {
		p.try(w, r)
	}
	p.answer(w, r)
}

// locked changes counters.
func (p *passage) locked(change func(*flow)) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	p.m.advance(time.Now())
	change(&p.flow)
}

// wait reports whether the time passed before the client left.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer writes what no handler says.
func (p *passage) answer(w http.ResponseWriter, r *http.Request) {
	for _, c := range p.result {
		if c.Mirrored {
			continue
		}
		body := c.Workload
		switch a := p.flow.a; {
		case a != nil && a.answer != nil && !strings.Contains(c.Flags, "FI"):
			body = a.answer.body
			p.redirect(w, r)
		case c.Workload == "":
			body = "no answer from the mesh: flag " + c.Flags
		}
		if c.Workload != "" || strings.Contains(c.Flags, "U") { // it had come to a cluster
			r = p.forward(r, 1)
		}
		code := c.Code
		if c.Workload == "" {
			code = 0
		}
		p.edit(w.Header(), r, code, c.Flags)
		w.WriteHeader(c.Code)
		_, _ = io.WriteString(w, body) // a client that left needs no answer
	}
}

func (p *passage) redirect(w http.ResponseWriter, r *http.Request) {
	f := p.flow
	switch a := f.a.answer; {
	case a.redirect != nil:
		w.Header().Set("Location", a.redirect.location(r, f.c.Scheme, f.t.portOf(f.c)))
	case a.body != "":
		w.Header().Set("Content-Type", "text/plain")
	}
}

// edit changes the headers of an answer: first what the destination says, then
// what the rule says.
func (p *passage) edit(h http.Header, sent *http.Request, code int, flags string) {
	a := p.flow.a
	if a == nil {
		return
	}
	v := values{sent, h, code, flags}
	if s := p.share; s != nil && s.changes != nil {
		s.changes.response.apply(h, v)
	}
	if a.changes != nil {
		a.changes.response.apply(h, v)
	}
}

// forward is the request as pods see it in their first, second or later try.
func (p *passage) forward(r *http.Request, try int) *http.Request {
	out := r.Clone(r.Context())
	a := p.flow.a
	if s := p.share; s != nil && s.changes != nil {
		s.changes.request.apply(out.Header, values{request: out})
		if s.changes.authority != "" {
			out.Host = s.changes.authority
		}
	}
	if a.changes != nil {
		a.changes.request.apply(out.Header, values{request: out})
		if a.changes.authority != "" {
			out.Header.Set("X-Envoy-Original-Host", out.Host)
			out.Host = a.changes.authority
		}
	}
	if a.path != nil {
		a.path.rewrite(out)
	}
	out.Header.Set("X-Envoy-Attempt-Count", fmt.Sprint(try))
	return out
}

// mirror sends the copies off and returns the request with its body in place.
func (p *passage) mirror(r *http.Request) *http.Request {
	head, err := io.ReadAll(io.LimitReader(r.Body, maxKept+1))
	whole := err == nil && len(head) <= maxKept
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
		c := p.forward(r, 1).WithContext(context.WithoutCancel(r.Context()))
		c.Body = io.NopCloser(bytes.NewReader(head))
		select {
		case p.m.copies <- struct{}{}:
			go func() {
				defer func() { <-p.m.copies }()
				p.copy(a, c)
			}()
		default: // too many are under way
		}
	}
	return r
}

// restore puts headers back that a failed try has changed.
func restore(h, before http.Header) {
	clear(h)
	maps.Copy(h, before)
}
