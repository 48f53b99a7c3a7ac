package canary

import (
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// State is all that a rollout remembers. It is kept by the Router beside the
// traffic, and is a value: nothing changes what its slices hold, so copies are
// independent. The zero State is a rollout that has not begun.
//
// Times are those of the process that wrote them. [Plan.CheckState] tells
// whether a State can be one of a plan's.
type State struct {
	// Serial grows with every write, over all rollouts on the same object.
	Serial int64 `json:"serial,omitzero"`

	Rollout  `json:"rollout,omitzero"`  // which rollout this is
	Place    `json:"place,omitzero"`    // where it is
	clock    `json:"clock,omitzero"`    // since when
	orders   `json:"orders,omitzero"`   // what people asked for
	evidence `json:"evidence,omitzero"` // what the judge may count
	History  `json:"history,omitzero"`  // how it came here

	// Signature is of all the rest, where States are signed.
	Signature string `json:"signature,omitzero"`
}

// Rollout tells one rollout from all others.
type Rollout struct {
	// Plan is the digest of the plan, Name its name and Revision that of the
	// software that is rolled out.
	Plan     string `json:"plan,omitzero"`
	Name     string `json:"name,omitzero"`
	Revision string `json:"revision,omitzero"`
	// Owner names the tool that drives the rollout.
	Owner string `json:"owner,omitzero"`
	// End is how the plan ends: whoever turns the rollout back without its plan
	// needs to know.
	End EndKind `json:"end,omitzero"`
	// Began is when the rollout began. No rollout begins at the same time as the
	// one before it.
	Began time.Time `json:"began,omitzero"`
	// Object is the UID of the object that keeps the State.
	Object string `json:"object,omitzero"`
	// Pin is what the Workload said of itself when the rollout began.
	Pin Pin `json:"pin,omitzero"`
}

// Pin is what a Workload remembers of a rollout. It means nothing to anybody
// else. Each part has at most 128 bytes.
type Pin struct {
	// Version is of the pods that the rollout is about, canary and stable.
	Version string `json:"version,omitzero"`
	// Capacity is what stable had when the rollout began, or grew to since.
	Capacity string `json:"capacity,omitzero"`
	// Scaling is what is to be given back to an autoscaler in the end.
	Scaling string `json:"scaling,omitzero"`
}

// Place is where a rollout is.
type Place struct {
	Phase phase.Phase `json:"phase,omitzero"`
	// Step is the index of the step being walked, or of the last one walked.
	Step int `json:"step,omitzero"`
	// Traffic is what was written together with this State.
	Traffic Traffic `json:"traffic,omitzero"`
	// Outcome is the final phase that a rollout leads to once it has turned back
	// or its steps are over; zero before.
	Outcome phase.Phase `json:"outcome,omitzero"`
	// Returned counts the writes by which traffic went back to stable so far,
	// where that takes several.
	Returned int `json:"returned,omitzero"`
	// Retreat says why the canary has no traffic for a while.
	Retreat retreat `json:"retreat,omitzero"`
}

// Retreat is a time in which stable has all traffic although the rollout is not
// given up.
type retreat struct {
	Cause cause.Cause `json:"cause,omitzero"`
	Since time.Time   `json:"since,omitzero"`
	// Gone is since when the cause is no more.
	Gone time.Time `json:"gone,omitzero"`
	// Resumed are the returns from a Retreat since a step was passed.
	Resumed []resumption `json:"resumed,omitempty"`
}

// Resumption is one return from a Retreat.
type resumption struct {
	Cause cause.Cause `json:"cause"`
	At    time.Time   `json:"at"`
}

// Clock says since when a rollout is where it is.
type clock struct {
	// Entered is when the step or phase was entered.
	Entered time.Time `json:"entered,omitzero"`
	// Shifted is when Traffic was last written anew, and Verified when the mesh
	// was seen to do it; zero until then.
	Shifted  time.Time `json:"shifted,omitzero"`
	Verified time.Time `json:"verified,omitzero"`
	// Paused is when the rollout was paused; zero if it is not. PausedFor is how
	// long earlier pauses of this step lasted, in nanoseconds.
	Paused    time.Time     `json:"paused,omitzero"`
	PausedFor time.Duration `json:"pausedFor,omitzero"`
	// LookBy is when somebody has to have looked again at the latest.
	LookBy time.Time `json:"lookBy,omitzero"`
	// Blind is since when readings are missing, and Failing since when what must
	// answer does not; zero if all do.
	Blind   time.Time `json:"blind,omitzero"`
	Failing time.Time `json:"failing,omitzero"`
	// Promotion is when the promotion of stable began, and Baked when the bake time
	// did.
	Promotion time.Time `json:"promotion,omitzero"`
	Baked     time.Time `json:"baked,omitzero"`
}

// Orders are what people asked for.
type orders struct {
	// Command is an order not obeyed yet.
	Command Command `json:"command,omitzero"`
	// Approved are the gates that were opened by command in this step.
	Approved []string `json:"approved,omitempty"`
	// Skipped: the hold of this step was waived.
	Skipped bool `json:"skipped,omitzero"`
	// PromoteNow: promotion was ordered; the engine waits for no step, hold, gate or
	// verdict any more.
	PromoteNow bool `json:"promoteNow,omitzero"`
}

// Evidence is what a judge may count.
type evidence struct {
	// Blocks are the finished times that the judge may count. The time of the step
	// under way is not among them. Dropped is the number of older looks that were
	// dropped to save space; a look is as long as the judge says, or the plan's
	// interval.
	Blocks  blocks `json:"blocks,omitempty"`
	Dropped int    `json:"dropped,omitzero"`
	// Carry is what the judge handed over when it was last asked before a write, to
	// be handed back, and Frozen the Carry of when promotion began. Each has at most
	// 512 bytes.
	Carry  []byte `json:"carry,omitempty"`
	Frozen []byte `json:"frozen,omitempty"`
	// JudgeErrors counts the errors of the judge since its last result. It is
	// kept only under a plan that limits them.
	JudgeErrors int `json:"judgeErrors,omitzero"`
}

// History is how a rollout came to be where it is.
type History struct {
	// Reason says why the rollout is in this phase.
	Reason string `json:"reason,omitzero"`
	// Drifts counts how often the traffic was changed by somebody else.
	Drifts int `json:"drifts,omitzero"`
	// Drifting: somebody else's change was seen and is left alone by policy.
	Drifting bool `json:"drifting,omitzero"`
	// Recalled: this State was put back from memory, and stable may be under
	// promotion already.
	Recalled bool `json:"recalled,omitzero"`
	// Revisions are those whose rollouts another one took the place of, oldest
	// first.
	Revisions []string `json:"revisions,omitempty"`
	// Trace holds the last eight transitions, oldest first.
	Trace []Transition `json:"trace,omitempty"`
}

// Transition is the move of a rollout to a phase, or to a step.
type Transition struct {
	At     time.Time   `json:"at"`
	Phase  phase.Phase `json:"phase"`
	Step   int         `json:"step,omitzero"`
	Reason string      `json:"reason,omitzero"`
}
