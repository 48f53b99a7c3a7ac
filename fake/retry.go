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
	answers  bool // something that a pod does is tried again
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
	p.answers = len(codes) > 0 || ranges["retriable-4xx"] || p.failures[hungUp]
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

// live reports whether what a pod does may be tried again, and not only that it
// cannot be reached.
func (p *retries) live() bool { return p != nil && p.answers }
