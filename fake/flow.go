package fake

import (
	"net/http"
	"unique"
)

// flow is requests that pass proxies with one table.
type flow struct {
	m      *Mesh
	t      *table
	c      *call
	result *Result
	// take, if there is one, is offered pods before they answer; it reports
	// whether it took the requests.
	take func(a *arm, mirrored bool) bool
}

// pass decides about n equal requests, lets them go their ways, and returns what
// the rule said; nil if there is none.
func (f flow) pass(n uint64) *action {
	a := f.t.decide(f.c)
	if a == nil {
		f.fail(f.stranger(), n, http.StatusNotFound, "NR")
		return nil
	}
	if k := f.m.dice.binomial(n, float64(a.abort.ppm)/million); k > 0 {
		f.fail(f.stranger(), k, a.abort.code, "FI")
		n -= k
	}
	if a.answer != nil {
		f.fail(f.stranger(), n, a.answer.code, "")
		return a
	}
	left := total(a.split)
	reached := uint64(0)
	for _, s := range a.split {
		k := f.m.dice.portion(n, s.weight, left)
		n, left = n-k, left-s.weight
		reached += f.deliver(s.to, k)
	}
	for _, copies := range a.mirrors {
		f.copy(copies.to, f.m.dice.binomial(reached, float64(copies.ppm)/million))
	}
	return a
}

func total(split []share) uint64 {
	var sum uint64
	for _, s := range split {
		sum += s.weight
	}
	return sum
}

// stranger is the destination in the metrics of a request that was not routed:
// sidecars fall back to the host that the client named, gateways do not.
func (f flow) stranger() who {
	id := nobody
	if f.c.From.Gateway == "" {
		id.host, id.hostName = f.c.host, f.c.host
	}
	return unique.Make(id)
}

// fail counts n requests that were answered by the sender's own proxy.
func (f flow) fail(to who, n uint64, code int, flags string) {
	if n == 0 {
		return
	}
	f.count(bySource, to, n, code, flags, instant(n))
	f.result.add(Outcome{Code: code, Flags: flags}, n)
}

// deliver sends n requests to the pods of a destination, and returns how many
// found one.
func (f flow) deliver(to destination, n uint64) uint64 {
	if n == 0 {
		return 0
	}
	c := f.t.cluster(f.c.From.Namespace, f.t.aim(f.c, to))
	switch {
	case c.missing:
		f.fail(f.stranger(), n, http.StatusServiceUnavailable, "NC")
		return 0
	case c.pods == 0:
		f.fail(nobodyAt(c.service), n, http.StatusServiceUnavailable, "UH")
		return 0
	}
	f.spread(c, n, false)
	return n
}

// copy sends n mirrored requests. Those that find no pod are gone without a
// trace.
func (f flow) copy(to destination, n uint64) {
	if c := f.t.cluster(f.c.From.Namespace, f.t.aim(f.c, to)); n > 0 && !c.missing {
		f.spread(c, n, true)
	}
}

// spread shares n requests out among the pods of a cluster.
func (f flow) spread(c *cluster, n uint64, mirrored bool) {
	left := c.pods
	for i := range c.arms {
		a := &c.arms[i]
		k := f.m.dice.portion(n, uint64(a.ready), left)
		n, left = n-k, left-uint64(a.ready)
		f.serve(a, k, mirrored)
	}
}

// serve lets the pods of an arm answer n requests.
func (f flow) serve(a *arm, n uint64, mirrored bool) {
	if n == 0 {
		return
	}
	if f.m.crashed[name{a.namespace, a.workload}] {
		if !mirrored {
			f.fail(a.identity, n, http.StatusServiceUnavailable, "UF")
		}
		return
	}
	if f.take != nil && f.take(a, mirrored) {
		return
	}
	v := f.m.version(a.image)
	bad := f.m.dice.binomial(n, v.ErrorRate)
	f.answered(a, n-bad, http.StatusOK, v, mirrored)
	f.answered(a, bad, v.Status, v, mirrored)
}

func (f flow) answered(a *arm, n uint64, code int, v *version, mirrored bool) {
	if n == 0 {
		return
	}
	var t timing
	t.sum = v.durations(f.m.dice, n, &t.buckets)
	f.report(a, n, code, "", t, mirrored)
}

// report counts answers of pods. Copies are reported by the destination alone.
func (f flow) report(a *arm, n uint64, code int, flags string, t timing, mirrored bool) {
	if !mirrored {
		f.count(bySource, a.identity, n, code, flags, t)
	}
	f.count(byDestination, a.identity, n, code, flags, t)
	f.result.add(Outcome{a.workload, a.identity.Value().revision, a.image, code, flags, mirrored}, n)
}

// timing is the durations of some requests.
type timing struct {
	sum     float64 // in milliseconds
	buckets histogram
}

// instant is the timing of answers that a proxy gives by itself.
func instant(n uint64) timing { return timing{0, histogram{n}} }

func (f flow) count(by reporter, to who, n uint64, code int, flags string, t timing) {
	if flags == "" {
		flags = "-"
	}
	key := seriesKey{by, f.c.From.Workload, f.c.From.Namespace, to, code, flags}
	f.m.counters.at(key).add(n, t.sum, &t.buckets)
}
