package canary

import (
	"slices"
	"time"

	"github.com/serin-go/serin/internal/enum"
)

// Step is one stage of a Plan. The rollout leaves a step when its traffic was seen, the
// hold is over, the judge has given the required verdict, its gates are open, and the
// canary is ready for the next step.
type Step struct {
	// Name is unique in the plan. The zero value becomes the traffic in words.
	Name string
	// Traffic is what the mesh does in this step.
	Traffic Traffic
	// Hold is the least time that the traffic stays, counted from when it was seen in the
	// mesh.
	Hold time.Duration
	// Deadline bounds the whole step, counted from the write that enters it, without
	// pauses. The deadline of the first step also bounds the wait before that step, for
	// pods and for gates, so leave enough time for an approval. The zero value is no
	// bound.
	Deadline time.Duration
	// OnDeadline is what happens at the Deadline.
	OnDeadline OnDeadline
	// EnterGates and LeaveGates are the names of the gates that must be open before the
	// step is entered and before it is left, at most eight together. A gate opens by its
	// function in Config.Gates, or by an order.Approve if it has none.
	EnterGates, LeaveGates []string
	// Requires says which verdict the step must have before it is left.
	Requires Requirement
	// NoReturn marks a point of no return, such as a migration after which the old version
	// cannot serve. From this step on nothing takes traffic from the canary but an order:
	// a failure holds the rollout with cause.NoReturn, and people have to act. Sweep, a newer
	// revision and a driver that stops (Config.AtStop) leave it alone as well. A promotion of
	// stable goes on. What somebody edits is answered by the drift policy.
	NoReturn bool
}

// clone returns a copy that shares nothing.
func (s Step) clone() Step {
	s.EnterGates, s.LeaveGates = slices.Clone(s.EnterGates), slices.Clone(s.LeaveGates)
	return s
}

// OnDeadline is what happens when a step misses its Deadline. While stable has all traffic
// in a Retreat, and while the rollout is paused, the deadline stands still.
type OnDeadline uint8

// The answers to a missed deadline.
const (
	// DeadlineAdvance, the zero value, goes on without a Pass if the verdict is
	// Inconclusive. In the last step, or if the judge is in doubt, the rollout is paused
	// instead. If anything but a Pass is lacking, it rolls back: no evidence is not good
	// evidence.
	DeadlineAdvance  OnDeadline = iota
	DeadlineRollBack            // roll back
	DeadlinePause               // pause; after a Resume the step has its Deadline again
)

var onDeadlineNames = [...]string{"advance", "roll back", "pause"}

// String returns the name as it stands in an encoded plan.
func (a OnDeadline) String() string { return enum.Name("OnDeadline", onDeadlineNames[:], a) }

// MarshalText implements [encoding.TextMarshaler].
func (a OnDeadline) MarshalText() ([]byte, error) {
	return enum.Marshal("onDeadline", onDeadlineNames[:], a)
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *OnDeadline) UnmarshalText(text []byte) error {
	return enum.Unmarshal("onDeadline", onDeadlineNames[:], text, a)
}

// Requirement is the verdict that a step must have before it is left. Whatever a step
// requires but Nothing, a verdict of Fail rolls back at any time in the step.
type Requirement uint8

// The requirements.
const (
	// Pass, the zero value: analysis.Pass.
	Pass Requirement = iota
	// NoFailure: analysis.Pass, or analysis.Inconclusive when the hold is over.
	// analysis.Blind waits.
	NoFailure
	// Nothing: the judge is not asked.
	Nothing
)

var requirementNames = [...]string{"pass", "no failure", "nothing"}

// String returns the name as it stands in an encoded plan.
func (r Requirement) String() string { return enum.Name("Requirement", requirementNames[:], r) }

// MarshalText implements [encoding.TextMarshaler].
func (r Requirement) MarshalText() ([]byte, error) {
	return enum.Marshal("requirement", requirementNames[:], r)
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Requirement) UnmarshalText(text []byte) error {
	return enum.Unmarshal("requirement", requirementNames[:], text, r)
}

// problems returns what is wrong with s by itself.
func (s Step) problems() mistakes {
	all := s.Traffic.problems()
	all.checkName("name", s.Name)
	all.checkGates("enterGates", s.EnterGates)
	all.checkGates("leaveGates", s.LeaveGates)
	if n := len(s.EnterGates) + len(s.LeaveGates); n > maxGates {
		all.add("leaveGates", "enterGates", "%d gates, at most %d are allowed", n, maxGates)
	}
	all.checkTime("hold", s.Hold)
	all.checkTime("deadline", s.Deadline)
	if s.Deadline > 0 && s.Deadline <= s.Hold {
		all.add("deadline", "hold", "%v is over before the hold of %v; make it longer", s.Deadline, s.Hold)
	}
	if s.Deadline == 0 && s.OnDeadline != DeadlineAdvance {
		all.add("onDeadline", "deadline", "it is %q but there is no deadline", s.OnDeadline)
	}
	if t := s.Traffic; s.Requires == Pass && t.Canary == 0 && t.Mirror == 0 && t.Cohorts == "" {
		all.add("", "", "the canary gets nothing that could be judged; give it traffic, or let the step require %q", Nothing)
	}
	if t := s.Traffic; s.Requires == Pass && t.Canary == 0 && t.Mirror != 0 && t.Cohorts == "" {
		all.add("requires", "mirror", "copies show no more than that the canary does not fail; require %q", NoFailure)
	}
	if t := s.Traffic; s.NoReturn && !t.users() {
		all.add("noReturn", "", "users are not on the canary in this step; mark the first step that may not be taken back")
	}
	all.checkKnown("onDeadline", s.OnDeadline)
	all.checkKnown("requires", s.Requires)
	return all
}
