package analysis

import (
	"context"
	"fmt"

	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// Threshold is an Analyzer that passes a canary whose share of bad requests is at most
// Max. Give it by value.
//
// The window is the whole step, so the good beginning of a long step hides a canary that
// turns bad; [Last] judges the last minutes only.
//
// Threshold has no error guarantee. The share in a window varies by chance, and the
// engine asks again and again: a healthy canary whose true share is a little below Max
// will exceed Max at some look, and a bad canary may pass at a lucky look. Keep Max well
// above the normal share and MinRequests large, or compare with stable.
type Threshold struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Signal is what makes a request bad; the zero value is a server error.
	Signal metrics.Signal
	// Reporter is the side that counts. Its zero value, metrics.Source, gives way to
	// metrics.Destination while the canary receives copies only.
	Reporter metrics.Reporter
	// Max is the largest accepted share of bad requests, from 0 to below 1. Zero accepts
	// no bad request.
	Max float64
	// MinRequests is how many requests a Pass needs; zero is 100.
	//
	// A Fail may come earlier, but only when further requests cannot change it: when the
	// share would exceed Max even if all requests up to MinRequests were good. With Max
	// 0.01 and MinRequests 100, one bad request of two does not fail a canary, and two
	// do.
	MinRequests int
}

// Validate returns all mistakes. Analyze does so too.
func (t Threshold) Validate() error {
	errs := []error{checkShare("Max", t.Max), checkMin(t.MinRequests), t.query(Request{}).Validate()}
	return judging.Mistakes("threshold", t.Provider, errs)
}

// Analyze implements [Analyzer]. The verdict is Blind while there are too few requests to
// fail even a canary that fails all of them. An error of the Provider is returned. No
// requests is no error.
func (t Threshold) Analyze(ctx context.Context, r Request) (Result, error) {
	if err := t.Validate(); err != nil {
		return Result{}, err
	}
	if early := r.early(); early != "" {
		return Result{Reason: early}, nil
	}
	l := look{t.Provider, t.query(r), canary}
	c, silence, err := l.count(ctx, r.Window)
	if err != nil {
		return Result{}, err
	}
	if silence != "" {
		return Result{Blindness: FewRequests, Reason: silence}, nil
	}
	b := bar{t.Max, minRequests(t.MinRequests)}
	result := Result{Verdict: b.verdict(c), Values: []Value{l.value(c)}}
	result.Blindness = few(result.Verdict)
	seen := fmt.Sprintf("canary has %v %v", c, t.Signal)
	switch result.Verdict {
	case Fail:
		result.Reason = fmt.Sprintf("%s, more than %s%s", seen, judging.Percent(t.Max), b.early(c))
	case Blind, Inconclusive:
		result.Reason = fmt.Sprintf("%s: %s", b.tooFew(canary, c), seen)
	default:
		result.Reason = fmt.Sprintf("%s, at most %s accepted", seen, judging.Percent(t.Max))
	}
	return result, nil
}

func (t Threshold) query(r Request) metrics.Query {
	return metrics.Query{Arm: t.Canary, Reporter: judging.Reporter(t.Reporter, r.Mirrored), Signal: t.Signal}
}
