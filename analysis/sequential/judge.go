package sequential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// Judge is an [analysis.Analyzer] with a guarantee: however often it is asked, it fails a
// healthy canary with a probability of at most 5 % over the whole rollout, and passes a
// bad one with at most 5 %. The package documentation says what healthy and bad mean, and
// under which assumptions.
//
// A Judge compares the canary with the baseline in looks of equal length, from the
// beginning of the rollout, without the times in which traffic was being moved. Each call
// counts all looks again, with one query for each arm and signal. So a restart, a second
// driver or a missed turn changes nothing, but the store must keep the readings of the
// whole rollout. The present look is judged when it is over.
//
// A canary that failed stays failed. A canary that passed can still fail, and does not pass while
// anything speaks for a fail. When all traffic goes to the canary, or to a promoted stable, the new
// version is compared with what was learnt of the old one, and can fail. Without enough evidence
// the verdict is [analysis.Inconclusive], or [analysis.Blind] until the present step was looked at
// for long enough that an outage would have failed the canary: three looks, or more if it has few
// requests. Copies pass nothing. While stable fails as well, nobody passes.
// What follows is up to the plan: Requires, Deadline and OnDeadline of canary.Step.
//
// Give a Judge by value. It is safe for concurrent use.
type Judge struct {
	Provider metrics.Sequencer
	// Canary and Baseline are the arms to compare. Baseline is stable, or better a fresh
	// copy of stable that is as large as the canary.
	Canary, Baseline metrics.Arm
	// Metrics are what is judged. None means Defaults(): server errors, latency, and client
	// errors, which no canary has to pass; and a Reach, if the Provider can count for it and the
	// Request tells the hosts of the service.
	Metrics []Metric
	// Neighbours share something with the canary that it may overload: a service that it calls, or
	// another that uses the same database. If one of them has far more server errors than before the
	// rollout (three times the rate, and 0.005), the Result is StableWorse, as if that were stable
	// itself: the rollout gives stable all traffic, and sees whether that helps. An Arm with Service
	// alone is a whole service. Each costs two queries.
	Neighbours []metrics.Arm
	// Tuning is all else. Its zero value is the default.
	Tuning Tuning

	hosts metrics.Hosts // those of the Request
}

// maxMetrics is how many metrics a verdict has room for, and maxWeight the most that one weighs, so
// that their sum is a number.
const (
	maxMetrics = 64
	maxWeight  = 1e9
)

// Validate returns all mistakes. Analyze does so too.
func (j Judge) Validate() error {
	var errs []error
	if j.Canary == j.Baseline {
		errs = append(errs, fmt.Errorf("the canary is compared with itself, %s", j.Canary))
	}
	errs = append(errs, j.Tuning.mistakes()...)
	if n := len(j.Metrics); n > maxMetrics {
		errs = append(errs, fmt.Errorf("there are %d metrics; want %d at most", n, maxMetrics))
	}
	for i, arm := range j.Neighbours {
		if err := (metrics.Query{Arm: arm, Reporter: j.Tuning.Reporter}).Validate(); err != nil {
			errs = append(errs, fmt.Errorf("neighbour %d: %w", i, err))
		}
	}
	for i, m := range j.Metrics {
		switch {
		case m == nil:
			errs = append(errs, fmt.Errorf("metric %d is nil", i))
		case !(math.Abs(m.weight()) <= maxWeight):
			errs = append(errs, fmt.Errorf("metric %d (%v): the weight is %v; want a number, %.0e at most, or None", i, m, m.weight(), maxWeight))
		}
	}
	if err := errors.Join(errs...); err == nil { // so that metrics can be asked
		for i, m := range j.metrics() {
			if err := m.validate(j); err != nil {
				errs = append(errs, fmt.Errorf("metric %d (%v): %w", i, m, err))
			}
		}
		if !slices.ContainsFunc(j.metrics(), func(m Metric) bool { return !failOnly(m) }) {
			errs = append(errs, errors.New("all metrics are FailOnly, so no canary can pass; want one that it has to pass"))
		}
	}
	return judging.Mistakes("sequential", j.Provider, errs)
}

// Defaults returns the metrics of a Judge without Metrics, to add others to them: a canary must be
// as good as stable in server errors and latency, and fails if it has far more client errors: it
// refuses what stable accepts, or hangs until its clients leave.
func Defaults() []Metric {
	return []Metric{Rate{}, Latency{}, Rate{Signal: metrics.ClientErrors(), FailOnly: true}}
}

// metrics returns what is judged.
func (j Judge) metrics() []Metric {
	if len(j.Metrics) > 0 {
		return j.Metrics
	}
	if _, ok := j.Provider.(metrics.ReachReader); ok && len(j.hosts) > 0 {
		return append(Defaults(), Reach{})
	}
	return Defaults()
}

// query is what to ask about an arm. The canary's is the first.
func (j Judge) query(arm int, signal metrics.Signal) metrics.Query {
	return metrics.Query{Arm: [...]metrics.Arm{j.Canary, j.Baseline}[arm], Reporter: j.Tuning.Reporter, Signal: signal}
}

// Look implements [analysis.Looker].
func (j Judge) Look() time.Duration { return j.Tuning.look() }

// Analyze implements [analysis.Analyzer]. Without series or requests the verdict is
// Blind. Any other failure of the Provider is an error.
func (j Judge) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	if err := j.Validate(); err != nil {
		return analysis.Result{}, err
	}
	j.hosts = r.Hosts
	j.Tuning.LookCap = j.lookCap()
	all := looks(r, j.Look(), j.lag(), j.Tuning.Warmup)
	if len(all) == 0 {
		over := r.Window.From.Add(time.Duration(1+j.Tuning.Warmup)*j.Look() + j.lag())
		return analysis.Result{Reason: fmt.Sprintf("the first look is over in %v", over.Sub(r.Window.To).Round(time.Second))}, nil
	}
	tests := make([]process, len(j.metrics()))
	for i, m := range j.metrics() {
		var err error
		if tests[i], err = m.read(ctx, j, all); err != nil {
			return analysis.Result{}, fmt.Errorf("analysis: %v: %w", m, err)
		}
	}
	neighbours, err := j.ofNeighbours(ctx, all)
	if err != nil {
		return analysis.Result{}, err
	}
	return j.judge(all, tests, neighbours)
}

// begun is what a fail costs beside 1/Alpha: an outage begins with half of a stake, of which half
// may be on effects that are found less soon.
const begun = 3

// looksToFail is how many looks an outage takes.
func (t Tuning) looksToFail() float64 {
	if t.Strict {
		return 4
	}
	return 3
}

// lookCap is the LookCap in use. Where one of several metrics sees an outage, its evidence is
// divided by their number, and three looks have to suffice all the same; two do not, also if several
// metrics see it.
func (j Judge) lookCap() float64 {
	whole, most := 0., 0.
	for _, m := range j.metrics() {
		if m == nil { // a mistake, which a forecast passes over
			continue
		}
		w := max(0, cmp.Or(m.weight(), 1))
		whole, most = whole+w, max(most, w)
	}
	if most == 0 { // none fails the canary
		whole, most = 1, 1
	}
	t := j.Tuning
	return cmp.Or(t.LookCap, max(t.failAt()/(t.looksToFail()-1), (t.failAt()+math.Log(begun*whole/most))/t.looksToFail()))
}

// sightNeeded is in nats how well a step has to be looked at in a metric, if the weight of all is so
// many times its own.
func (j Judge) sightNeeded(others float64) float64 {
	t := j.Tuning
	least := max(t.looksToFail()*t.LookCap, t.failAt()+math.Log(begun*others))
	return min(evidence.Sighted(t.levels().Alpha, t.LookCap, others), least) - 1e-9
}

// lag is how long after the end of a look its counts are final.
func (j Judge) lag() time.Duration {
	usual := j.Look() / 3
	if slices.ContainsFunc(j.Metrics, func(m Metric) bool { _, ok := m.(Gauge); return ok }) {
		usual += j.Look()
	}
	return cmp.Or(j.Tuning.Lag, usual)
}
