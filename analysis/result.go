package analysis

import (
	"fmt"
	"strings"
	"time"

	"github.com/serin-go/serin/internal/enum"
	"github.com/serin-go/serin/metrics"
)

// Verdict is what a judge says of a canary. The zero value is Blind.
type Verdict uint8

// The verdicts.
const (
	Blind        Verdict = iota // the judge has seen nothing that could have shown harm
	Inconclusive                // enough was seen to find a disaster, not enough to pass
	Pass                        // good enough, so far
	Fail                        // bad: roll back
)

var verdicts = [...]string{"blind", "inconclusive", "pass", "fail"}

// String returns the verdict in lower case.
func (v Verdict) String() string { return enum.Name("Verdict", verdicts[:], v) }

// Blindness is why a judge is Blind, that is, has seen nothing that could have shown
// harm.
type Blindness uint8

// Why a judge is Blind.
const (
	Unspecified      Blindness = iota // the judge does not say why
	NoReadings                        // the store lacks data that must exist
	NoCanaryReadings                  // the store lacks data of the canary that must exist, and has that of the other arm
	FewRequests                       // too few requests so far; the store has counted all of them
	NotAsPlanned                      // the requests are not divided as planned
	NoBaseline                        // no other arm has traffic to compare with
	StableFails                       // stable fails as well, so nothing can be learnt of the canary
	FewerThanPlanned                  // the canary has far fewer requests than planned, at present: the others may hang
)

var blindnesses = [...]string{"unspecified", "no readings", "no readings of the canary", "few requests", "not as planned", "no baseline", "stable fails", "fewer than planned"}

// String returns the kind in words.
func (b Blindness) String() string { return enum.Name("Blindness", blindnesses[:], b) }

// Result is a verdict with its reason and its numbers. The zero value is Blind.
type Result struct {
	Verdict Verdict
	// Blindness is why the verdict is Blind. It is Unspecified with any other verdict.
	Blindness Blindness
	// Reason is one sentence for a person on call, without a full stop.
	Reason string
	// Doubt: the evidence speaks against the canary, but not enough for a Fail.
	Doubt bool
	// Sight is how much evidence against a canary that fails every request the present
	// step has allowed so far. At Needed or more, such a canary would have been failed.
	// The unit is nats (natural logarithms). Both are zero if the judge does not know.
	Sight, Needed float64
	// After is about how long it takes until a Pass at the present traffic, in a usual
	// rollout. Zero is not known.
	After time.Duration
	// StableWorse: stable is worse than its own past, whatever the canary is.
	StableWorse bool
	// Carry is a memory of the judge, at most 512 bytes: the State keeps it, and later
	// Requests return it. It is for what the judge knows of times whose counts the store
	// may drop. Put a time into it, to know which counts it contains.
	Carry []byte
	// Values are the numbers behind the verdict, of each arm.
	Values []Value
	// Details are further results in a type of the judge: a sequential.Judge returns a
	// *sequential.Report. Nil is none.
	Details any
}

// Value is a number behind a verdict.
type Value struct {
	// Name is what was measured: "server errors".
	Name string
	// Arm is whose number it is: "canary", "stable", or "" for neither.
	Arm string
	// Counts is what was counted. The zero value was not counted.
	Counts metrics.Counts
	// Number is the value in units of Unit, if it was not counted.
	Number float64
	Unit   string
}

// String prints the value without its Name: "canary 12/1530 (0.78%)", "canary 0.31
// cores".
func (v Value) String() string {
	number := fmt.Sprintf("%.4g %s", v.Number, v.Unit)
	if v.Counts != (metrics.Counts{}) {
		number = v.Counts.String()
	}
	return strings.TrimSpace(v.Arm + " " + strings.TrimSpace(number))
}
