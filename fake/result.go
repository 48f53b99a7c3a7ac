package fake

import (
	"net/http"
	"strings"

	"github.com/serin-go/serin/fake/internal/traffic"
)

// Outcome is what became of a request.
type Outcome struct {
	// Workload, Revision and Image are those of the pod that answered; "" if none did.
	Workload, Revision, Image string
	// Code is the status of the answer.
	Code int
	// Flags are Envoy's response flags, separated by commas: NC (no such cluster: a
	// missing host, subset or port), UH (no healthy endpoint), NR (no rule), UF (the pod
	// could not be reached), UT (timeout), URX (retries exhausted), DI and FI (a delay or
	// an abort was injected), DC (a copy whose answer came too late). An answer of a pod
	// has no flag, DI or URX. With URX it is the answer of the last try. Redirects and
	// direct responses have no flag, or DI.
	Flags string
	// Mirrored: it was a copy, and its answer was dropped.
	Mirrored bool
}

// Broken reports whether the mesh could not route the request (NC, UH, NR or UF). Bad
// answers, timeouts and injected faults are not Broken: they come from the version or the
// rule.
func (o Outcome) Broken() bool {
	if o.Mirrored || o.Flags == "" {
		return false
	}
	for flag := range strings.SplitSeq(o.Flags, ",") {
		switch flag {
		case "NC", "UH", "NR", "UF":
			return true
		}
	}
	return false
}

// Count is how many requests had an Outcome.
type Count struct {
	Outcome
	N uint64
}

// Result is the outcomes of many requests: each Outcome once, in the order of their first
// occurrence.
type Result []Count

// Sum returns how many requests had a wanted Outcome.
func (r Result) Sum(wanted func(Outcome) bool) uint64 {
	var sum uint64
	for _, c := range r {
		if wanted(c.Outcome) {
			sum += c.N
		}
	}
	return sum
}

// Sent returns the number of requests, without copies.
func (r Result) Sent() uint64 { return r.Sum(func(o Outcome) bool { return !o.Mirrored }) }

// To returns how many requests the pods of a workload answered, without copies.
func (r Result) To(workload string) uint64 {
	return r.Sum(func(o Outcome) bool { return !o.Mirrored && o.Workload == workload })
}

// Mirrored returns how many copies the pods of a workload received.
func (r Result) Mirrored(workload string) uint64 {
	return r.Sum(func(o Outcome) bool { return o.Mirrored && o.Workload == workload })
}

// Broken returns how many requests the mesh could not route. A rollout must never cause
// any.
func (r Result) Broken() uint64 { return r.Sum(Outcome.Broken) }

// Failed returns how many requests were answered with 5xx, for any cause.
func (r Result) Failed() uint64 {
	return r.Sum(func(o Outcome) bool { return !o.Mirrored && o.Code >= http.StatusInternalServerError })
}

func (r *Result) add(o Outcome, n uint64) {
	for i := range *r {
		if (*r)[i].Outcome == o {
			(*r)[i].N += n
			return
		}
	}
	*r = append(*r, Count{o, n})
}

// plus adds another Result.
func (r *Result) plus(other Result) {
	for _, c := range other {
		r.add(c.Outcome, c.N)
	}
}

// tally is a Result that counts.
type tally Result

// Add counts n requests with an outcome.
func (t *tally) Add(o traffic.Outcome, n uint64) { (*Result)(t).add(Outcome(o), n) }
