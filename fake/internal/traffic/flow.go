package traffic

import (
	"net/http"

	"github.com/serin-go/serin/fake/internal/endpoint"
	"github.com/serin-go/serin/fake/internal/proxies"
	"github.com/serin-go/serin/fake/internal/rules"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

// flow is requests that pass proxies with one table.
type flow struct {
	net     *Net
	t       *proxies.Table // decides
	pods    *proxies.Table // knows the clusters, also where t is one of before
	c       *rules.Call
	a       *rules.Action // nil until it is decided, or if there is no rule
	pause   float64       // milliseconds of an injected delay
	copied  bool          // these are copies
	result  Tally
	passage *passage // of a real request, else nil
}

// newFlow returns no requests yet, which pass a proxy that was told h.
func (n *Net) newFlow(h *proxies.Held, c *rules.Call) flow {
	n.senders.note(c)
	return flow{net: n, t: h.InForce(c), pods: h.Table(), c: c}
}

// pass decides about n equal requests and lets them go their ways.
func (f *flow) pass(n uint64) {
	f.a = f.t.Decide(f.c)
	if f.a == nil {
		f.fail(f.stranger(), n, http.StatusNotFound, "NR", 0)
		return
	}
	late := f.net.Dice.Binomial(n, float64(f.a.Delay.PPM)/rules.Million)
	if late > 0 {
		delayed := *f
		delayed.pause = milliseconds(f.a.Delay.By)
		delayed.enter(late)
	}
	f.enter(n - late)
}

// enter lets requests go their ways that have waited for what is injected.
func (f *flow) enter(n uint64) {
	a := f.a
	aborted := f.net.Dice.Binomial(n, float64(a.Abort.PPM)/rules.Million)
	n -= aborted
	if a.Answer != nil {
		f.fail(f.stranger(), aborted, a.Abort.Code, "FI", 0)
		f.fail(f.stranger(), n, a.Answer.Code, "", 0)
		return
	}
	f.divide(aborted, func(s *rules.Share, k uint64) { f.fail(f.addressee(s), k, a.Abort.Code, "FI", 0) })
	reached := uint64(0)
	f.divide(n, func(s *rules.Share, k uint64) { reached += f.deliver(s, k) })
	for _, copies := range a.Mirrors {
		f.copy(copies.To, f.net.Dice.Binomial(reached, float64(copies.PPM)/rules.Million))
	}
}

// divide deals n requests out to the destinations by their weights.
func (f *flow) divide(n uint64, to func(s *rules.Share, k uint64)) {
	left := rules.Total(f.a.Split)
	for i := range f.a.Split {
		s := &f.a.Split[i]
		if k := f.net.Dice.Portion(n, s.Weight, left); k > 0 {
			n -= k
			if f.passage != nil {
				f.passage.share = s
			}
			to(s, k)
		}
		left -= s.Weight
	}
}

// stranger is the destination in the metrics of a request that has no cluster:
// sidecars fall back to the host as the client wrote it, gateways do not.
func (f *flow) stranger() endpoint.ID {
	if f.c.From.Gateway == "" {
		return endpoint.NobodyAt(f.c.Host)
	}
	return endpoint.Nobody()
}

// addressee is the destination in the metrics of a request that reached no pod of
// a cluster.
func (f *flow) addressee(s *rules.Share) endpoint.ID {
	c := f.pods.Cluster(f.c.From.Namespace, f.t.Aim(f.c, s.To))
	if c.Missing {
		return f.stranger()
	}
	return endpoint.NobodyBehind(c.Service)
}

// fail counts n requests that got no answer of a pod, after some milliseconds in
// which tries were made.
func (f *flow) fail(to endpoint.ID, n uint64, code int, flags string, spent float64) {
	if n == 0 {
		return
	}
	t := telemetry.Instant(n, spent+f.pause)
	f.count(telemetry.BySource, to, n, code, f.flagged(flags), &t)
	f.result.Add(Outcome{Code: code, Flags: f.flagged(flags)}, n)
}

// flagged puts the flag of an injected delay before others.
func (f *flow) flagged(flags string) string {
	switch {
	case f.pause == 0:
		return flags
	case flags == "":
		return "DI"
	}
	return "DI," + flags
}

// deliver sends n requests to the pods of a destination, and returns how many
// found one.
func (f *flow) deliver(s *rules.Share, n uint64) uint64 {
	c := f.pods.Cluster(f.c.From.Namespace, f.t.Aim(f.c, s.To))
	if c.Missing {
		f.fail(f.stranger(), n, http.StatusServiceUnavailable, "NC", 0)
		return 0
	}
	if f.passage != nil {
		f.passage.reached = true
	}
	if c.Pods == 0 {
		f.fail(endpoint.NobodyBehind(c.Service), n, http.StatusServiceUnavailable, "UH", 0)
		return 0
	}
	f.spread(c, n)
	return n
}

// copy sends n mirrored requests. Those that find no pod are gone without a
// trace.
func (f *flow) copy(to rules.Destination, n uint64) {
	if c := f.pods.Cluster(f.c.From.Namespace, f.t.Aim(f.c, to)); n > 0 && !c.Missing {
		copies := *f
		copies.copied, copies.pause = true, 0
		copies.spread(c, n)
	}
}

// spread shares n requests out among the pods of a cluster.
func (f *flow) spread(c *proxies.Cluster, n uint64) {
	left := c.Pods
	var failed []tries
	for i := range c.Arms {
		ready := uint64(c.Arms[i].Ready)
		k := f.net.Dice.Portion(n, ready, left)
		n, left = n-k, left-ready
		if again := f.serve(c, i, k, tries{twice: f.anywhere()}); again.n > 0 {
			failed = merge(failed, again, c, i)
		}
	}
	f.repeat(c, failed)
}

// anywhere reports whether retries may go to pods that have failed.
func (f *flow) anywhere() bool { return f.a.Retry != nil && f.a.Retry.Anywhere }

func (f *flow) count(by telemetry.Reporter, to endpoint.ID, n uint64, code int, flags string, t *telemetry.Timing) {
	if flags == "" {
		flags = "-"
	}
	key := telemetry.Key{
		By: by, FromWorkload: f.c.From.Workload, FromNamespace: f.c.From.Namespace, To: to, Code: code, Flags: flags,
	}
	f.net.Recorder.Count(key, n, t)
}
