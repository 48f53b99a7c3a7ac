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

// Flagger is an Analyzer that counts failed checks as Flagger does, for those who
// bring their numbers from there. Give it by value.
//
// The window is cut into checks of the length Every, and so are the earlier steps
// of the rollout. A check fails if a metric misses its condition, or if there is
// nothing to judge it by: no traffic is a failed check. From the Threshold-th
// failed check of the rollout on the verdict is Fail, however many passed. It is
// Pass when Iterations checks of this step have passed, the last one among them,
// and Inconclusive, "halt advancement", until then.
//
// It gives no guarantee about errors, and none can be calculated without knowing
// the traffic. Every check takes a share of few requests as if it were exact, and
// a long rollout has many checks. In 60 checks of a minute with BadAtMost(0.01)
// and Threshold 5, a healthy canary whose true share is 0.5 % is rolled back
// nearly always at 1 request per second and about every fourth time at 10; one
// that fails twice as often as stable, 0.2 % instead of 0.1 %, is hardly ever found
// at 10 per second or more. Package analysis/sequential is made for looking often.
//
// What differs from Flagger:
//   - What is left of a step after its last complete check is not looked at, nor
//     is a step that was not to be judged.
//   - A store that does not answer is an error, and not a failed check.
//   - The interval of the metrics is Every.
//   - Flagger's own queries read the reporter "destination"; the zero Reporter
//     here is Source, which also sees what never reached a pod.
//   - A percentile that Flagger interpolates in a bucket is the share above a
//     bound here.
type Flagger struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Reporter is who counts. Its zero value, Source, gives way to Destination
	// while the canary is only mirrored to.
	Reporter metrics.Reporter
	// Every is Flagger's interval.
	Every time.Duration
	// Metrics are what each check looks at. There must be one.
	Metrics []FlaggerMetric
	// Threshold is how many failed checks of the rollout roll back; zero is 1.
	Threshold int
	// Iterations is how many checks of each step must pass; zero is 1, as Flagger
	// asks for each weight.
	Iterations int
}

// FlaggerMetric is a metric with what it must be like.
type FlaggerMetric struct {
	// Signal is what makes a request bad; the zero value is an answer of 5xx.
	Signal metrics.Signal
	// Want is Flagger's thresholdRange.
	Want Condition
}

// Validate reports every mistake at once. Analyze does so too.
func (f Flagger) Validate() error {
	errs := []error{
		checkEvery(f.Every), checkNotNegative("Threshold", f.Threshold), checkNotNegative("Iterations", f.Iterations),
	}
	for i, m := range f.Metrics {
		errs = append(errs, m.Want.err, f.query(m, analysis.Request{}).Validate())
		if !m.Want.given() {
			errs = append(errs, fmt.Errorf("metric %d has no condition", i+1))
		}
	}
	if len(f.Metrics) == 0 {
		errs = append(errs, errors.New("there are no Metrics"))
	}
	return judging.Mistakes("flagger", f.Provider, errs)
}

// Analyze implements [Analyzer]. Whatever keeps the Provider from answering, but
// having nothing to count, is an error.
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

// flaggerRun is how the checks went, up to the one that rolls back or the last
// one.
type flaggerRun struct {
	checks, failed int     // of the rollout
	step, passed   int     // of the last block: its checks, and those that passed
	last           []check // of each metric
	missed         string  // what failed in the last check, "" if nothing did
}

// replay is the pure part of Analyze: it goes through the checks of one more
// block in their order.
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

// missed says which metric is not as wanted; "" if all are.
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
	seen := fmt.Sprintf("%d of %d checks failed, %d roll back", r.failed, r.checks, f.threshold())
	if r.missed != "" {
		return fmt.Sprintf("%s; in the last one, %s", seen, r.missed)
	}
	return fmt.Sprintf("%s; %d passed in this step, %d needed", seen, r.passed, f.iterations())
}

// values are those of the last check that was looked at.
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

// tallied is a number of checks beside its limit.
func tallied(name string, n, limit int) analysis.Value {
	return analysis.Value{Name: name, Number: float64(n), Unit: fmt.Sprintf("of %d", limit)}
}

func (f Flagger) query(m FlaggerMetric, r analysis.Request) metrics.Query {
	return metrics.Query{Arm: f.Canary, Reporter: judging.Reporter(f.Reporter, r.Mirrored), Signal: m.Signal}
}

func (f Flagger) threshold() int { return cmp.Or(f.Threshold, 1) }

func (f Flagger) iterations() int { return cmp.Or(f.Iterations, 1) }
