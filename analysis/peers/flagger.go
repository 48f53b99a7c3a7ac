package peers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// Flagger is an Analyzer that counts failed checks as Flagger does, for teams that have
// Flagger's thresholds. Use it as a value, not as a pointer.
//
// The window is cut into checks of the length Every, and so are the earlier steps of the
// rollout. A check fails if a metric does not meet its condition. It also fails if there
// is nothing to judge: a check without traffic is a failed check. The verdict is Fail
// from the Threshold-th failed check of the rollout on, however many checks passed. It is
// Pass if at least Iterations checks of this step have passed, including the last one.
// Until then it is Inconclusive: "halt advancement".
//
// Flagger guarantees no error rate, and no error rate can be calculated without knowing
// the traffic. Every check treats the share of a few requests as exact, and a long
// rollout has many checks. Take 60 checks of 1 minute with BadAtMost(0.01) and Threshold
// 5. A healthy canary with a true share of 0.5 % is rolled back nearly always at 1
// request per second, and about every fourth time at 10 requests per second. A canary
// that fails twice as often as stable, 0.2 % instead of 0.1 %, is hardly ever found at 10
// requests per second or more. Use package analysis/sequential to look often.
//
// Differences from Flagger:
//   - The rest of a step after its last complete check is ignored, and so is a step that
//     is not judged.
//   - If the store does not answer, Analyze returns an error, and no check fails.
//   - The interval of the metrics is Every.
//   - Flagger's own queries use the reporter "destination". The zero Reporter here is
//     Source, which also counts requests that never reached a pod.
//   - Flagger interpolates a percentile within a bucket. Here it is the share of requests
//     above a bound.
type Flagger struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Reporter is the proxy that counts. The zero value means Source, or Destination
	// while the canary gets mirrored requests only.
	Reporter metrics.Reporter
	// Every is the length of a check: Flagger's interval. It must be above zero.
	Every time.Duration
	// Metrics are the metrics of each check. At least one must be set.
	Metrics []FlaggerMetric
	// Threshold is the number of failed checks of the rollout that causes a rollback;
	// zero means 1.
	Threshold int
	// Iterations is the number of checks of each step that must pass; zero means 1, as in
	// Flagger for each weight.
	Iterations int
}

// FlaggerMetric is a metric and its condition.
type FlaggerMetric struct {
	// Signal says which requests are bad; zero means server errors, and metrics.HTTPStatus(500, 599) is what the tool counts.
	Signal metrics.Signal
	// Want is Flagger's thresholdRange. It must be set.
	Want Condition
}

// Validate reports every mistake at once. Analyze calls it too.
func (f Flagger) Validate() error {
	errs := []error{
		checkEvery(f.Every), checkNotNegative("Threshold", f.Threshold), checkNotNegative("Iterations", f.Iterations),
	}
	for i, m := range f.Metrics {
		errs = append(errs, m.Want.err, f.query(m, analysis.Request{}).Validate())
		if !m.Want.given() {
			errs = append(errs, fmt.Errorf("metric %d has no condition; set Want", i+1))
		}
	}
	if len(f.Metrics) == 0 {
		errs = append(errs, errors.New("no Metrics; want at least one"))
	}
	return judging.Mistakes("flagger", f.Provider, errs)
}

// Analyze implements [analysis.Analyzer]. It returns an error of the Provider, unless the
// error only means that there is nothing to count.
func (f Flagger) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	if err := f.Validate(); err != nil {
		return analysis.Result{}, err
	}
	var run flaggerRun
	for _, b := range r.Blocks() {
		rows := make([][]check, len(f.Metrics))
		for i, m := range f.Metrics {
			var err error
			if rows[i], err = checks(ctx, f.Provider, f.query(m, analysis.Request{Mirrored: b.Mirrored}), b.Window, f.Every); err != nil {
				return analysis.Result{}, err
			}
		}
		run = f.replay(run, rows)
	}
	if run.step == 0 && run.failed < f.threshold() {
		return analysis.Result{Reason: firstCheck(r.Window, f.Every), Values: run.values(f)}, nil
	}
	return analysis.Result{Verdict: run.verdict(f), Reason: run.reason(f), Values: run.values(f)}, nil
}

// flaggerRun is the state of the checks after the one that rolls back, or after the last
// one.
type flaggerRun struct {
	checks, failed int     // of the rollout
	step, passed   int     // of the last block: its checks, and those that passed
	last           []check // of each metric
	missed         string  // what failed in the last check, "" if nothing did
}

// replay is the pure part of Analyze. It evaluates the checks of one more block in order.
func (f Flagger) replay(run flaggerRun, rows [][]check) flaggerRun {
	if run.failed < f.threshold() {
		run.step, run.passed, run.missed = 0, 0, ""
	}
	for k := 0; k < len(rows[0]) && run.failed < f.threshold(); k++ {
		run.last = make([]check, len(rows))
		for i := range rows {
			run.last[i] = rows[i][k]
		}
		run.checks++
		run.step++
		if run.missed = f.missed(run.last); run.missed != "" {
			run.failed++
		} else {
			run.passed++
		}
	}
	return run
}

// missed says which metric does not meet its condition; "" if all do.
func (f Flagger) missed(last []check) string {
	for i, m := range f.Metrics {
		if c := last[i]; c.silence != nil || !m.Want.holds(c.counts) {
			return fmt.Sprintf("canary has %s, want %v", c.of(m.Signal), m.Want)
		}
	}
	return ""
}

func (r flaggerRun) verdict(f Flagger) analysis.Verdict {
	switch {
	case r.failed >= f.threshold():
		return analysis.Fail
	case r.missed == "" && r.passed >= f.iterations():
		return analysis.Pass
	}
	return analysis.Inconclusive
}

func (r flaggerRun) reason(f Flagger) string {
	seen := fmt.Sprintf("%d of %d checks failed, rollback at %d", r.failed, r.checks, f.threshold())
	if r.missed != "" {
		return fmt.Sprintf("%s; in the last one, %s", seen, r.missed)
	}
	return fmt.Sprintf("%s; %d passed in this step, %d needed", seen, r.passed, f.iterations())
}

// values are those of the last evaluated check.
func (r flaggerRun) values(f Flagger) []analysis.Value {
	if r.checks == 0 {
		return nil
	}
	var values []analysis.Value
	for i, m := range f.Metrics {
		values = append(values, analysis.Value{Name: m.Signal.String(), Arm: canary, Counts: r.last[i].counts})
	}
	return append(values, tallied("failed checks", r.failed, f.threshold()))
}

// tallied is a number of checks with its limit.
func tallied(name string, n, limit int) analysis.Value {
	return analysis.Value{Name: name, Number: float64(n), Unit: fmt.Sprintf("of %d", limit)}
}

func (f Flagger) query(m FlaggerMetric, r analysis.Request) metrics.Query {
	return metrics.Query{Arm: f.Canary, Reporter: judging.Reporter(f.Reporter, r.Mirrored), Signal: m.Signal}
}

func (f Flagger) threshold() int { return cmp.Or(f.Threshold, 1) }

func (f Flagger) iterations() int { return cmp.Or(f.Iterations, 1) }
