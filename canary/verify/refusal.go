package verify

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/metrics"
)

const (
	// patience is how long the question for refusals may take. It leaves the answer that the
	// proxies gave time to arrive.
	patience = 3 * time.Second
	// hindsight is how far the question reaches back if it is not known when t was written.
	hindsight = time.Hour
)

// refused returns, as the end of a reason, which of the proxies refused configuration in the
// window; "" if none did or if it cannot be told.
func (m Metrics) refused(ctx context.Context, wrong []metrics.Proxy, w metrics.Window) string {
	reader, ok := m.Provider.(metrics.RefusalReader)
	if !ok {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := reader.Refusals(ctx, w)
	if err != nil && !metrics.NoData(err) {
		return fmt.Sprintf("; whether they refused it is not known: %v", err)
	}
	var texts []string
	for _, r := range all {
		if slices.ContainsFunc(wrong, func(p metrics.Proxy) bool { return runs(p, r) }) {
			texts = append(texts, r.String())
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "; by istiod's counters " + listed(texts) + ": look for an object that every validation accepts and Envoy refuses" +
		" (istiod logs why as ACK ERROR)"
}

// changed is since, or a while ago if it is not known.
func changed(since, now time.Time) time.Time {
	if since.IsZero() {
		return now.Add(-hindsight)
	}
	return since
}

// ofPod is what Kubernetes adds to the name of a workload to name its pods: the hash of a
// template and a random text, one of these, or a number.
var ofPod = regexp.MustCompile(`^(-[bcdfghjklmnpqrstvwxz2456789]{1,10})?(-[bcdfghjklmnpqrstvwxz2456789]{5}|-[0-9]+)$`)

// runs reports whether the refusal may be that of a pod of the proxy's workload. What is not
// known fits everything.
func runs(p metrics.Proxy, r metrics.Refusal) bool {
	sameNamespace := p.Namespace == "" || r.Namespace == "" || p.Namespace == r.Namespace
	rest, ok := strings.CutPrefix(r.Pod, p.Workload)
	samePod := p.Workload == "" || r.Pod == "" || ok && (rest == "" || ofPod.MatchString(rest))
	return sameNamespace && samePod
}
