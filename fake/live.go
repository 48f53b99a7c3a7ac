package fake

import (
	"math"
	"net/http"
	"time"
)

// handler returns what answers for an image.
func (m *Mesh) handler(image string) http.Handler {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handlers[image]
}

// since is the timing of one request.
func since(began time.Time) *timing {
	t := instant(1, milliseconds(time.Since(began)))
	return &t
}

// copy lets a handler answer a copy, and counts how.
func (p *passage) copy(a *arm, r *http.Request) {
	answer := &reply{w: &discard{header: http.Header{}}}
	began := time.Now()
	ended, late := answer.within(p.flow.a.timeout, p.m.handler(a.image), r)
	answer.cut()
	code, flags := answer.code, ""
	switch {
	case late:
		code, flags = 0, "DC"
	case !ended:
		code, flags = http.StatusServiceUnavailable, "UC"
	}
	p.locked(func(f *flow) { f.count(byDestination, a.identity, 1, code, flags, since(began)) })
}

// try lets the handler of a pod answer, and counts how. It leaves the next pod
// with a handler if the request is to be tried again on one.
func (p *passage) try(w http.ResponseWriter, r *http.Request) {
	l := p.live
	p.live = nil
	l.tries.spent = milliseconds(time.Since(p.began))
	sent := p.forward(r, l.tries.made+1)
	if p.body != nil {
		sent.Body = p.body.next()
	}
	before := w.Header().Clone()
	answer := &reply{w: w, hold: func(code int) bool { return p.retry(answered, code, l) }}
	answer.edit = func(h http.Header, code int) { p.edit(h, sent, code, p.flow.flagged("")) }
	limit, last := p.flow.limit(l.tries)
	began := time.Now()
	ended, late := answer.within(durationOf(limit), p.m.handler(l.at().image), sent)
	unsaid := answer.cut()
	e := endingOf(answer.code, ended, late, last, r.Context().Err() != nil)
	if unsaid {
		restore(w.Header(), before)
	}
	if unsaid && !e.final && p.retry(e.how, e.code, l) {
		p.next(l, e, began)
		return
	}
	p.conclude(w, sent, l, e, since(began), unsaid)
}

// durationOf returns 0 for no limit.
func durationOf(limit float64) time.Duration {
	if math.IsInf(limit, 1) {
		return 0
	}
	return max(1, time.Duration(limit*float64(time.Millisecond)))
}

func (l *live) at() *arm { return &l.cluster.arms[l.arm] }

// retry reports whether a request that failed may be tried again. The body must
// be there once more.
func (p *passage) retry(how failure, code int, l *live) bool {
	again, _ := p.flow.retry(how, code, l.tries)
	return again && p.body.whole()
}

// ending is how a try of a real request ended.
type ending struct {
	how         failure
	final       bool // it is no try's failure but the end of the request
	code        int  // for the client
	flags       string
	arrived     int // the code that the pod's own proxy counts
	arrivedWith string
}

func endingOf(code int, ended, late, last, left bool) ending {
	switch {
	case left:
		return ending{final: true, flags: "DC", arrivedWith: "DC"}
	case late:
		return ending{tooLate, last, http.StatusGatewayTimeout, "UT", 0, "DC"}
	case !ended:
		return ending{hungUp, false, http.StatusServiceUnavailable, "UC", http.StatusServiceUnavailable, "UC"}
	}
	return ending{answered, false, code, "", code, ""}
}

// next sends a request on to another pod.
func (p *passage) next(l *live, e ending, began time.Time) {
	h := l.tries
	h.n, h.made, h.spent = 1, h.made+1, milliseconds(time.Since(p.began))
	p.locked(func(f *flow) {
		f.count(byDestination, l.at().identity, 1, e.arrived, e.arrivedWith, since(began))
		f.repeat(l.cluster, merge(nil, h, l.cluster, l.arm))
	})
}

// conclude counts the last try and answers for a handler that did not: or if an
// answer has begun, the connection is closed.
func (p *passage) conclude(w http.ResponseWriter, sent *http.Request, l *live, e ending, t *timing, unsaid bool) {
	flags := e.flags
	if !e.final {
		_, limit := p.flow.retry(e.how, e.code, l.tries)
		flags = joined(limit, flags)
	}
	flags = p.flow.flagged(flags)
	p.locked(func(f *flow) {
		f.count(byDestination, l.at().identity, 1, e.arrived, e.arrivedWith, t)
		whole := instant(1, t.sum+l.tries.spent+f.pause)
		f.count(bySource, l.at().identity, 1, e.code, flags, &whole)
	})
	if e.how == answered {
		return
	}
	if !unsaid {
		panic(http.ErrAbortHandler)
	}
	p.edit(w.Header(), sent, 0, flags)
	w.WriteHeader(e.code)
}
