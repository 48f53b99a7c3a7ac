package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// Compare is an Analyzer that passes a canary whose share of bad requests is at most
// Factor times that of another arm plus Extra. Give it by value.
//
// Both arms are counted in the same window by the same reporter, so a problem of both
// arms does not fail the canary. The window is the whole step, so the good beginning of a
// long step hides a canary that turns bad; [Last] judges the last minutes only.
//
// Like [Threshold], Compare has no error guarantee: it takes the two shares as exact, and
// the engine asks again and again. The fewer bad requests there are, the more room Factor
// and Extra should leave.
//
// When all traffic goes to the canary, there is no arm to compare with, and the verdict
// is Blind. A step with all traffic that requires a Pass needs another Analyzer.
type Compare struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Baseline is the arm to compare with: stable, or better a fresh baseline of
	// the canary's size.
	Baseline metrics.Arm
	// BaselineName is how reasons and Values name that arm; "" is "stable".
	BaselineName string
	// Signal is what makes a request bad; the zero value is a server error.
	Signal metrics.Signal
	// Reporter is the side that counts, for both arms. Its zero value, metrics.Source,
	// gives way to metrics.Destination while the canary receives copies only.
	Reporter metrics.Reporter
	// Factor is at least 1; zero is 1. Extra is a share, from 0 to below 1. Factor 1 with
	// Extra 0 is refused, because a healthy canary would fail at about every second look.
	Factor, Extra float64
	// MinRequests is how many requests each arm needs; zero is 100. The canary may fail
	// earlier if further requests cannot change that, as with Threshold. The other arm
	// needs its requests in any case.
	MinRequests int
}

// Validate returns all mistakes. Analyze does so too.
func (c Compare) Validate() error {
	q := c.query(c.Canary, Request{})
	errs := []error{checkShare("Extra", c.Extra), checkMin(c.MinRequests), q.Validate()}
	if err := c.query(c.Baseline, Request{}).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", c.baseline(), err))
	}
	if c.Canary == c.Baseline {
		errs = append(errs, fmt.Errorf("the canary is compared with itself, %s", c.Canary))
	}
	switch factor := c.factor(); {
	case !(factor >= 1) || math.IsInf(factor, 1):
		errs = append(errs, fmt.Errorf("the Factor is %v; want 1 or more", factor))
	case factor == 1 && c.Extra == 0:
		errs = append(errs, errors.New("with Factor 1 and Extra 0 a healthy canary fails at every second look"))
	}
	return judging.Mistakes("compare", c.Provider, errs)
}

// Analyze implements [Analyzer]. The verdict is Blind while there are too few requests to
// fail even a canary that fails all of them. An error of the Provider is returned. No
// requests is no error.
func (c Compare) Analyze(ctx context.Context, r Request) (Result, error) {
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	if early := r.early(); early != "" {
		return Result{Reason: early}, nil
	}
	arms := [...]look{
		{c.Provider, c.query(c.Canary, r), canary},
		{c.Provider, c.query(c.Baseline, r), c.baseline()},
	}
	var counts [len(arms)]metrics.Counts
	var values []Value
	var silent string
	for i, l := range arms {
		count, silence, err := l.count(ctx, r.Window)
		if err != nil {
			return Result{Values: values}, err
		}
		if silence == "" {
			counts[i] = count
			values = append(values, l.value(count))
		}
		silent = cmp.Or(silent, silence)
	}
	if silent != "" {
		return Result{Blindness: r.block().Blindness(counts[0].Total, counts[1].Total), Reason: silent, Values: values}, nil
	}
	verdict, reason := c.judge(counts[0], counts[1])
	return Result{Verdict: verdict, Blindness: few(verdict), Reason: reason, Values: values}, nil
}

// judge is the pure part of Analyze.
func (c Compare) judge(canaryCounts, baseline metrics.Counts) (Verdict, string) {
	least := minRequests(c.MinRequests)
	b := bar{c.factor()*baseline.Ratio() + c.Extra, least}
	seen := fmt.Sprintf("canary has %v %v, %s %v", canaryCounts, c.Signal, c.baseline(), baseline)
	if baseline.Total < least {
		return Blind, fmt.Sprintf("%s: %s", b.tooFew(c.baseline(), baseline), seen)
	}
	verdict := b.verdict(canaryCounts)
	switch verdict {
	case Fail:
		return verdict, fmt.Sprintf("%s: more than the %s accepted%s", seen, judging.Percent(b.share), b.early(canaryCounts))
	case Blind, Inconclusive:
		return verdict, fmt.Sprintf("%s: %s", b.tooFew(canary, canaryCounts), seen)
	}
	return verdict, fmt.Sprintf("%s: at most %s accepted", seen, judging.Percent(b.share))
}

func (c Compare) query(arm metrics.Arm, r Request) metrics.Query {
	return metrics.Query{Arm: arm, Reporter: judging.Reporter(c.Reporter, r.Mirrored), Signal: c.Signal}
}

func (c Compare) factor() float64 { return cmp.Or(c.Factor, 1) }

func (c Compare) baseline() string { return cmp.Or(c.BaselineName, "stable") }
