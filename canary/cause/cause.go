// Package cause has the causes for which a rollout stays where it is, or moves.
// A Cause is short enough for the label of a metric.
package cause

import "github.com/serin-go/serin/internal/enum"

// Cause is the kind of a canary.Reason. The zero value is None.
type Cause uint8

// Causes of waiting, each with what ends the wait.
const (
	None         Cause = iota
	Settling           // traffic was just written; ends after the plan's Settle
	Verifying          // the mesh does not route as written yet; ends when a Verifier says Yes
	Hold               // ends when the step's Hold is over
	Verdict            // ends when the judge has seen enough
	JudgeError         // the judge returned an error; ends when it returns a result
	Gate               // ends when the gate opens
	Capacity           // ends when the canary has enough ready pods
	Paused             // ends with a Resume
	Drift              // somebody else changed the traffic; ends when it is restored, with HoldAndAsk by a Resume
	NoReturn           // the rollout fails behind a point of no return; ends when it no longer does, or with an Abort
	OtherVersion       // somebody changed the pods of stable or of the canary; ends when that is undone
	Unreachable        // a part of the rollout returned an error; ends when it answers
	Promoting          // ends when stable runs the canary's version
	Restoring          // ends when stable runs its old version again
	CleaningUp         // ends when header routes and prerequisites are removed
)

// Causes of a Retreat: stable has all traffic, and the step resumes later.
const (
	SteppedBack      Cause = iota + CleaningUp + 1 // by command; ends with a Resume
	NoPods                                         // the canary has no ready pod
	NoReadings                                     // the judge has no metrics to read
	NoCanaryReadings                               // the judge has no metrics of the canary, which must have had requests; ends with a Resume
	StableWorse                                    // stable fails more than before the rollout
	Undivided                                      // the requests have not been divided as planned for long; ends with a Resume
	NoDriver                                       // no process drives the rollout
)

// Causes to move.
const (
	MovedOn    Cause = iota + NoDriver + 1 // the next step or phase was entered
	TurnedBack                             // the rollout rolls back
	Over                                   // the rollout is over
)

var names = []string{
	"none", "settling", "verifying", "holding", "waiting for a verdict", "judge error",
	"waiting for gate", "waiting for capacity", "paused", "drift", "point of no return", "another version", "unreachable", "promoting stable",
	"restoring stable", "cleaning up", "stepped back", "no ready pod", "no readings", "no readings of the canary", "stable worse", "not divided as planned",
	"no driver", "moved on", "turned back", "over",
}

// String returns the cause in words.
func (c Cause) String() string { return enum.Name("Cause", names, c) }

// MarshalText implements [encoding.TextMarshaler].
func (c Cause) MarshalText() ([]byte, error) { return enum.Marshal("cause", names, c) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Cause) UnmarshalText(text []byte) error { return enum.Unmarshal("cause", names, text, c) }
