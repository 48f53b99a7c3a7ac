package fake_test

import "time"

// What a rollout may cost where pods are scarce, by what the plan says: a share is only given to
// ready pods, in proportion to what stable had when the rollout began. A canary without a pod
// gives everything at once. On the way back stable gets what its ready pods carry, each a quarter
// more than then, and the rest as it grows, all within five minutes.

// allowShrunk: a rollout that scales has stable scaled up in its next turn, whoever scaled it
// down, if it has a driver. Another one does not touch it, and whoever scaled stable down has to scale it up. The
// share of the trouble is what the pods that are left do not carry.
func allowShrunk(x badExposure) time.Duration {
	if x.scaling && !x.undriven {
		return x.turn() + x.start + x.lacks
	}
	return x.lasts + x.turn() + x.start
}

// allowAutoscaled: an idle stable may be down to one pod unless the rollout scales it, on each way
// back.
//
// A share is given to pods by what stable had when the rollout began. So after the load has grown,
// each share that comes may be too much, as far as it has grown, until an autoscaler has
// followed. A rollout that knows the load gives no such share, and has pods started in its next
// turn, which autoscalers do within 15 s.
func allowAutoscaled(x badExposure) time.Duration {
	follow, all := badFollow+2*x.start, x.lacks
	if !x.scaling {
		all += time.Duration(x.ways) * x.ramp(follow)
	}
	short := time.Duration(x.left+x.ways) * follow
	if x.scaling && x.follows {
		short = x.turn() + 15*time.Second + x.start
	}
	return all + time.Duration(float64(short)*x.grows/(1+x.grows))
}

// badLacks is the share that one pod of stable does not carry.
const badLacks = 1 - 1.25/badPods

// ramp is what a way back to one pod costs, if others come so long after there is enough to do
// for them. What one pod does not carry comes evenly in five minutes, unless it is not a driver
// who gives it: then it comes at once.
func (x badExposure) ramp(follow time.Duration) time.Duration {
	all := follow - badGiving/2
	switch {
	case x.abrupt:
		all = follow
	case follow < badGiving:
		all = time.Duration(float64(follow) * float64(follow) / float64(badGiving) / 2)
	}
	return time.Duration(badLacks * float64(all))
}

// allowEvicted: a canary without a pod is noticed in the next turn. One with fewer pods than it
// needs holds, until others have started.
func allowEvicted(x badExposure) time.Duration {
	all := x.turn() + x.whole() + x.start
	if x.few {
		all += x.lacks
	}
	return all
}
