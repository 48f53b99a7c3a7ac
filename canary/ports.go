package canary

import (
	"context"
	"fmt"
	"time"
)

// Fence says for which rollout, and by which of its decisions, something is done
// to the world beside the Router's object. Who is given one remembers the last
// that it acted on and refuses, by After, one that does not come after that, so
// that a driver that slept through the end of a rollout cannot act on an old
// decision.
type Fence struct {
	// Rollout identifies one rollout from its beginning to its final phase; a
	// retry is another one.
	Rollout string `json:"rollout"`
	// Serial is State.Serial: it grows with every write, over all rollouts on
	// the same object.
	Serial int64 `json:"serial"`
}

// Fence is what goes with the questions that the engine asks of a Workload or a
// Prerequisite in the State s.
func (s State) Fence() Fence {
	return Fence{s.Plan + "@" + s.Began.UTC().Format(time.RFC3339Nano), s.Serial}
}

// After reports whether f is newer than last, the Fence of the action before. It
// returns nil if the serial of f is greater, or if both are the same Fence, and a
// FencedError otherwise. Every Fence is newer than the zero Fence.
func (f Fence) After(last Fence) error {
	if f.Serial > last.Serial || f == last {
		return nil
	}
	return FencedError{last.Serial}
}

// Question is what a Workload or a Prerequisite is asked with.
type Question struct {
	// Fence says for which rollout and by which of its decisions it is asked.
	Fence Fence
	// Traffic is what the mesh is to do, or does.
	Traffic Traffic
	// Pin is what the Workload said when the rollout began; zero before that, and
	// in a rollout whose traffic was adopted.
	Pin Pin
	// Promotes: the rollout will promote stable, if it succeeds.
	Promotes bool
	// Current reads the Router's object, and returns an ErrConflict if anybody has
	// written there since it was decided to ask. Call it before you create something
	// that no later Cleanup removes: read the object that you change, call Current,
	// then write with the resourceVersion that you read. A stale driver then adds
	// nothing after the end of the rollout. Current is nil where that cannot be told.
	Current func(ctx context.Context) error
}

// Workload is the running software behind the traffic, stable and canary. All
// methods are idempotent, and safe to repeat from several processes.
type Workload interface {
	// Pin says what the rollout that begins is about, when that can be told
	// (Yes). What is said last before the first step is kept in the State and
	// handed back with every other question. A Workload may note it on its own
	// objects, on stable only if the rollout promotes it.
	Pin(ctx context.Context, q Question) (Pin, Answer, error)
	// Ready tells whether the canary can take q.Traffic. It is No if the versions
	// are not those of q.Pin any more.
	Ready(ctx context.Context, q Question) (Answer, error)
	// Promote brings stable to the canary's version, if that has not happened,
	// and tells whether its rollout is finished (Yes), under way (Wait) or
	// failed (No).
	Promote(ctx context.Context, q Question) (Answer, error)
	// Restore brings stable back to what it ran before this rollout's Promote,
	// whole, and tells whether that is finished. It is Yes if Promote never
	// happened.
	Restore(ctx context.Context, q Question) (Answer, error)
}

// Prerequisite is what traffic needs beside the Router's object: subsets,
// objects of other namespaces. It is put up before the traffic that needs it
// and taken down after it, idempotently.
type Prerequisite interface {
	// Ensure puts up what q.Traffic needs and answers Yes when that can be used.
	// What an earlier rollout left standing is this one's from then on.
	Ensure(ctx context.Context, q Question) (Answer, error)
	// Cleanup takes down what Ensure put up, and nothing else. It is called only
	// when no traffic needs it any more.
	Cleanup(ctx context.Context, q Question) (Answer, error)
}

// FencedError is the error of a Workload or Prerequisite that has acted on a greater
// serial than the one it was given, or on the same serial of another rollout. It is
// an ErrConflict. Usually the driver's view is stale, and it reads again. If the State
// was lost, the driver has to write one with a greater serial first.
type FencedError struct {
	Serial int64 // the greatest so far
}

func (e FencedError) Error() string {
	return fmt.Sprintf("serial %d was acted on already", e.Serial)
}

// Is makes errors.Is(e, ErrConflict) true.
func (FencedError) Is(target error) bool { return target == ErrConflict }
