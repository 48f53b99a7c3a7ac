package fake

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// failure is how a try ended without a good answer.
type failure int

const (
	answered    failure = iota // with a status
	unreachable                // UF
	hungUp                     // UC
	tooLate                    // UT, by perTryTimeout
)

// retries is what is tried again. A nil policy tries nothing again.
type retries struct {
	attempts int // after the first one
	perTry   time.Duration
	statuses func(code int) bool
	failures [tooLate + 1]bool
	anywhere bool // also on pods that have failed
}

// maxRetries bounds the work for one request.
const maxRetries = 100

// usual is what Istio tries again where a rule does not say it.
var usual = &retries{
	attempts: 2,
	statuses: func(int) bool { return false },
	failures: [...]bool{unreachable: true, tooLate: false},
}

// compileRetries reads what a rule says about retries; no attempts switch them
// off.
func compileRetries(r *networking.HTTPRetry) *retries {
	switch {
	case r == nil:
		return usual
	case r.Attempts <= 0:
		return nil
	}
	p := *usual
	p.attempts = min(int(r.Attempts), maxRetries)
	p.perTry = r.PerTryTimeout.AsDuration()
	p.anywhere = r.RetryIgnorePreviousHosts != nil && !r.RetryIgnorePreviousHosts.Value
	if r.RetryOn != "" {
		p.on(r.RetryOn)
	}
	return &p
}

// on reads a list of conditions as Istio hands them to Envoy: numbers that are a
// status are statuses, and Envoy ignores words that it does not know. Conditions
// on gRPC, HTTP/2 and headers of the answer are left out.
func (p *retries) on(list string) {
	p.failures = [...]bool{tooLate: false}
	var codes []int
	ranges := map[string]bool{}
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		if code, err := strconv.Atoi(word); err == nil && http.StatusText(code) != "" {
			codes = append(codes, code)
		}
		ranges[word] = true
		switch word {
		case "5xx", "gateway-error", "reset":
			p.failures = [...]bool{unreachable: true, hungUp: true, tooLate: true}
		case "connect-failure", "reset-before-request":
			p.failures[unreachable] = true
		}
	}
	p.statuses = func(code int) bool {
		return ranges["5xx"] && code >= 500 && code < 600 ||
			ranges["gateway-error"] && code >= http.StatusBadGateway && code <= http.StatusGatewayTimeout ||
			ranges["retriable-4xx"] && code == http.StatusConflict ||
			slices.Contains(codes, code)
	}
}

// wants reports whether what failed is one of the conditions.
func (p *retries) wants(how failure, code int) bool {
	if p == nil {
		return false
	}
	if how == answered {
		return p.statuses(code)
	}
	return p.failures[how]
}

// tries are requests that went the same way so far.
type tries struct {
	n     uint64
	made  int      // how many tries have failed
	spent float64  // milliseconds since the first one, on average
	pods  []uint64 // how many pods of each arm they have failed on; nil is none
	twice bool     // the pod of this try is one of them
}

// and merges some more requests into these.
func (h *tries) and(n uint64, spent float64) {
	h.spent = (h.spent*float64(h.n) + spent*float64(n)) / float64(h.n+n)
	h.n += n
}

// reselections is how often Istio lets Envoy draw a pod that has not failed
// before: the first draw and five more.
const reselections = 6

// repeat sends failed requests to other pods of their cluster until none is to
// be tried again.
func (f *flow) repeat(c *cluster, failed []tries) {
	for len(failed) > 0 {
		var next []tries
		for _, h := range failed {
			next = f.again(c, h, next)
		}
		failed = next
	}
}

// again makes one more try, and adds those that fail to next.
func (f *flow) again(c *cluster, h tries, next []tries) []tries {
	var failed uint64 // pods
	for _, k := range h.pods {
		failed += k
	}
	miss := 1.0 // every draw finds a pod that has failed
	for range reselections {
		miss *= float64(failed) / float64(c.pods)
	}
	old := f.m.dice.binomial(h.n, miss)
	fresh, left := h.n-old, c.pods-failed
	for i := range c.arms {
		known := h.on(i)
		weight := uint64(c.arms[i].ready) - known
		k := f.m.dice.portion(fresh, weight, left)
		fresh, left = fresh-k, left-weight
		h.twice = f.anywhere()
		next = merge(next, f.serve(c, i, k, h), c, i)
		k = f.m.dice.portion(old, known, failed)
		old, failed = old-k, failed-known
		h.twice = true
		next = merge(next, f.serve(c, i, k, h), c, i)
	}
	return next
}

func (h tries) on(arm int) uint64 {
	if h.pods == nil {
		return 0
	}
	return h.pods[arm]
}

// merge adds requests that have just failed on a pod of an arm.
func merge(all []tries, h tries, c *cluster, arm int) []tries {
	if h.n == 0 {
		return all
	}
	if !h.twice {
		pods := make([]uint64, len(c.arms))
		copy(pods, h.pods)
		pods[arm]++
		h.pods = pods
	}
	for i := range all {
		if slices.Equal(all[i].pods, h.pods) {
			all[i].and(h.n, h.spent)
			return all
		}
	}
	return append(all, h)
}
