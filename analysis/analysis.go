// Package analysis judges a canary by what was counted.
//
// [Sequential] is the one to take: it may be asked as often as one likes, fails a
// healthy canary with a probability of at most 5 % over its whole rollout, or
// what else it is told, and says how much is missing where the requests do not
// suffice. Package sequential is its statistics, and tells how to choose margins.
//
// [Threshold] holds the canary's share of bad requests against a constant,
// [Compare] against another arm; [All], [Any] and [Warmup] combine. They look at
// shares and know nothing of chance: looked at again and again, they fail a
// healthy canary sooner or later unless the bounds leave room. Everything else
// that can judge is an [Analyzer] of one's own.
//
// [Flagger], [Argo] and [Kayenta] judge by the rules of these tools, for those who
// bring their numbers from there. They say of themselves how often they are wrong.
package analysis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/serin-go/serin/metrics"
)

// Verdict is what a judge says about a canary. The zero value is Inconclusive:
// no evidence is not good evidence.
type Verdict uint8

// The verdicts.
const (
	Inconclusive Verdict = iota // the evidence does not suffice; wait
	Pass                        // good enough, so far
	Fail                        // bad; roll back
)

var verdicts = [...]string{"inconclusive", "pass", "fail"}

// String returns the verdict in lower case.
func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Request is what an Analyzer is asked. More fields may be added: use field
// names in literals.
type Request struct {
	// Window is the time to judge: from the last verified change of traffic plus
	// the scrape lag, until now. It may not have begun yet, with a length of zero
	// or less; the verdict is then Inconclusive.
	Window metrics.Window
	// Step is the name of the plan's step, for words.
	Step string
	// Mirrored: the canary answers no live requests; it gets copies only.
	Mirrored bool
	// Canary and Baseline are the shares of live requests, 0 to 1, that the two
	// are to get in the window. Stable gets what they leave.
	Canary, Baseline float64
	// Earlier are the blocks of the rollout before Window, in the order of time.
	// They are for judges that gather evidence over the whole rollout.
	Earlier []Block
}

// Block is a time in a rollout in which its traffic did not change.
type Block struct {
	Window           metrics.Window
	Mirrored         bool
	Canary, Baseline float64
}

// Result is a verdict with its reason and the numbers behind it. The zero value
// is Inconclusive.
type Result struct {
	Verdict Verdict
	// Reason is one sentence that a person on call understands, without a full
	// stop.
	Reason string
	// Values are the numbers that were looked at, of every arm.
	Values []Value
	// Findings are what a [Sequential] found out about each of its Metrics, in their
	// order, and Trace how the evidence developed.
	Findings []Finding
	Trace    Trace
}

// Value is a number behind a verdict.
type Value struct {
	// Name says what was measured: "5xx answers".
	Name string
	// Arm says whose number it is: "canary", "stable"; "" if neither.
	Arm string
	// Counts is what was counted; the zero value if it was not counted.
	Counts metrics.Counts
	// Number is the value in units of Unit, for what is not counted.
	Number float64
	Unit   string
}

// String prints the value for a line of a log: "canary 12/1530 (0.78%)",
// "canary 0.31 cores". The name is left to the reader's own layout.
func (v Value) String() string {
	number := fmt.Sprintf("%.4g %s", v.Number, v.Unit)
	if v.Counts != (metrics.Counts{}) {
		number = v.Counts.String()
	}
	return strings.TrimSpace(v.Arm + " " + strings.TrimSpace(number))
}

// Analyzer judges. It keeps no state between calls: a result is a function of
// the request and of what the store holds, so any process may ask at any time.
// It is safe for concurrent use, and ends when ctx does.
//
// An error is not evidence, neither good nor bad: the Result beside it is
// Inconclusive and at most holds Values. Having no evidence yet is not an
// error, but Inconclusive.
type Analyzer interface {
	Analyze(ctx context.Context, r Request) (Result, error)
}

// AnalyzerFunc makes an Analyzer of a function.
type AnalyzerFunc func(ctx context.Context, r Request) (Result, error)

// Analyze calls f.
func (f AnalyzerFunc) Analyze(ctx context.Context, r Request) (Result, error) { return f(ctx, r) }

// mistakes is what is wrong with a judge, all at once.
func mistakes(judge string, asks metrics.Provider, errs []error) error {
	if asks == nil {
		errs = append(errs, errors.New("there is no Provider to ask"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("analysis: %s: %w", judge, err)
	}
	return nil
}
