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

// NoErrors is a value of Argo.ConsecutiveErrorLimit that accepts no check without an
// answer.
const NoErrors = -1

// Argo is an Analyzer that measures one metric as an AnalysisRun of Argo Rollouts does,
// for teams that have AnalysisTemplates. [analysis.All] joins several into a run. Use
// Argo as a value, not as a pointer.
//
// After InitialDelay, the window is cut into checks of the length Every. Each check is a
// measurement:
//
//	no requests, or nothing counted   -> error
//	Failure holds                     -> failed
//	Success given, and does not hold  -> failed, or inconclusive if Failure is given too
//	else                              -> successful
//
// The checks are evaluated in order. The first of these conditions decides for good:
//
//	failed > FailureLimit                        -> Fail
//	inconclusive > InconclusiveLimit             -> Inconclusive: a person decides
//	errors in a row > ConsecutiveErrorLimit      -> Fail
//	Count successful, failed and inconclusive    -> Pass
//
// With a Count, the analysis begins anew at each step. Without a Count, it is a
// background analysis: it continues from step to step, and passes from the first
// successful check on, as long as no limit is exceeded.
//
// Argo guarantees no error rate. Every check treats the share of a few requests as exact.
// Take 60 checks of 1 minute at 1 request per second. With BadAtMost(0.01) as Success and
// FailureLimit 3, a healthy canary with a true share of 0.1 % is rolled back nearly every
// second time. With BadAtMost(0.05), a canary with ten times the errors of stable, 1 %
// instead of 0.1 %, is hardly ever found, whatever the traffic. Use package
// analysis/sequential to look often.
//
// Differences from Argo Rollouts:
//   - A check sees only its own interval. A query in Argo may look back further, to
//     before the step.
//   - A check without requests is an error. In Argo it depends on the query: an empty
//     result is an error, and NaN does not satisfy a success condition.
//   - If the store does not answer, Analyze returns an error, and there is no
//     measurement. A measurement without an answer is not repeated after 10 seconds; the
//     next one comes after Every.
//   - A background analysis sees only steps that are judged, and waits for the first
//     check of each.
//   - There is no consecutiveSuccessLimit.
type Argo struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Signal says which requests are bad; zero means server errors, and metrics.HTTPStatus(500, 599) is what the tool counts.
	Signal metrics.Signal
	// Reporter is the proxy that counts. The zero value means Source, or Destination
	// while the canary gets mirrored requests only.
	Reporter metrics.Reporter
	// Every is the length of a check: Argo's interval. It must be above zero.
	Every time.Duration
	// InitialDelay is the time at the start of the window that is not checked.
	InitialDelay time.Duration
	// Count is the number of measurements to make, without errors; zero means no end.
	Count int
	// Success and Failure are the conditions. At least one must be set.
	Success, Failure Condition
	// FailureLimit and InconclusiveLimit are the accepted numbers of failed and
	// inconclusive checks.
	FailureLimit, InconclusiveLimit int
	// ConsecutiveErrorLimit is the accepted number of consecutive checks without an
	// answer; zero means 4, as in Argo, and NoErrors means none.
	ConsecutiveErrorLimit int
	// DryRun measures without effect: the verdict is always Pass, and the Reason and the
	// Values tell what it would be.
	DryRun bool
}

// Validate reports every mistake at once. Analyze calls it too.
func (a Argo) Validate() error {
	errs := []error{
		checkEvery(a.Every), a.Success.err, a.Failure.err, a.query(analysis.Request{}).Validate(), checkNotNegative("Count", a.Count),
		checkNotNegative("FailureLimit", a.FailureLimit), checkNotNegative("InconclusiveLimit", a.InconclusiveLimit),
	}
	if a.InitialDelay < 0 {
		errs = append(errs, fmt.Errorf("InitialDelay is %v; want zero or more", a.InitialDelay))
	}
	if a.ConsecutiveErrorLimit < NoErrors {
		errs = append(errs, fmt.Errorf("ConsecutiveErrorLimit is %d; want zero or more, or NoErrors", a.ConsecutiveErrorLimit))
	}
	if !a.Success.given() && !a.Failure.given() {
		errs = append(errs, errors.New("no condition; want Success, Failure or both"))
	}
	return judging.Mistakes("argo", a.Provider, errs)
}

// Analyze implements [analysis.Analyzer]. It returns an error of the Provider, unless the
// error only means that there is nothing to count. With DryRun, an error of the Provider
// becomes a Pass, unless ctx has ended.
func (a Argo) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	if err := a.Validate(); err != nil {
		return analysis.Result{}, err
	}
	result, err := a.measure(ctx, r)
	switch {
	case !a.DryRun || ctx.Err() != nil:
		return result, err
	case err != nil:
		return analysis.Result{Verdict: analysis.Pass, Reason: "dry run, without an answer: " + judging.OneLine(err)}, nil
	}
	result.Reason = fmt.Sprintf("dry run, would be %v: %s", result.Verdict, result.Reason)
	result.Verdict = analysis.Pass
	return result, nil
}

func (a Argo) measure(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	blocks := r.Blocks()
	if a.Count > 0 {
		blocks = blocks[len(blocks)-1:]
	}
	from := blocks[0].Window.From.Add(a.InitialDelay)
	var all, last []check
	for _, b := range blocks {
		if b.Window.From.Before(from) {
			b.Window.From = from
		}
		var err error
		if last, err = checks(ctx, a.Provider, a.query(analysis.Request{Mirrored: b.Mirrored}), b.Window, a.Every); err != nil {
			return analysis.Result{}, err
		}
		r.Window = b.Window
		all = append(all, last...)
	}
	if len(last) == 0 {
		return analysis.Result{Reason: firstCheck(r.Window, a.Every)}, nil
	}
	run := a.replay(all)
	return analysis.Result{Verdict: run.verdict, Reason: run.reason(a), Values: run.values(a)}, nil
}

func (a Argo) query(r analysis.Request) metrics.Query {
	return metrics.Query{Arm: a.Canary, Reporter: judging.Reporter(a.Reporter, r.Mirrored), Signal: a.Signal}
}

// errorLimit returns the effective ConsecutiveErrorLimit.
func (a Argo) errorLimit() int {
	return max(0, cmp.Or(a.ConsecutiveErrorLimit, 4))
}
