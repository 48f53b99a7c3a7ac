package canary

import (
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// State is all that a rollout remembers. The Router keeps it beside the traffic. A State
// is a value: nothing changes the contents of its slices. The zero State is a rollout
// that has not begun.
//
// Times are those of the clock of the driver that began the rollout. Other drivers correct
// theirs, as far as they know how their clocks differ. Besides the documented groups a State
// holds the engine's clocks, orders and evidence, which are encoded with the rest.
// [Plan.Status] explains a State, and [Plan.CheckState] checks it.
type State struct {
	// Serial grows with every write, across all rollouts of the object.
	Serial int64 `json:"serial,omitzero"`

	Rollout  `json:"rollout,omitzero"`  // which rollout this is
	Place    `json:"place,omitzero"`    // where it is
	clock    `json:"clock,omitzero"`    // since when
	orders   `json:"orders,omitzero"`   // what people asked for
	evidence `json:"evidence,omitzero"` // what the judge may count
	History  `json:"history,omitzero"`  // how it came here

	// Signature signs all other fields. It is empty: States are not signed yet.
	Signature string `json:"signature,omitzero"`
}

// Rollout identifies a rollout.
type Rollout struct {
	// Plan is the digest of the plan, and Name is its name. Revision is the version of
	// the software, as given to Plan.For.
	Plan     string `json:"plan,omitzero"`
	Name     string `json:"name,omitzero"`
	Revision string `json:"revision,omitzero"`
	// Owner names the tool that drives the rollout.
	Owner string `json:"owner,omitzero"`
	// End is how the plan ends. A driver with another plan needs it to roll back.
	End EndKind `json:"end,omitzero"`
	// Began is when the rollout began. No two rollouts of one object have the same Began.
	Began time.Time `json:"began,omitzero"`
	// Object is the UID of the object that keeps the State.
	Object string `json:"object,omitzero"`
	// Pin is what Workload.Pin returned when the rollout began.
	Pin Pin `json:"pin,omitzero"`
}

// Pin is what a Workload remembers of a rollout. Only the Workload understands it. Each
// field has at most 128 bytes.
type Pin struct {
	// Version identifies the pods of canary and stable.
	Version string `json:"version,omitzero"`
	// Capacity is that of stable when the rollout began, or the greatest since.
	Capacity string `json:"capacity,omitzero"`
	// Scaling is what the autoscaler gets back in the end.
	Scaling string `json:"scaling,omitzero"`
	// Restarts is how often the canary's pods had restarted before the first step.
	Restarts string `json:"restarts,omitzero"`
}

// Place is where a rollout is.
type Place struct {
	Phase phase.Phase `json:"phase,omitzero"`
	// Step is the index of the present step, or of the last one that was entered.
	Step int `json:"step,omitzero"`
	// Traffic is what was written together with this State.
	Traffic Traffic `json:"traffic,omitzero"`
	// Outcome is the final phase that the rollout leads to, once its steps are over or it
	// has turned back. It is zero before.
	Outcome phase.Phase `json:"outcome,omitzero"`
	// NoReturn: the rollout has come to a Step with NoReturn.
	NoReturn bool `json:"noReturn,omitzero"`
	// Giving is since when traffic returns to stable in parts, as its pods carry it. It is zero
	// while a share of a return in steps is held.
	Giving time.Time `json:"giving,omitzero"`
	// Retreat says why and since when stable has all traffic in the phase Retreating.
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
	// Swept: a Sweep has looked at the rollout.
	Swept bool `json:"swept,omitzero"`
	// Blind is since when readings are missing, and Failing since when what must
	// answer does not; zero if all do.
	Blind   time.Time `json:"blind,omitzero"`
	Failing time.Time `json:"failing,omitzero"`
	// Promotion is when the promotion of stable began, and Baked when the bake time
	// did.
	Promotion time.Time `json:"promotion,omitzero"`
	Baked     time.Time `json:"baked,omitzero"`
	// Drifted is since when the traffic of somebody else stands; zero if it does not.
	Drifted time.Time `json:"drifted,omitzero"`
	// Written is when a driver wrote the State, or zero if something else did.
	Written time.Time `json:"written,omitzero"`
	// Joined is what the clock of a driver showed that had just joined, and cannot know whether
	// its clock is ahead; zero if no such driver wrote.
	Joined time.Time `json:"joined,omitzero"`
	// Refuted: Joined is ahead of the clock of another driver.
	Refuted bool `json:"refuted,omitzero"`
}

// Orders are what people asked for.
type orders struct {
	// Command is an order not obeyed yet.
	Command Command `json:"command,omitzero"`
	// Approved are the gates that were opened by command in this step.
	Approved []string `json:"approved,omitempty"`
	// Skipped: the hold of this step, or of this share of a return in steps, was waived.
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
}

// History is how a rollout came to its place.
type History struct {
	// Reason says why the rollout is in its phase.
	Reason string `json:"reason,omitzero"`
	// Drifts counts the changes of traffic by somebody else.
	Drifts int `json:"drifts,omitzero"`
	// Drifting: the traffic of somebody else is left alone, by policy.
	Drifting bool `json:"drifting,omitzero"`
	// Recalled: a Runner restored this State from its memory. Stable may already be under
	// promotion.
	Recalled bool `json:"recalled,omitzero"`
	// Restart: when it is rolled back, the rollout begins again with the canary's new version.
	Restart bool `json:"restart,omitzero"`
	// Revisions are the earlier ones of this release, the last one at the end. A driver of
	// one of them does not supersede this rollout.
	Revisions []string `json:"revisions,omitempty"`
	// Trace has the last eight transitions, oldest first.
	Trace []Transition `json:"trace,omitempty"`
}

// Transition is the move of a rollout to a phase or a step.
type Transition struct {
	At     time.Time   `json:"at"`
	Phase  phase.Phase `json:"phase"`
	Step   int         `json:"step,omitzero"`
	Reason string      `json:"reason,omitzero"`
}
