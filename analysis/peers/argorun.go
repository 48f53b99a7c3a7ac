package peers

import (
	"fmt"

	"github.com/serin-go/serin/analysis"
)

// outcome is the result of one check.
type outcome uint8

const (
	successful outcome = iota
	failed
	inconclusive
	erroneous
)

var outcomes = [...]string{"successful", "failed", "inconclusive", "without an answer"}

func (o outcome) String() string { return outcomes[o] }

// outcome judges one check.
func (a Argo) outcome(c check) outcome {
	switch {
	case c.silence != nil:
		return erroneous
	case a.Failure.given() && a.Failure.holds(c.counts):
		return failed
	case !a.Success.given() || a.Success.holds(c.counts):
		return successful
	case a.Failure.given():
		return inconclusive
	}
	return failed
}

// argoRun is the state of an analysis after the check that decided, or after the last
// one.
type argoRun struct {
	tally    [len(outcomes)]int
	inARow   int // checks without an answer, up to the last one
	last     check
	what     outcome // of the last check
	verdict  analysis.Verdict
	exceeded string // limit
}

// measured is the number to compare with Count.
func (r argoRun) measured() int { return r.tally[successful] + r.tally[failed] + r.tally[inconclusive] }

// replay is the pure part of Analyze. It evaluates the checks in order.
func (a Argo) replay(all []check) argoRun {
	var r argoRun
	for _, c := range all {
		r.last, r.what = c, a.outcome(c)
		r.tally[r.what]++
		r.inARow++
		if r.what != erroneous {
			r.inARow = 0
		}
		if r.verdict, r.exceeded = a.limits(r); r.exceeded != "" {
			return r
		}
		if a.Count > 0 && r.measured() >= a.Count {
			r.verdict = analysis.Pass
			return r
		}
	}
	if a.Count == 0 && r.tally[successful] > 0 {
		r.verdict = analysis.Pass
	}
	return r
}

// limits returns the verdict, and the limit that is exceeded, if any.
func (a Argo) limits(r argoRun) (analysis.Verdict, string) {
	switch {
	case r.tally[failed] > a.FailureLimit:
		return analysis.Fail, fmt.Sprintf("failed checks: %d, at most %d accepted", r.tally[failed], a.FailureLimit)
	case r.tally[inconclusive] > a.InconclusiveLimit:
		return analysis.Inconclusive, fmt.Sprintf("inconclusive checks: %d, at most %d accepted, a person must decide",
			r.tally[inconclusive], a.InconclusiveLimit)
	case r.inARow > a.errorLimit():
		return analysis.Fail, fmt.Sprintf("checks in a row without an answer: %d, at most %d accepted", r.inARow, a.errorLimit())
	case r.measured() == 0:
		return analysis.Blind, ""
	}
	return analysis.Inconclusive, ""
}

func (r argoRun) reason(a Argo) string {
	last := fmt.Sprintf("the last check was %v: canary has %s", r.what, r.last.of(a.Signal))
	switch {
	case r.exceeded != "":
		return fmt.Sprintf("%s; %s", r.exceeded, last)
	case a.Count > 0:
		return fmt.Sprintf("%d of %d checks made, %d failed; %s", r.measured(), a.Count, r.tally[failed], last)
	}
	return fmt.Sprintf("checks made: %d, failed: %d; %s", r.measured(), r.tally[failed], last)
}

func (r argoRun) values(a Argo) []analysis.Value {
	return []analysis.Value{
		{Name: a.Signal.String(), Arm: canary, Counts: r.last.counts},
		tallied("failed checks", r.tally[failed], a.FailureLimit),
		tallied("inconclusive checks", r.tally[inconclusive], a.InconclusiveLimit),
		tallied("checks in a row without an answer", r.inARow, a.errorLimit()),
	}
}
