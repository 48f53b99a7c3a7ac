package analysis

import (
	"fmt"
	"strings"

	"github.com/serin-go/serin/internal/enum"
	"github.com/serin-go/serin/metrics"
)

// Verdict is what a judge says about a canary. The zero value is Blind: silence is
// not consent.
type Verdict uint8

// The verdicts.
const (
	Blind        Verdict = iota // nothing was seen that could have shown harm; wait
	Inconclusive                // enough was seen to show a disaster, not enough to pass
	Pass                        // good enough, so far
	Fail                        // bad; roll back
)

var verdicts = [...]string{"blind", "inconclusive", "pass", "fail"}

// String returns the verdict in lower case.
func (v Verdict) String() string { return enum.Name("Verdict", verdicts[:], v) }

// Blindness is why a judge is Blind.
type Blindness uint8

// The kinds of blindness.
const (
	NotSaid      Blindness = iota // it waits
	NoReadings                    // the store does not have what it should have
	FewRequests                   // it is known that there were few
	NotAsPlanned                  // the requests are not divided as planned
	NoBaseline                    // there is nothing to compare with
)

var blindnesses = [...]string{"not said", "no readings", "few requests", "not as planned", "no baseline"}

// String returns the kind in words.
func (b Blindness) String() string { return enum.Name("Blindness", blindnesses[:], b) }

// Result is a verdict with its reason and the numbers behind it. The zero value
// is Blind.
type Result struct {
	Verdict Verdict
	// Blindness is why the verdict is Blind, and NotSaid with any other.
	Blindness Blindness
	// Reason is one sentence that a person on call understands, without a full
	// stop.
	Reason string
	// Doubt: the evidence speaks against the canary, if not loud enough for a Fail.
	Doubt bool
	// Sight is how much the present step has shown, in nats, and Needed from when
	// on a canary that failed wholly would have been failed. Both are zero if the
	// judge does not know.
	Sight, Needed float64
	// StableWorse: stable is worse than its own past, with or without the canary
	// being so as well.
	StableWorse bool
	// Carry is what the judge wants to be handed back with later Requests, at most
	// 512 bytes: what it knows of times whose counts it may not get again. It
	// has to say itself until when it reaches.
	Carry []byte
	// Values are the numbers that were looked at, of every arm.
	Values []Value
	// Details are what else the judge has found out, in a type of its own: a
	// sequential.Judge gives a *sequential.Report. Nil is nothing.
	Details any
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
