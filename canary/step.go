package canary

import (
	"slices"
	"time"
)

// Step is one stage of a Plan. A rollout leaves it when its traffic was seen,
// the hold is over, the judge is content, the gate is open and the canary is
// ready for the next step.
type Step struct {
	// Name is unique in the plan. The zero value becomes the traffic in words.
	Name string
	// Traffic is what the mesh does in this step.
	Traffic Traffic
	// Hold is how long the traffic is left as it is at least, counted from when
	// the mesh was seen to do it.
	Hold time.Duration
	// Deadline bounds the whole step, counted from the write that entered it
	// and without pauses. The deadline of the first step also bounds the wait before
	// that step, for pods and for gates: give an approval enough time. The zero value
	// is no bound.
	Deadline time.Duration
	// OnDeadline says what a missed Deadline means.
	OnDeadline OnDeadline
	// EnterGates and LeaveGates name what must be open before the step is entered
	// and before it is left, at most eight together. Config.Gates opens them, and
	// the command Approve those that are not there.
	EnterGates, LeaveGates []string
	// Judge says what the step needs of the judge.
	Judge Judge
}

// clone returns a copy that shares nothing.
func (s Step) clone() Step {
	s.EnterGates, s.LeaveGates = slices.Clone(s.EnterGates), slices.Clone(s.LeaveGates)
	return s
}

// OnDeadline says what happens when a step misses its deadline.
type OnDeadline uint8

// The ways to meet a missed deadline.
const (
	DeadlineRollBack OnDeadline = iota // the zero value
	DeadlineWait                       // stay, and say so
	DeadlinePromote                    // go on without a passing verdict; all else is still required
)

var onDeadlineNames = [...]string{"roll back", "wait", "promote"}

// String returns the name as it stands in an encoded plan.
func (a OnDeadline) String() string { return nameOf("OnDeadline", onDeadlineNames[:], a) }

// MarshalText implements [encoding.TextMarshaler].
func (a OnDeadline) MarshalText() ([]byte, error) {
	return marshalName("onDeadline", onDeadlineNames[:], a)
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (a *OnDeadline) UnmarshalText(text []byte) error {
	return unmarshalName("onDeadline", onDeadlineNames[:], text, a)
}

// Judge says what a step needs of the Analyzer. In every mode but Unjudged a
// failing verdict rolls back, at any time in the step.
type Judge uint8

// The modes.
const (
	MustPass    Judge = iota // the zero value: leave the step only on a pass
	MustNotFail              // an inconclusive verdict is enough when the hold is over, but the judge must not be blind
	Unjudged                 // the judge is not asked
)

var judgeNames = [...]string{"must pass", "must not fail", "unjudged"}

// String returns the name as it stands in an encoded plan.
func (j Judge) String() string { return nameOf("Judge", judgeNames[:], j) }

// MarshalText implements [encoding.TextMarshaler].
func (j Judge) MarshalText() ([]byte, error) { return marshalName("judge", judgeNames[:], j) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (j *Judge) UnmarshalText(text []byte) error {
	return unmarshalName("judge", judgeNames[:], text, j)
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
	if s.Deadline == 0 && s.OnDeadline != DeadlineRollBack {
		all.add("onDeadline", "deadline", "it is %q but there is no deadline", s.OnDeadline)
	}
	if t := s.Traffic; s.Judge == MustPass && t.Canary == 0 && t.Mirror == 0 && t.Cohorts == "" {
		all.add("", "", "the canary gets nothing that could be judged; give it traffic, or make the step %q", Unjudged)
	}
	all.checkKnown("onDeadline", s.OnDeadline)
	all.checkKnown("judge", s.Judge)
	return all
}
