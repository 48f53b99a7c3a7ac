package canary

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/enum"
)

// AtStop is what Run does when its ctx ends during a rollout.
type AtStop uint8

// What Run does. Whatever it is, it has half a minute for it.
const (
	StopLeaves    AtStop = iota // the zero value: the traffic stays as it is; another Run goes on, or Sweep
	StopStepsBack               // stable gets all traffic at once; the next driver enters the step again
	StopRollsBack               // the rollout is aborted, and stable gets all traffic at once
)

var stopNames = [...]string{"leave", "step back", "roll back"}

// String returns what it does in words.
func (a AtStop) String() string { return enum.Name("AtStop", stopNames[:], a) }

// lastAct is how long Run may take when its ctx has ended.
const lastAct = 30 * time.Second

// stop ends a Run whose ctx has ended, as the Config says. Where stable may be between two
// versions only an Abort moves traffic. Behind a point of no return nothing does, nor when the
// canary has won and only something is left to clean up.
func (n *run) stop(ctx context.Context) error {
	r, ended := n.r, ctx
	if r.c.AtStop == StopLeaves || !r.last.exposed() || n.last.mustStay() || n.last.Phase == phase.CleaningUp {
		return stopped(ended, r.c.Plan, n.why, "is left as it is")
	}
	done := stopped(ended, r.c.Plan, n.why, "was stopped, and gave stable all traffic")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAct)
	defer cancel()
	act := r.stepBack
	if r.c.AtStop == StopRollsBack {
		act = n.rollBack
	}
	if err := act(ctx); err != nil {
		return fmt.Errorf("%w; it could not %v: %w", stopped(ended, r.c.Plan, n.why, "is left as it is"), r.c.AtStop, err)
	}
	return done
}

// stepBack gives stable all traffic until the next driver comes.
func (r *Runner) stepBack(ctx context.Context) error {
	for {
		reading, err := r.c.Router.Read(ctx)
		if err != nil {
			return err
		}
		if !reading.State.mayStepAside() || reading.State.Plan != r.c.Plan.Digest() {
			return fmt.Errorf("%w: the rollout is %v", ErrNotNow, reading.State.Phase)
		}
		if err = stepAside(ctx, r.c.Router, reading, r.last.stored(r.now()), "the driver was stopped"); !isConflict(err) {
			return err
		}
		if !pause(ctx, afterConflict, nil) {
			return context.Cause(ctx)
		}
	}
}

// rollBack aborts, and takes turns until no users are on the canary. Nobody will be there to
// watch stable grow, so it gets everything.
func (n *run) rollBack(ctx context.Context) error {
	if err := Send(ctx, n.r.c.Router, Command{Order: order.Abort, By: "driver", Why: "it was stopped"}); err != nil {
		return err
	}
	for n.r.last.exposed() {
		e, err := n.r.Turn(ctx)
		if err == nil {
			n.last, n.why = e.After, e
		}
		if n.last.Phase == phase.RollingBack && n.last.inParts() {
			return n.r.stepBack(ctx)
		}
		if !pause(ctx, max(e.Wait, afterConflict), nil) {
			return fmt.Errorf("users are still on the canary (%v): %w", e.Reason, context.Cause(ctx))
		}
	}
	return nil
}
