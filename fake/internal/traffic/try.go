package traffic

import (
	"math"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/latency"
	"github.com/serin-go/serin/fake/internal/proxies"
	"github.com/serin-go/serin/fake/internal/rules"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

// serve lets the pods of an arm answer k of the requests that went the same way,
// and returns those that are to be tried again.
func (f *flow) serve(c *proxies.Cluster, arm int, k uint64, h tries) tries {
	again := tries{made: h.made + 1, pods: h.pods, dead: h.dead, twice: h.twice}
	if k == 0 {
		return again
	}
	a := &c.Arms[arm]
	if f.net.Crashed[types.NamespacedName{Namespace: a.Namespace, Name: a.Workload}] {
		f.refuse(a, k, h, &again)
		return again
	}
	if f.passage != nil && f.passage.take(c, arm, h, f.copied) {
		return again
	}
	v := f.net.version(a.Image)
	durations := v.Durations
	limit, last := f.limit(h)
	over := uint64(0)
	if v.Capacity > 0 {
		over = f.net.overload(a, v.Capacity, k)
		k -= over
	}
	if !math.IsInf(limit, 1) {
		durations = durations.Within(limit)
		late := f.net.Dice.Binomial(k, durations.Late)
		f.cut(a, late, limit, last, h, &again)
		k -= late
	}
	f.answered(a, over, http.StatusServiceUnavailable, durations, h, &again)
	bad := f.net.Dice.Binomial(k, v.ErrorRate)
	f.answered(a, k-bad, http.StatusOK, durations, h, &again)
	f.answered(a, bad, v.Status, durations, h, &again)
	return again
}

// retry reports whether requests are to be tried again after a failure, and else
// the flag of a limit that was reached.
func (f *flow) retry(how rules.Failure, code int, h tries) (again bool, flag string) {
	switch p := f.a.Retry; {
	case f.copied || !p.Wants(how, code):
		return false, ""
	case h.made >= p.Attempts:
		return false, "URX"
	}
	return true, ""
}

// limit returns how many milliseconds the next try may take, and whether it is
// the last one because the time of the whole request is over then.
func (f *flow) limit(h tries) (limit float64, last bool) {
	whole, one := math.Inf(1), math.Inf(1)
	if f.a.Timeout > 0 {
		whole = max(0, milliseconds(f.a.Timeout)-h.spent)
	}
	if p := f.a.Retry; p != nil && !f.copied && p.PerTry > 0 && (f.a.Timeout == 0 || p.PerTry < f.a.Timeout) {
		one = milliseconds(p.PerTry)
	}
	return min(whole, one), whole <= one
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// refuse is the end of tries to pods that cannot be reached.
func (f *flow) refuse(a *proxies.Arm, k uint64, h tries, next *tries) {
	again, flag := f.retry(rules.Unreachable, 0, h)
	switch {
	case again:
		next.add(k, h.spent)
	case !f.copied:
		f.fail(a.ID, k, http.StatusServiceUnavailable, joined(flag, "UF"), h.spent)
	}
}

func joined(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "," + second
}

// cut is the end of tries that took too long: the pods see a client that leaves.
func (f *flow) cut(a *proxies.Arm, k uint64, limit float64, last bool, h tries, next *tries) {
	if k == 0 {
		return
	}
	t := telemetry.Instant(k, limit)
	f.count(telemetry.ByDestination, a.ID, k, 0, "DC", &t)
	again, flag := false, ""
	if !last {
		again, flag = f.retry(rules.TooLate, 0, h)
	}
	switch {
	case again:
		next.add(k, h.spent+limit)
	case f.copied:
		f.result.Add(outcomeOf(a, 0, "DC", true), k)
	default:
		f.fail(a.ID, k, http.StatusGatewayTimeout, joined(flag, "UT"), h.spent+limit)
	}
}

// answered is the end of tries that the pods answered with a status.
func (f *flow) answered(a *proxies.Arm, k uint64, code int, d *latency.Distribution, h tries, next *tries) {
	if k == 0 {
		return
	}
	var t telemetry.Timing
	t.Sum = d.Draw(f.net.Dice, k, &t.Buckets)
	f.count(telemetry.ByDestination, a.ID, k, code, "", &t)
	again, flag := f.retry(rules.Answered, code, h)
	if again {
		next.add(k, h.spent+t.Sum/float64(k))
		return
	}
	flags := flag
	if !f.copied {
		flags = f.flagged(flag)
		if before := h.spent + f.pause; before > 0 {
			t = d.Later(&t, k, before)
		}
		f.count(telemetry.BySource, a.ID, k, code, flags, &t)
	}
	f.result.Add(outcomeOf(a, code, flags, f.copied), k)
}

func outcomeOf(a *proxies.Arm, code int, flags string, mirrored bool) Outcome {
	return Outcome{a.Workload, a.ID.Value().Revision, a.Image, code, flags, mirrored}
}
