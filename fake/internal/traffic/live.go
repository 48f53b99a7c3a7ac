package traffic

import (
	"math"
	"net/http"
	"time"

	"github.com/serin-go/serin/fake/internal/relay"
	"github.com/serin-go/serin/fake/internal/rules"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

// since is the timing of one request.
func since(began time.Time) *telemetry.Timing {
	t := telemetry.Instant(1, milliseconds(time.Since(began)))
	return &t
}

// try lets the handler of a pod answer, and counts how. It leaves the next pod
// with a handler if the request is to be tried again on one.
func (p *passage) try(w http.ResponseWriter, r *http.Request) {
	l := p.live
	p.live = nil
	l.tries.spent = milliseconds(time.Since(p.began))
	sent := p.forward(r, l.tries.made+1)
	if p.body != nil {
		sent.Body = p.body.Next()
	}
	before := w.Header().Clone()
	answer := &relay.Reply{W: w, Left: func() bool { return r.Context().Err() != nil }}
	answer.Hold = func(code int) bool { return p.again(rules.Answered, code, l) }
	answer.Edit = func(h http.Header, code int) { p.edit(h, sent, code, p.flow.flagged("")) }
	limit, last := p.flow.limit(l.tries)
	began := time.Now()
	// The handler may change what it got, also when it is late.
	ended, late := answer.Within(durationOf(limit), l.handler, sent.Clone(sent.Context()), p.net.running)
	unsaid := answer.Cut()
	if unsaid {
		restore(w.Header(), before)
	}
	e := endingOf(answer, ended, late, last)
	if !e.final && (answer.Held() || unsaid && p.again(e.how, e.code, l)) {
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

// again reports whether a request that failed is tried again: then this try reads
// no more of the body, of which everything must be there.
func (p *passage) again(how rules.Failure, code int, l *live) bool {
	again, _ := p.flow.retry(how, code, l.tries)
	return again && p.body.End()
}

// ending is how a try of a real request ended.
type ending struct {
	how         rules.Failure
	final       bool // it is no try's failure but the end of the request
	code        int  // for the client
	flags       string
	arrived     int // the code that the pod's own proxy counts
	arrivedWith string
}

func endingOf(a *relay.Reply, ended, late, last bool) ending {
	switch {
	case a.Complete():
		return ending{rules.Answered, false, a.Code(), "", a.Code(), ""}
	case a.Left():
		return ending{final: true, flags: "DC", arrivedWith: "DC"}
	case a.Held():
	case late:
		return ending{rules.TooLate, last, http.StatusGatewayTimeout, "UT", 0, "DC"}
	case !ended:
		return ending{rules.HungUp, false, http.StatusServiceUnavailable, "UC", http.StatusServiceUnavailable, "UC"}
	}
	return ending{rules.Answered, false, a.Code(), "", a.Code(), ""}
}

// next sends a request on to another pod that is there now.
func (p *passage) next(l *live, e ending, began time.Time) {
	h := l.tries
	h.n, h.made, h.spent = 1, h.made+1, milliseconds(time.Since(p.began))
	p.locked(func(f *flow) {
		f.count(telemetry.ByDestination, l.ID, 1, e.arrived, e.arrivedWith, since(began))
		failed := merge(nil, h, l.cluster, l.index)
		c := f.pods.Cluster(f.c.From.Namespace, f.t.Aim(f.c, p.share.To))
		if c.Pods == 0 {
			f.fail(f.addressee(p.share), 1, http.StatusServiceUnavailable, "UH", h.spent)
			return
		}
		failed[0].pods = still(failed[0].pods, c, l.cluster)
		f.repeat(c, failed)
	})
}

// conclude counts the last try and answers for a handler that did not: or if an
// answer has begun, the connection is closed.
func (p *passage) conclude(w http.ResponseWriter, sent *http.Request, l *live, e ending, t *telemetry.Timing, unsaid bool) {
	flags := e.flags
	if !e.final {
		_, limit := p.flow.retry(e.how, e.code, l.tries)
		flags = joined(limit, flags)
	}
	flags = p.flow.flagged(flags)
	p.locked(func(f *flow) {
		f.count(telemetry.ByDestination, l.ID, 1, e.arrived, e.arrivedWith, t)
		whole := telemetry.Instant(1, t.Sum+l.tries.spent+f.pause)
		f.count(telemetry.BySource, l.ID, 1, e.code, flags, &whole)
	})
	if e.how == rules.Answered {
		return
	}
	if !unsaid {
		panic(http.ErrAbortHandler)
	}
	p.edit(w.Header(), sent, 0, flags)
	writeStatus(w, e.code)
}
