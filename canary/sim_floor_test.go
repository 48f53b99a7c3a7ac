package canary

import (
	"context"
	"fmt"
)

// simPods is how many replicas carry all traffic.
const simPods = 10

// floor is the least number of replicas of the canary, as package workload has it: an object of
// its own, whose writes are guarded by its version and by a fence.
type floor struct {
	least, was, version int
	fence               Fence // of who raised it last; zero if nobody remembers
}

// carried is the share of the traffic that the least number of replicas carries.
func (f floor) carried() Weight { return Full / simPods * Weight(f.least) }

// raise makes the floor n, or only remembers what it was.
func (d *driver) raise(ctx context.Context, q Question, n int) error {
	w := d.w
	var read floor
	err := d.call(func() error {
		read = w.floor
		if read.fence.Rollout == q.Fence.Rollout {
			return q.Fence.After(read.fence)
		}
		return nil
	})
	if err != nil || read.fence.Rollout == q.Fence.Rollout && read.least >= n {
		return err
	}
	if err := d.current(ctx, q); err != nil {
		return err
	}
	return d.call(func() error {
		if w.floor.version != read.version {
			return ErrConflict
		}
		if w.state.Phase.Final() && !w.sim.meddled && !w.restored {
			w.broken("the canary is scaled when all is over")
		}
		if w.floor.fence == (Fence{}) {
			w.floor.was = w.floor.least
		}
		w.floor.fence, w.floor.least = q.Fence, max(w.floor.least, n)
		w.floor.version++
		return nil
	})
}

// Scales and Release make a driver a Scaler.
func (d *driver) Scales() bool { return d.w.sim.scales }

func (d *driver) Release(_ context.Context, q Question) (a Answer, err error) {
	w := d.w
	err = d.call(func() error {
		a.Reply = Yes
		f := &w.floor
		if f.fence.Rollout != q.Fence.Rollout {
			return nil
		}
		if err := q.Fence.After(f.fence); err != nil {
			return err
		}
		if d.seen == w.version && w.traffic != w.state.Traffic && !w.sim.meddled || w.traffic.Canary > 0 && w.traffic != everything && !w.sim.meddled {
			w.broken("what was scaled is given back under %v", w.traffic)
		}
		f.least, f.fence = f.was, Fence{}
		f.version++
		return nil
	})
	return a, err
}

// floorEnded holds that the owner has his bounds again when all is over.
func (w *world) floorEnded() error {
	if f := w.floor; w.state.Phase.Final() && !w.sim.meddled && !w.restored && (f.least != 1 || f.fence != Fence{}) {
		return fmt.Errorf("%v, and what was scaled is not given back: %+v", w.state.Phase, f)
	}
	return nil
}
