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

// NoErrors is an Argo.ConsecutiveErrorLimit that accepts no check without an
// answer.
const NoErrors = -1

// Argo is an Analyzer that measures one metric as an AnalysisRun of Argo Rollouts
// does, for those who bring their templates from there; [All] joins several into
// a run. Give it by value.
//
// After InitialDelay the window is cut into checks of the length Every, and each
// is a measurement:
//
//	no requests, or nothing counted   -> error
//	Failure holds                     -> failed
//	Success given, and does not hold  -> failed, or inconclusive if Failure is given too
//	else                              -> successful
//
// They are gone through in their order, and the first of these decides for good:
//
//	failed > FailureLimit                        -> Fail
//	inconclusive > InconclusiveLimit             -> Inconclusive: a person decides
//	errors in a row > ConsecutiveErrorLimit      -> Fail
//	Count successful, failed and inconclusive    -> Pass
//
// Without a Count it is an analysis in the background: it goes on from step to
// step, and passes from the first successful check on, for as long as no limit is
// exceeded. With a Count it begins anew at each step.
//
// It gives no guarantee about errors. Every check takes a share of few requests as
// if it were exact. In 60 checks of a minute at 1 request per second, with
// BadAtMost(0.01) as Success and FailureLimit 3, a healthy canary with a true
// share of 0.1 % is rolled back nearly every second time; and with BadAtMost(0.05)
// one with ten times the errors of stable, 1 % instead of 0.1 %, is hardly ever
// found, whatever the traffic. Package analysis/sequential is made for looking
// often.
//
// What differs from Argo Rollouts:
//   - A check sees its own interval alone; a query there may look back further,
//     to before the step.
//   - A check without requests is without an answer. There it depends on the
//     query: an empty result is an error, and NaN misses a success condition.
//   - A store that does not answer is an error of this look, and no measurement.
//     A measurement without an answer is not repeated after 10 seconds; the next
//     one comes after Every.
//   - A background analysis sees the steps that are to be judged, and waits for
//     the first check of each.
//   - There is no consecutiveSuccessLimit.
type Argo struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Signal is what makes a request bad; the zero value is an answer of 5xx.
	Signal metrics.Signal
	// Reporter is who counts. Its zero value, Source, gives way to Destination
	// while the canary is only mirrored to.
	Reporter metrics.Reporter
	// Every is Argo's interval.
	Every time.Duration
	// InitialDelay is left out at the start.
	InitialDelay time.Duration
	// Count is how many measurements are wanted, without errors; zero is no end.
	Count int
	// Success and Failure are the conditions; one of them must be given.
	Success, Failure Condition
	// FailureLimit and InconclusiveLimit are how many such checks are accepted.
	FailureLimit, InconclusiveLimit int
	// ConsecutiveErrorLimit is how many checks in a row may be without an answer;
	// zero is Argo's 4, and NoErrors is none.
	ConsecutiveErrorLimit int
	// DryRun measures without effect: the verdict is Pass, and the reason and
	// the Values say what it would be.
	DryRun bool
}

// Validate reports every mistake at once. Analyze does so too.
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
		errs = append(errs, errors.New("there is no condition"))
	}
	return judging.Mistakes("argo", a.Provider, errs)
}

// Analyze implements [Analyzer]. Whatever keeps the Provider from answering, but
// having nothing to count, is an error; with DryRun it has no effect either,
// unless ctx has ended.
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

// errorLimit returns the limit in use.
func (a Argo) errorLimit() int {
	return max(0, cmp.Or(a.ConsecutiveErrorLimit, 4))
}
