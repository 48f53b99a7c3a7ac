package canary

import (
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/enum"
	"github.com/serin-go/serin/metrics"
)

// ask is something that next must know before it can decide.
type ask uint8

// The questions. Each is asked only when its answer matters.
const (
	askNothing   ask = iota
	askChecked       // can the plan be carried out? All parts know
	askPinned        // what is the rollout about? The Workload knows
	askShown         // does the mesh do State.Traffic? A Verifier knows
	askReady         // is everything ready for decision.Traffic? Workload and Prerequisite know
	askInspected     // how are the pods? The Workload knows
	askJudge         // what does the judge say of decision.Request?
	askGate          // is decision.Gate open?
	askPromoted      // make stable run the canary's version: has it?
	askRestored      // make stable run its old version again: does it?
	askRemoved       // take down what was put up, and give back what was scaled: is it gone?
	questions
)

var questionNames = [...]string{"nothing", "checked", "pinned", "shown", "ready", "inspected", "judge", "gate", "promoted", "restored", "removed"}

// String returns the ask in a word.
func (q ask) String() string { return enum.Name("ask", questionNames[:], q) }

// observation is what next needs to know of the world, and no more. Answers to
// questions that were not asked are left zero.
type observation struct {
	// Now is the time of the look, without a monotonic reading.
	Now time.Time
	// Off is how far Now is ahead of the times in the Router's State. The times of the State
	// given to next are moved by it already.
	Off time.Duration
	// Wary: the time since the last write is to be doubted soon.
	Wary bool
	// Doubt is how much of the time until Now may be the difference of two clocks. No wait ends
	// because of it. Refute: the claim in State.Joined is wrong. Rebase: write the times of this
	// process's clock.
	Doubt          time.Duration
	Refute, Rebase bool
	// Traffic is what the Router read.
	Traffic Traffic
	// Object, Abort and Hosts are the Reading's.
	Object, Abort string
	Hosts         metrics.Hosts
	// Trouble is the Reading's, in words.
	Trouble string
	// Refused is why what was decided before could not be written in this turn.
	Refused      string
	RefusedSince time.Time
	// Loss is what became of the State given to next, if it is remembered and the
	// Router does not have it.
	Loss loss
	// Age is since when it is remembered.
	Age time.Duration
	// Had: this driver has had its rollout, so it begins none in the place of
	// another one.
	Had bool
	// Workload and Prerequisite: there is one, to be asked for its Pin when the
	// rollout begins, and to be taken down in the end.
	Workload, Prerequisite bool
	// Scaler: the Workload gives something back in the end.
	Scaler bool
	// Verifier: there is one, to be asked whether the mesh routes as written.
	Verifier bool
	// Look is how long a look of the judge is; zero if it does not say.
	Look time.Duration
	// Gates are those that open by themselves, and Opened the answers to askGate.
	Gates  map[string]Gate
	Opened map[string]Answer
	// Pin goes with the answer to askPinned, and Inspection with that to askInspected.
	Pin        Pin
	Inspection Inspection
	// Fence is the serial of a FencedError that came of asking; zero if none did.
	Fence int64
	// Answers holds the answer to each ask, by ask; that to askJudge
	// is in Judged.
	Answers [questions]Answer
	// Erred marks the questions whose Answer stands for an error.
	Erred  [questions]bool
	Judged judgement
}

// Judgement is what came of asking the judge.
type judgement struct {
	Asked  bool
	Unread time.Time // since when it lacks readings, as far as this process knows
	Anew   bool      // before that the requests were not divided as planned
	Result analysis.Result
	Err    error // the judge returned; not evidence
}

// unseenPods says that the Workload was asked about the pods and returned an error; "" if not.
func (o *observation) unseenPods() string {
	if !o.Erred[askInspected] {
		return ""
	}
	return "the pods cannot be looked at: " + o.Answers[askInspected].Reason
}

// decision is what is to be done now, and no more.
type decision struct {
	// Ask, unless askNothing, is what next must know first. The State returned
	// with it is the one that was given.
	Ask ask
	// Write: write Traffic and the returned State, in one step.
	Write bool
	// Traffic is what to write, or, with askReady, what to be ready for.
	Traffic Traffic
	// Pin goes with askReady: it may not be in the State yet.
	Pin Pin
	// Request goes with askJudge.
	Request analysis.Request
	// Gate goes with askGate.
	Gate string
	// Reason says why this is the decision.
	Reason Reason
	// After is when to look again, at the latest; zero is at once.
	After time.Duration
	// Done: the rollout is over. Nothing is left to do.
	Done bool
	// Err: next refuses to act on this State. It wraps ErrRefused.
	Err error
}
