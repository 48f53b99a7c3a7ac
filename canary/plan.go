package canary

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"time"

	"github.com/serin-go/serin/internal/enum"
)

// Plan is the plan of a rollout. It is immutable and safe for concurrent use. A Builder
// makes it, or decoding its JSON form. The zero Plan is no plan, and NewRunner refuses
// it.
type Plan struct {
	spec *spec // nil in the zero Plan; never changed
}

// spec is what a Builder collects.
type spec struct {
	name, revision, owner string
	steps                 []Step
	settle, lag           time.Duration
	interval              time.Duration
	bake                  time.Duration
	verify                bool
	headerRoutes          bool
	drift                 drift
	onChange              ChangePolicy
	blind, errors, pause  time.Duration // limits
	end                   End
	returns               returnSteps

	// What follows belongs to a plan. The rest then has its defaults; author is
	// what was written.
	author  *spec
	encoded []byte // of author
	digest  string
}

// drift says what happens when somebody else changes the traffic.
type drift struct {
	Policy DriftPolicy
	Limit  int
}

const defaultDriftLimit = 5

// DriftPolicy is an answer to traffic that somebody else changed.
type DriftPolicy uint8

// The policies. Each change counts against the DriftLimit.
const (
	Reassert        DriftPolicy = iota // the zero value: restore the step's traffic
	Adopt                              // go on with the traffic found
	HoldAndAsk                         // leave it until a Resume restores it or an Abort rolls back
	RollBackOnDrift                    // roll back
)

var driftNames = [...]string{"reassert", "adopt", "hold", "roll back"}

// String returns the name as it stands in an encoded plan.
func (p DriftPolicy) String() string { return enum.Name("DriftPolicy", driftNames[:], p) }

// MarshalText implements [encoding.TextMarshaler].
func (p DriftPolicy) MarshalText() ([]byte, error) { return enum.Marshal("drift", driftNames[:], p) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *DriftPolicy) UnmarshalText(text []byte) error {
	return enum.Unmarshal("drift", driftNames[:], text, p)
}

// End says what happens after the last step.
type End struct {
	Kind EndKind
	// Deadline bounds the promotion of stable. The zero value is no bound. Only for
	// PromoteStable.
	Deadline time.Duration
	// HoldOnFailure: if stable cannot be promoted, the canary keeps the traffic, and the
	// rollout waits for a person. By default the engine restores stable to its old
	// version and rolls back. Only for PromoteStable.
	HoldOnFailure bool
}

// EndKind is a way to end a rollout.
type EndKind uint8

// The ends.
const (
	// Stay, the zero value: the canary keeps all traffic. The last step must give the
	// canary all traffic. In the next rollout the two change their roles.
	Stay EndKind = iota
	// PromoteStable: while the canary has all traffic, the stable workload is updated to
	// the canary's version. Then the traffic returns to stable, but not before a judge that
	// is a Looker has had three looks since the last step: it finds an outage in that time.
	PromoteStable
	// Discard: the canary was only tried, and traffic returns to stable.
	Discard
)

var endNames = [...]string{"stay", "promote stable", "discard"}

// String returns the name as it stands in an encoded plan.
func (k EndKind) String() string { return enum.Name("EndKind", endNames[:], k) }

// MarshalText implements [encoding.TextMarshaler].
func (k EndKind) MarshalText() ([]byte, error) { return enum.Marshal("end", endNames[:], k) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *EndKind) UnmarshalText(text []byte) error {
	return enum.Unmarshal("end", endNames[:], text, k)
}

// Name returns the plan's name, followed by its revision if it has one.
func (p Plan) Name() string {
	switch {
	case p.spec == nil:
		return ""
	case p.spec.revision == "":
		return p.spec.name
	}
	return p.spec.name + " " + p.spec.revision
}

// Len returns the number of steps.
func (p Plan) Len() int {
	if p.spec == nil {
		return 0
	}
	return len(p.spec.steps)
}

// Steps yields the steps with their indexes, in order.
func (p Plan) Steps() iter.Seq2[int, Step] {
	return func(yield func(int, Step) bool) {
		for i := range p.Len() {
			if !yield(i, p.spec.steps[i].clone()) {
				return
			}
		}
	}
}

// End returns what happens after the last step.
func (p Plan) End() End {
	if p.spec == nil {
		return End{}
	}
	return p.spec.end
}

// Digest identifies the plan. Two plans have the same digest if and only if their authors
// wrote the same. Defaults are not part of it, so a rollout continues under a library
// with other defaults. State.Plan is the digest of the plan that a State belongs to.
func (p Plan) Digest() string {
	if p.spec == nil {
		return ""
	}
	return p.spec.digest
}

// For returns the plan for one revision of the software, such as an image tag. Each
// revision is a rollout of its own: a finished rollout does not keep the next revision
// from beginning. A revision supersedes an earlier one of the same plan name and owner: if
// the earlier one is still under way, it is rolled back first. If it has changed stable
// already, the new one waits for its end, for an hour at most. The State remembers the last
// eight revisions, so an old driver does not supersede a newer rollout.
func (p Plan) For(revision string) Plan {
	if p.spec == nil {
		return p
	}
	s := *p.spec.author
	if !isName(revision) {
		sum := sha256.Sum256([]byte(revision))
		revision = clip(revision, maxName-20) + " " + hex.EncodeToString(sum[:8])
	}
	s.revision = revision
	if revised, err := s.plan(); err == nil {
		return revised
	}
	return Plan{}
}
