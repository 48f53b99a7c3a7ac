package rules

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// Failure is how a try ended without a good answer.
type Failure int

// The ways in which a try ends.
const (
	Answered    Failure = iota // with a status
	Unreachable                // UF
	HungUp                     // UC
	TooLate                    // UT, by perTryTimeout
)

// Retries is what is tried again. A nil policy tries nothing again.
type Retries struct {
	// Attempts is how many tries there are after the first one.
	Attempts int
	// PerTry is the time for each try; 0 is without limit.
	PerTry time.Duration
	// Anywhere lets requests go to pods on which they have failed.
	Anywhere bool

	statuses func(code int) bool
	failures [TooLate + 1]bool
	answers  bool // something that a pod does is tried again
}

// maxRetries bounds the work for one request.
const maxRetries = 100

// usual is what Istio tries again where a rule does not say it.
var usual = &Retries{
	Attempts: 2,
	statuses: func(int) bool { return false },
	failures: [...]bool{Unreachable: true, TooLate: false},
}

// compileRetries reads what a rule says about retries; no attempts switch them
// off.
func compileRetries(r *networking.HTTPRetry) *Retries {
	switch {
	case r == nil:
		return usual
	case r.Attempts <= 0:
		return nil
	}
	p := *usual
	p.Attempts = min(int(r.Attempts), maxRetries)
	p.PerTry = r.PerTryTimeout.AsDuration()
	p.Anywhere = r.RetryIgnorePreviousHosts != nil && !r.RetryIgnorePreviousHosts.Value
	if r.RetryOn != "" {
		p.on(r.RetryOn)
	}
	return &p
}

// on reads a list of conditions as Istio hands them to Envoy: numbers that are a
// status are statuses, and Envoy ignores words that it does not know. Conditions
// on gRPC, HTTP/2 and headers of the answer are left out.
func (p *Retries) on(list string) {
	p.failures = [...]bool{TooLate: false}
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
			p.failures = [...]bool{Unreachable: true, HungUp: true, TooLate: true}
		case "connect-failure", "reset-before-request":
			p.failures[Unreachable] = true
		}
	}
	p.answers = len(codes) > 0 || ranges["retriable-4xx"] || p.failures[HungUp]
	p.statuses = func(code int) bool {
		return ranges["5xx"] && code >= 500 && code < 600 ||
			ranges["gateway-error"] && code >= http.StatusBadGateway && code <= http.StatusGatewayTimeout ||
			ranges["retriable-4xx"] && code == http.StatusConflict ||
			slices.Contains(codes, code)
	}
}

// Wants reports whether what failed is one of the conditions.
func (p *Retries) Wants(how Failure, code int) bool {
	if p == nil {
		return false
	}
	if how == Answered {
		return p.statuses(code)
	}
	return p.failures[how]
}

// Live reports whether what a pod does may be tried again, and not only that it
// cannot be reached.
func (p *Retries) Live() bool { return p != nil && p.answers }
