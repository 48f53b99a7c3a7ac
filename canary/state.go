package canary

import "time"

// Phase is where a rollout is in its life. The zero value is a rollout that
// has not begun.
type Phase uint8

// The phases. Promoted, Withdrawn and RolledBack are final.
const (
	Idle            Phase = iota // not begun
	Preparing                    // stable has everything; the canary is being made ready
	Progressing                  // in one of the plan's steps
	Finishing                    // the canary gets everything, to stay
	PromotingStable              // the canary has everything; stable is brought to its version
	Returning                    // traffic goes back to stable
	RestoringStable              // the canary has everything; stable is brought back to its old version
	RollingBack                  // traffic goes back to stable, because of a failure
	Promoted                     // done: the new version serves
	Withdrawn                    // done: the canary was tried and taken out, as planned
	RolledBack                   // done: the old version serves
)

var phaseNames = [...]string{
	"Idle", "Preparing", "Progressing", "Finishing", "PromotingStable", "Returning",
	"RestoringStable", "RollingBack", "Promoted", "Withdrawn", "RolledBack",
}

// String returns the name of the phase as it stands in an encoded State.
func (p Phase) String() string { return nameOf("Phase", phaseNames[:], p) }

// Final reports whether the rollout is over.
func (p Phase) Final() bool { return p >= Promoted }

// MarshalText implements [encoding.TextMarshaler].
func (p Phase) MarshalText() ([]byte, error) { return marshalName("phase", phaseNames[:], p) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Phase) UnmarshalText(text []byte) error {
	return unmarshalName("phase", phaseNames[:], text, p)
}

// State is all that a rollout remembers. It is kept by the Router beside the
// traffic, and is a value: copies are independent, because nothing changes the
// Trace that it points to. The zero State is a rollout that has not begun.
//
// Times are those of the process that wrote them.
type State struct {
	// Plan is the digest of the plan that this State belongs to, and Name its
	// name.
	Plan string `json:"plan,omitzero"`
	Name string `json:"name,omitzero"`
	// Owner names the tool that drives the rollout.
	Owner string `json:"owner,omitzero"`

	Phase Phase `json:"phase,omitzero"`
	// Step is the index of the step being walked, or of the last one walked.
	Step int `json:"step,omitzero"`
	// Traffic is what was written together with this State.
	Traffic Traffic `json:"traffic,omitzero"`
	// Serial grows with every write, over all rollouts on the same object.
	Serial int64 `json:"serial,omitzero"`

	// Began is when the rollout began, Entered when the step or phase did. No
	// rollout begins at the same time as the one before it.
	Began   time.Time `json:"began,omitzero"`
	Entered time.Time `json:"entered,omitzero"`
	// Shifted is when Traffic was last written anew, and Verified when the mesh
	// was seen to do it; zero until then.
	Shifted  time.Time `json:"shifted,omitzero"`
	Verified time.Time `json:"verified,omitzero"`

	// Paused is when the rollout was paused; zero if it is not. PausedFor is how
	// long earlier pauses of this step lasted, in nanoseconds.
	Paused    time.Time     `json:"paused,omitzero"`
	PausedFor time.Duration `json:"pausedFor,omitzero"`
	// Approved is the gate that was opened by command.
	Approved string `json:"approved,omitzero"`
	// Skipped: the hold of this step was waived by command.
	Skipped bool `json:"skipped,omitzero"`
	// Hurried: promotion was ordered; no step, hold, gate or verdict is waited
	// for any more.
	Hurried bool `json:"hurried,omitzero"`

	// Drifts counts how often the traffic was changed by somebody else.
	Drifts int `json:"drifts,omitzero"`
	// Drifting: somebody else's change was seen and is left alone by policy.
	Drifting bool `json:"drifting,omitzero"`
	// Unsure: this State was put back from memory, and stable may be under
	// promotion already.
	Unsure bool `json:"unsure,omitzero"`
	// Clearing: the scaffold is being taken down, so the canary gets no traffic
	// any more in this rollout.
	Clearing bool `json:"clearing,omitzero"`
	// JudgeErrors counts the errors of the judge since its last result. It is
	// kept only under a plan that limits them.
	JudgeErrors int `json:"judgeErrors,omitzero"`

	// Blocks are the times whose counts are evidence for the judge, but for the
	// one of the step under way.
	Blocks Blocks `json:"blocks,omitempty"`

	// Command is an order not obeyed yet.
	Command Command `json:"command,omitzero"`
	// Reason says why the rollout is in this phase.
	Reason string `json:"reason,omitzero"`
	// Trace holds the last transitions, oldest first.
	Trace []Transition `json:"trace,omitempty"`
}

// Transition is one move of a rollout from a phase, or step, to another.
type Transition struct {
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason"`
}
