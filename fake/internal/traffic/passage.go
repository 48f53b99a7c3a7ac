package traffic

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/serin-go/serin/fake/internal/proxies"
	"github.com/serin-go/serin/fake/internal/relay"
	"github.com/serin-go/serin/fake/internal/rules"
)

// passage is the way of one real request.
type passage struct {
	net     *Net
	proxy   int
	flow    flow
	result  outcomes
	share   *rules.Share // the destination that was drawn, nil if there is none
	reached bool         // it came to the pods of a cluster, or found none
	live    *live        // nil if no handler is to answer
	copies  []answerer
	began   time.Time   // after injected delays
	body    *relay.Body // nil if nothing is kept
}

// answerer is a pod with a handler.
type answerer struct {
	*proxies.Arm
	handler http.Handler
}

// live is a pod with a handler that is to answer, and the tries that were made
// before.
type live struct {
	answerer
	cluster *proxies.Cluster
	index   int // of the pod's arm
	tries   tries
}

// meet decides what a request meets, and draws whether it is delayed.
func (n *Net) meet(c *rules.Call) *passage {
	p := &passage{net: n}
	n.now(func() {
		p.proxy = n.Dice.IntN(n.Views.Len())
		p.flow = n.newFlow(n.Views.Proxy(p.proxy), c)
		p.flow.result, p.flow.passage = &p.result, p
		a := p.flow.t.Decide(p.flow.c)
		p.flow.a = a
		if a != nil && n.Dice.Binomial(1, float64(a.Delay.PPM)/rules.Million) > 0 {
			p.flow.pause = milliseconds(a.Delay.By)
		}
	})
	return p
}

// take keeps the pods that have a handler.
func (p *passage) take(c *proxies.Cluster, arm int, h tries, copied bool) bool {
	to := answerer{&c.Arms[arm], p.net.Handlers[c.Arms[arm].Image]}
	switch {
	case to.handler == nil:
		return false
	case copied:
		p.copies = append(p.copies, to)
	default:
		p.live = &live{to, c, arm, h}
	}
	return true
}

func (p *passage) serve(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if p.flow.pause > 0 && !wait(r.Context(), p.flow.a.Delay.By) {
		p.flow.pause = milliseconds(max(1, time.Since(arrived)))
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
	if len(p.copies) > 0 || p.live != nil && p.flow.a.Retry.Live() {
		p.body = relay.NewBody(r.Body)
		duplex(w)
	}
	if len(p.copies) > 0 {
		p.mirror(r)
	}
	for p.live != nil {
		p.try(w, r)
	}
	p.answer(w, r)
}

// locked changes counters, and sends requests on to the pods that the proxy knows
// now.
func (p *passage) locked(change func(*flow)) {
	p.net.now(func() {
		p.flow.pods = p.net.Views.Proxy(p.proxy).Table()
		change(&p.flow)
	})
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
		code, body := c.Code, c.Workload
		if c.Workload == "" {
			code, body = 0, "no answer from the mesh: flag "+c.Flags
		}
		a := p.flow.a
		aborted := strings.Contains(c.Flags, "FI")
		if a != nil && a.Answer != nil && !aborted {
			body = a.Answer.Body
			p.redirect(w, r)
		}
		if p.reached {
			r = p.forward(r, 1)
		}
		if a == nil || a.Answer == nil || !aborted { // Envoy leaves an aborted redirect as it is
			p.edit(w.Header(), r, code, c.Flags)
		}
		writeStatus(w, c.Code)
		_, _ = io.WriteString(w, body) // a client that left needs no answer
	}
}

// duplex lets an answer begin while a body is still being read: without it a
// server would wait for that.
func duplex(w http.ResponseWriter) {
	_ = http.NewResponseController(w).EnableFullDuplex() // others have no need of it
}

// writeStatus begins an answer that no handler gives.
func writeStatus(w http.ResponseWriter, code int) {
	duplex(w)
	w.WriteHeader(code)
}

func (p *passage) redirect(w http.ResponseWriter, r *http.Request) {
	f := p.flow
	switch a := f.a.Answer; {
	case a.Redirect != nil:
		w.Header().Set("Location", a.Redirect.Location(r, f.c.Scheme, f.t.PortOf(f.c)))
	case a.Body != "":
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
	v := rules.Values{Request: sent, Response: h, Code: code, Flags: flags}
	if s := p.share; s != nil && s.Changes != nil {
		s.Changes.Response.Apply(h, v)
	}
	if a.Changes != nil {
		a.Changes.Response.Apply(h, v)
	}
}

// forward is the request as pods see it in their first, second or later try.
func (p *passage) forward(r *http.Request, try int) *http.Request {
	out := r.Clone(r.Context())
	a := p.flow.a
	if s := p.share; s != nil && s.Changes != nil {
		s.Changes.Request.Apply(out.Header, rules.Values{Request: out})
		if s.Changes.Authority != "" {
			out.Host = s.Changes.Authority
		}
	}
	if a.Changes != nil {
		a.Changes.Request.Apply(out.Header, rules.Values{Request: out})
		if a.Changes.Authority != "" {
			out.Header.Set("X-Envoy-Original-Host", out.Host)
			out.Host = a.Changes.Authority
		}
	}
	if a.Path != nil {
		a.Path.Rewrite(out)
	}
	out.Header.Set("X-Envoy-Attempt-Count", fmt.Sprint(try))
	return out
}

// restore puts headers back that a failed try has changed.
func restore(h, before http.Header) {
	clear(h)
	maps.Copy(h, before)
}
