package canary

import (
	"time"

	"github.com/serin-go/serin/analysis"
)

// Question is something that Next must know before it can decide.
type Question uint8

// The questions. Each is asked only when its answer matters.
const (
	AskNothing  Question = iota
	AskShown             // does the mesh do State.Traffic? A Verifier knows
	AskReady             // is everything ready for Decision.Traffic? Workload and Scaffold know
	AskJudge             // what does the judge say of Decision.Request?
	AskGate              // is Decision.Gate open?
	AskPromoted          // make stable run the canary's version: has it?
	AskRestored          // make stable run its old version again: does it?
	AskRemoved           // take the scaffold down: is it gone?
	questions
)

var questionNames = [...]string{"nothing", "shown", "ready", "judge", "gate", "promoted", "restored", "removed"}

// String returns the question in a word.
func (q Question) String() string { return nameOf("Question", questionNames[:], q) }

// Observation is what Next needs to know of the world, and no more. Answers to
// questions that were not asked are left zero.
type Observation struct {
	// Now is the time of the look, without a monotonic reading.
	Now time.Time
	// Traffic is what the Router read.
	Traffic Traffic
	// Lost: the State given to Next is remembered, but the Router does not have
	// it any more.
	Lost bool
	// Scaffold: there is one, to be taken down in the end.
	Scaffold bool
	// Fence is the serial of a FencedError that came of asking; zero if none did.
	Fence int64
	// Answers holds the answer to each question, by Question; that to AskJudge
	// is in Judged.
	Answers [questions]Answer
	Judged  Judgement
}

// Judgement is what came of asking the judge.
type Judgement struct {
	Asked  bool
	Result analysis.Result
	Err    error // the judge could not tell; not evidence
}

// Decision is what is to be done now, and no more.
type Decision struct {
	// Ask, unless AskNothing, is what Next must know first. The State returned
	// with it is the one that was given.
	Ask Question
	// Write: write Traffic and the returned State, in one step.
	Write bool
	// Traffic is what to write, or, with AskReady, what to be ready for.
	Traffic Traffic
	// Request goes with AskJudge.
	Request analysis.Request
	// Gate goes with AskGate.
	Gate string
	// Reason says why this is the decision.
	Reason Reason
	// After is when to look again, at the latest; zero is at once.
	After time.Duration
	// Done: the rollout is over. Nothing is left to do.
	Done bool
	// Err: Next refuses to act on this State. It wraps ErrRefused.
	Err error
}
