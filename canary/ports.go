package canary

import (
	"context"
	"fmt"
	"time"
)

// Fence is a fencing token. A Workload stores the last Fence that it acted on, and
// rejects an older one by After. So a driver that was suspended during the end of a
// rollout cannot act on its old decision.
type Fence struct {
	// Rollout identifies the rollout, from its beginning to its final phase. A retry is
	// another rollout.
	Rollout string `json:"rollout"`
	// Serial is State.Serial. It grows with every write, across all rollouts of the
	// object.
	Serial int64 `json:"serial"`
}

// Fence returns the fencing token of the State s.
func (s State) Fence() Fence {
	return Fence{s.Plan + "@" + s.Began.UTC().Format(time.RFC3339Nano), s.Serial}
}

// After returns nil if f is newer than last or equal to it, and a FencedError otherwise.
// Newer means a greater Serial. Every Fence is newer than the zero Fence.
func (f Fence) After(last Fence) error {
	if f.Serial > last.Serial || f == last {
		return nil
	}
	return FencedError{last.Serial}
}

// Question is what the engine passes to a Workload or a Prerequisite.
type Question struct {
	// Fence is the fencing token of the decision to ask.
	Fence Fence
	// Began is when the rollout began, by the clock of the driver that began it.
	Began time.Time
	// Traffic is what the mesh is going to do, or does. Shifted is when the present traffic was
	// written, by the clock of this process.
	Traffic Traffic
	Shifted time.Time
	// Pin is what Workload.Pin returned when the rollout began. It is zero before.
	Pin Pin
	// Promotes says that the rollout will promote stable if it succeeds, and has not begun to.
	// Promoted says that it has, and that stable ran the new version.
	Promotes, Promoted bool
	// Current returns an ErrConflict if somebody has written the Router's object since
	// the decision to ask. Call it before you create something that no later Cleanup
	// removes: read the object to change, call Current, then write with the
	// resourceVersion read. So a stale driver adds nothing after the end of the rollout.
	// Current is nil if that cannot be told.
	Current func(ctx context.Context) error
}

// Workload is the running software, stable and canary. Its methods are idempotent and
// safe to call from several processes.
type Workload interface {
	// Pin returns the versions that the rollout is about, with Yes once they can be told.
	// The State keeps the last Pin before the first step, and every later Question
	// contains it. A Workload may record the rollout on its own objects, on stable only
	// if the rollout promotes stable.
	Pin(ctx context.Context, q Question) (Pin, Answer, error)
	// Ready says Yes if the canary can take q.Traffic, and No if the versions are not
	// those of q.Pin.
	Ready(ctx context.Context, q Question) (Answer, error)
	// Inspect looks at the pods. It is asked in every turn of a step, while traffic returns
	// to stable, while stable is promoted or restored, and in the bake time after a
	// promotion.
	Inspect(ctx context.Context, q Question) (Inspection, error)
	// Promote updates stable to the canary's version, unless that has happened. It says
	// Yes when all pods of stable run it, Wait while they are being replaced, and No if
	// that failed.
	Promote(ctx context.Context, q Question) (Answer, error)
	// Restore updates stable to the version it ran before Promote of this rollout. It
	// says Yes when all pods run that version, also if Promote was never called.
	Restore(ctx context.Context, q Question) (Answer, error)
}

// Scaler is an optional interface of a Workload that scales the versions to their traffic: in
// Ready before a share is given, and in Inspect as long as one is there.
type Scaler interface {
	// Scales reports whether the Workload is made to scale. If not, Release is not asked.
	Scales() bool
	// Release gives back what the Workload has scaled, when no traffic changes any more.
	// Question.Traffic tells whether the canary serves. It says Yes when nothing is left.
	Release(ctx context.Context, q Question) (Answer, error)
}

// Inspection is what a Workload sees of the pods. The zero value is that all is as it should
// be.
type Inspection struct {
	// Dead says why no pod of the canary can answer, although one of stable can. The engine
	// gives stable all traffic in the same turn, until Ready says Yes again.
	Dead string
	// StableDead says why no pod of stable can answer, and what helps. A step is not left
	// meanwhile, but by an order.Promote.
	StableDead string
	// CanaryChanged says that the canary is another version than that of Question.Pin. The
	// plan says what follows: Builder.OnChange.
	CanaryChanged string
	// StableChanged says that stable is another version than that of Question.Pin, or, if
	// the rollout has promoted it, than that. A step is not left meanwhile, and a promotion
	// that somebody undid is rolled back.
	StableChanged string
	// Capacity is the new Pin.Capacity, if it has grown since.
	Capacity string
	// Shortfall is the share of all traffic that stable's ready pods cannot carry, by what
	// they were when the rollout began (Question.Pin). On the way back the canary keeps it
	// until stable has more pods, and for five minutes at most. The zero value is none.
	Shortfall Weight
	// Failed says why the pods show that the canary is bad. It counts like a judge's Fail: the
	// rollout rolls back, and behind a point of no return it holds and calls people. It is not
	// looked at once stable was promoted, for then both run the same version.
	Failed string
	// Notice is something that people should know. It is added to the reason while it lasts,
	// and changes nothing else.
	Notice string
}

// Prerequisite is what the traffic needs beside the Router's object: subsets, or objects
// of other namespaces. Its methods are idempotent.
type Prerequisite interface {
	// Ensure creates what q.Traffic needs, and says Yes when it can be used. What an
	// earlier rollout left behind now belongs to this rollout.
	Ensure(ctx context.Context, q Question) (Answer, error)
	// Cleanup removes what Ensure created, and nothing else. The engine calls it when no
	// traffic needs the Prerequisite any more.
	Cleanup(ctx context.Context, q Question) (Answer, error)
}

// FencedError is the error of a Workload or Prerequisite that has acted on a greater
// serial than the given one, or on the same serial of another rollout. It is an
// ErrConflict. Usually the driver's reading is stale, and the driver reads again. If the
// State was lost, the driver first writes a State with a greater serial.
type FencedError struct {
	Serial int64 // the greatest so far
}

func (e FencedError) Error() string {
	return fmt.Sprintf("serial %d was acted on already", e.Serial)
}

// Is makes errors.Is(e, ErrConflict) true.
func (FencedError) Is(target error) bool { return target == ErrConflict }
