// Package phase has the phases of a rollout.
//
//	Idle -> Preparing -> Progressing (-> Retreating -> Progressing)
//	  stay:           -> CompletingShift -> Baking -> CleaningUp -> Promoted
//	  promote stable: -> CompletingShift -> PromotingStable -> Returning -> Baking -> CleaningUp -> Promoted
//	  discard:        -> Returning -> CleaningUp -> Discarded
//	any of these -> RollingBack -> CleaningUp -> RolledBack
//	PromotingStable, Returning, Baking of a promoted stable -> RestoringStable -> RollingBack
//
// A rollout skips a phase that has nothing to do: CompletingShift if the last step
// gave the canary all traffic, Baking without a bake time, CleaningUp without header
// routes and without a prerequisite to remove.
//
// To be paused, or to wait for a verdict, a gate or capacity, is not a phase. The
// causes of package cause tell why a rollout stays in its phase.
package phase

import "github.com/serin-go/serin/internal/enum"

// Phase is where a rollout is in its life. The zero value is Idle.
type Phase uint8

// The phases. Promoted, Discarded and RolledBack are final.
const (
	Idle            Phase = iota // not begun
	Preparing                    // stable has all traffic; waits for pods, prerequisites, header routes and gates
	Progressing                  // in one of the plan's steps
	Retreating                   // stable has all traffic for a while; the step resumes later
	CompletingShift              // the steps are done; the canary gets all traffic
	PromotingStable              // the canary has all traffic; stable is updated to its version
	Returning                    // the plan's steps are done; traffic returns to stable
	Baking                       // done, except that during the bake time an Abort still rolls back
	RestoringStable              // the canary has all traffic; stable is restored to its old version
	RollingBack                  // traffic returns to stable because of a failure or an Abort
	CleaningUp                   // header routes and prerequisites of the canary are removed
	Promoted                     // done: users have the new version
	Discarded                    // done: the canary was tried and removed, as planned
	RolledBack                   // done: users have the old version
)

var names = []string{
	"Idle", "Preparing", "Progressing", "Retreating", "CompletingShift", "PromotingStable", "Returning", "Baking",
	"RestoringStable", "RollingBack", "CleaningUp", "Promoted", "Discarded", "RolledBack",
}

// String returns the name of the phase, as encoded in a State.
func (p Phase) String() string { return enum.Name("Phase", names, p) }

// Final reports whether the rollout is over.
func (p Phase) Final() bool { return p == Promoted || p == Discarded || p == RolledBack }

// MarshalText implements [encoding.TextMarshaler].
func (p Phase) MarshalText() ([]byte, error) { return enum.Marshal("phase", names, p) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Phase) UnmarshalText(text []byte) error { return enum.Unmarshal("phase", names, text, p) }
