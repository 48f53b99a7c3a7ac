package analysis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// All returns an Analyzer that asks each of the analyzers in turn and wants all
// of them to pass:
//
//	one Fail              -> Fail
//	else one error        -> the errors, joined
//	else one Inconclusive -> Inconclusive
//	else                  -> Pass
//
// A Fail beats an error: the harm is proven, and what the store cannot say about
// another metric does not undo it. An error beats a Pass, because that metric
// might have failed. All of nothing is Inconclusive. The Values are those of all
// analyzers, also beside an error.
//
// Every analyzer adds its own chance to fail a healthy canary.
func All(analyzers ...Analyzer) Analyzer {
	return AnalyzerFunc(func(ctx context.Context, r Request) (Result, error) {
		t := ask(ctx, analyzers, r)
		switch {
		case t.has(Fail):
			return t.result(Fail), nil
		case t.errs != nil:
			return Result{Values: t.values}, errors.Join(t.errs...)
		case t.has(Inconclusive) || !t.has(Pass):
			return t.result(Inconclusive), nil
		}
		return t.result(Pass), nil
	})
}

// Any returns an Analyzer that asks each of the analyzers in turn and is content
// if one of them passes. It is for evidence that can be had in several ways, of
// which some may be silent:
//
//	one Fail        -> Fail
//	else one Pass   -> Pass
//	else one error  -> the errors, joined
//	else            -> Inconclusive
//
// It differs from All in what a Pass needs, and in nothing else: a Fail fails
// here too, because good news from one side does not undo harm seen from
// another. Errors that a verdict has beaten are told in its reason.
func Any(analyzers ...Analyzer) Analyzer {
	return AnalyzerFunc(func(ctx context.Context, r Request) (Result, error) {
		t := ask(ctx, analyzers, r)
		switch {
		case t.has(Fail):
			return t.result(Fail), nil
		case t.has(Pass):
			return t.result(Pass), nil
		case t.errs != nil:
			return Result{Values: t.values}, errors.Join(t.errs...)
		}
		return t.result(Inconclusive), nil
	})
}

// tally is what several analyzers said.
type tally struct {
	reasons map[Verdict][]string
	values  []Value
	errs    []error
}

func ask(ctx context.Context, analyzers []Analyzer, r Request) tally {
	t := tally{reasons: make(map[Verdict][]string)}
	for i, a := range analyzers {
		if a == nil {
			t.errs = append(t.errs, fmt.Errorf("analysis: analyzer %d is nil", i+1))
			continue
		}
		result, err := a.Analyze(ctx, r)
		t.values = append(t.values, result.Values...)
		if err != nil {
			t.errs = append(t.errs, err)
			continue
		}
		t.reasons[result.Verdict] = append(t.reasons[result.Verdict], result.Reason)
	}
	return t
}

func (t tally) has(v Verdict) bool { return len(t.reasons[v]) > 0 }

// result returns the verdict with the reasons of those who gave it, each once.
func (t tally) result(v Verdict) Result {
	reasons := slices.Compact(t.reasons[v])
	if len(reasons) == 0 {
		reasons = []string{"there is nothing to judge by"}
	}
	reason := strings.Join(reasons, "; ")
	if t.errs != nil {
		reason += fmt.Sprintf(" (no answer from others: %s)", oneLine(errors.Join(t.errs...)))
	}
	return Result{Verdict: v, Reason: reason, Values: t.values}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Last returns an Analyzer that asks a about no more than the last d of the
// window. A window is the whole step: after a long healthy hold, a canary that
// turns bad is outvoted by its own past. Last forgets that past, and with it the
// evidence: let d be long enough for the requests that a needs. It is not for
// Flagger, Argo and Kayenta, which count from the start of the window.
func Last(d time.Duration, a Analyzer) Analyzer {
	return AnalyzerFunc(func(ctx context.Context, r Request) (Result, error) {
		if a == nil || d <= 0 {
			return Result{}, errors.New("analysis: last: want an analyzer and a time above zero")
		}
		if from := r.Window.To.Add(-d); from.After(r.Window.From) {
			r.Window.From = from
		}
		return a.Analyze(ctx, r)
	})
}

// Warmup returns an Analyzer that is Inconclusive while the window is shorter
// than d, and then asks a. Cold caches and empty pools make the first requests
// of a new version slow and sometimes fail; but those requests stay in the
// window, so that Warmup waits for them to be outweighed, and does not drop
// them.
func Warmup(d time.Duration, a Analyzer) Analyzer {
	return AnalyzerFunc(func(ctx context.Context, r Request) (Result, error) {
		if a == nil {
			return Result{}, errors.New("analysis: there is no analyzer to warm up for")
		}
		if length := r.Window.Length(); length < d {
			seconds := max(0, length).Round(time.Second)
			return Result{Reason: fmt.Sprintf("warming up: %v of %v", seconds, d)}, nil
		}
		return a.Analyze(ctx, r)
	})
}
