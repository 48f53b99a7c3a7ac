package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/internal/judging"
)

// All returns an Analyzer that asks all analyzers and passes if all pass:
//
//	one Fail              -> Fail
//	else one error        -> the errors, joined
//	else one Blind        -> Blind
//	else one Inconclusive -> Inconclusive
//	else                  -> Pass
//
// A Fail outweighs an error, because the harm is proven. An error outweighs a Pass,
// because the metric without an answer might have failed. Without analyzers the verdict
// is Blind. The Values are those of all analyzers, also beside an error.
//
// Each analyzer adds its own probability of failing a healthy canary. The Carries of all
// analyzers share 512 bytes.
func All(analyzers ...Analyzer) Analyzer {
	return combined{analyzers, []Verdict{Fail, unanswered, Blind, Inconclusive, Pass}, true}
}

// Any returns an Analyzer that asks all analyzers and passes if one of them passes. Use
// it for evidence from several sources, some of which may have no data:
//
//	one Fail              -> Fail
//	else one Pass         -> Pass
//	else one error        -> the errors, joined
//	else one Inconclusive -> Inconclusive
//	else                  -> Blind
//
// A Fail of one analyzer fails the canary, as with All. The reason mentions errors that a
// verdict has outweighed.
func Any(analyzers ...Analyzer) Analyzer {
	return combined{analyzers, []Verdict{Fail, Pass, unanswered, Inconclusive, Blind}, false}
}

// unanswered stands for an error among verdicts.
const unanswered Verdict = 255

// combined asks several.
type combined struct {
	of []Analyzer
	// order is of the verdicts: the first that anybody says is what all say.
	order []Verdict
	// all are needed: one that has no readings is one too many.
	all bool
}

// Validate reports the mistakes of all.
func (c combined) Validate() error {
	var errs []error
	for i, a := range c.of {
		if isNil(a) {
			errs = append(errs, missing(i))
			continue
		}
		errs = append(errs, validate(a))
	}
	return errors.Join(errs...)
}

// Look is the longest of those that are told.
func (c combined) Look() (longest time.Duration) {
	for _, a := range c.of {
		longest = max(longest, lookOf(a))
	}
	return longest
}

// Analyze implements [Analyzer].
func (c combined) Analyze(ctx context.Context, r Request) (Result, error) {
	carried, frozen := unpack(r.Carry, len(c.of)), unpack(r.Frozen, len(c.of))
	t := tally{said: make(map[Verdict][]Result)}
	parts := make([][]byte, len(c.of))
	for i, a := range c.of {
		if isNil(a) {
			t.errs = append(t.errs, missing(i))
			continue
		}
		r.Carry, r.Frozen = carried[i], frozen[i]
		result, err := a.Analyze(ctx, r)
		t.values = append(t.values, result.Values...)
		if parts[i] = result.Carry; err != nil {
			parts[i] = carried[i] // an error forgets nothing
			t.errs = append(t.errs, err)
			continue
		}
		t.said[result.Verdict] = append(t.said[result.Verdict], result)
	}
	for _, v := range c.order {
		if v == unanswered && t.errs != nil {
			return Result{Values: t.values}, errors.Join(t.errs...)
		} else if len(t.said[v]) > 0 {
			result := t.result(v)
			result.Blindness = c.blindness(t.said[v])
			result.Carry = pack(parts)
			return result, nil
		}
	}
	return Result{Reason: "there is nothing to judge by", Values: t.values}, nil
}

// blindness is that of several results, if it is one.
func (c combined) blindness(of []Result) Blindness {
	is := func(b Blindness) bool {
		return slices.ContainsFunc(of, func(r Result) bool { return r.Blindness == b })
	}
	isAnother := func(r Result) bool { return r.Blindness != of[0].Blindness }
	switch {
	case c.all && is(NoReadings):
		return NoReadings
	case c.all && is(NoCanaryReadings):
		return NoCanaryReadings
	case slices.ContainsFunc(of, isAnother):
		return Unspecified
	}
	return of[0].Blindness
}

func missing(i int) error { return fmt.Errorf("analysis: analyzer %d is nil", i+1) }

// tally is what several analyzers said.
type tally struct {
	said   map[Verdict][]Result
	values []Value
	errs   []error
}

// result returns the verdict with the reasons of those who gave it, each once,
// and what the least sighted of them saw.
func (t tally) result(v Verdict) Result {
	worst := slices.MaxFunc(t.said[v], func(a, b Result) int { return cmp.Compare(a.lacks(), b.lacks()) })
	r := Result{Verdict: v, Sight: worst.Sight, Needed: worst.Needed, Values: t.values}
	var reasons []string
	for _, one := range t.said[v] {
		reasons, r.After = append(reasons, one.Reason), max(r.After, one.After)
	}
	for _, all := range t.said {
		for _, one := range all {
			r.Doubt, r.StableWorse = r.Doubt || one.Doubt, r.StableWorse || one.StableWorse
		}
	}
	r.Reason = strings.Join(slices.Compact(reasons), "; ")
	if t.errs != nil {
		r.Reason += fmt.Sprintf(" (no answer from others: %s)", judging.OneLine(errors.Join(t.errs...)))
	}
	return r
}

// lacks is how much of its sight a judge lacks.
func (r Result) lacks() float64 { return 1 - r.Sight/max(r.Needed, math.SmallestNonzeroFloat64) }

// Last returns an Analyzer that asks a about the last d of the window at most. A window
// is the whole step, so without Last the good beginning of a long step hides a canary
// that turns bad. Make d long enough for the requests that a needs. Do not use Last with
// the judges of package peers, which count from the start of the window.
func Last(d time.Duration, a Analyzer) Analyzer {
	w := wrapped{asks: a}
	if d <= 0 {
		w.err = errors.New("analysis: last: want a time above zero")
	}
	w.AnalyzerFunc = func(ctx context.Context, r Request) (Result, error) {
		if err := w.mistake(); err != nil {
			return Result{}, err
		}
		if from := r.Window.To.Add(-d); from.After(r.Window.From) {
			r.Window.From = from
		}
		return a.Analyze(ctx, r)
	}
	return w
}

// Warmup returns an Analyzer that is Blind while the window is shorter than d, and then
// asks a. The first requests of a new version may be slow or fail, because caches are
// cold and pools are empty. Warmup waits until later requests outweigh them. It does not
// drop them.
func Warmup(d time.Duration, a Analyzer) Analyzer {
	w := warmed{wrapped{asks: a}, d}
	w.AnalyzerFunc = func(ctx context.Context, r Request) (Result, error) {
		if err := w.mistake(); err != nil {
			return Result{}, err
		}
		if length := r.Window.Length(); length < d {
			seconds := max(0, length).Round(time.Second)
			return Result{Reason: fmt.Sprintf("warming up: %v of %v", seconds, d), Carry: r.Carry}, nil
		}
		return a.Analyze(ctx, r)
	}
	return w
}

// wrapped asks another Analyzer in its own way.
type wrapped struct {
	AnalyzerFunc
	asks Analyzer
	err  error
}

// mistake is what is wrong with w itself.
func (w wrapped) mistake() error {
	if isNil(w.asks) {
		return errors.Join(w.err, errors.New("analysis: there is no analyzer to ask"))
	}
	return w.err
}

// Validate reports the mistakes of the one that is asked as well.
func (w wrapped) Validate() error {
	return errors.Join(w.mistake(), validate(w.asks))
}

// Look is that of the one that is asked.
func (w wrapped) Look() time.Duration { return lookOf(w.asks) }

// isNil reports whether there is no Analyzer, or a pointer or function that is nil.
func isNil(a Analyzer) bool {
	v := reflect.ValueOf(a)
	return a == nil || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}

// validate asks an Analyzer for its mistakes, if it knows them.
func validate(a Analyzer) error {
	if v, ok := a.(interface{ Validate() error }); ok && !isNil(a) {
		return v.Validate()
	}
	return nil
}

// lookOf is how long a look of an Analyzer is; zero if it does not say.
func lookOf(a Analyzer) time.Duration {
	if l, ok := a.(Looker); ok && !isNil(a) {
		return l.Look()
	}
	return 0
}
