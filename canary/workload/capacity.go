package workload

import (
	"cmp"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-go/serin/canary"
)

// AtLeastOne is a Config.Capacity: one ready replica carries any share.
func AtLeastOne(canary.Weight, int) int { return 1 }

// proportional is the default Config.Capacity.
func proportional(share canary.Weight, stable int) int {
	parts := int64(share) * int64(stable)
	return int((parts + int64(canary.Full) - 1) / int64(canary.Full))
}

// reference is how many replicas stable had when the rollout began; 0 if that is not known.
func reference(pin canary.Pin) (int, error) {
	n, err := strconv.ParseInt(cmp.Or(pin.Capacity, "0"), 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: the pinned capacity is %q; want a number of replicas", canary.ErrBadState, pin.Capacity)
	}
	return int(n), nil
}

// carries says whether the canary has the replicas for the traffic.
func (c Config) carries(source *appsv1.Deployment, q canary.Question) (canary.Answer, error) {
	a := serving("canary", source)
	stable, err := reference(q.Pin)
	if err != nil || a.Reply != canary.Yes || stable == 0 {
		return a, err
	}
	capacity := c.Capacity
	if capacity == nil {
		capacity = proportional
	}
	if need := capacity(q.Traffic.Canary, stable); int(source.Status.AvailableReplicas) < need {
		return canary.Wait.Because("%s, and %v of the traffic needs %d, by the %d that stable %s had when the rollout began: scale the canary up, or set Config.Capacity",
			a.Reason, q.Traffic.Canary, need, stable, c.Stable), nil
	}
	return a, nil
}

// headroom is how much more a pod carries than what it had to when the rollout began: an
// autoscaler that follows the traffic leaves stable no shortfall.
const headroom = 1.25

// shortfall is the share of the traffic for which stable has no ready replicas.
func shortfall(ready int32, pin canary.Pin) (canary.Weight, error) {
	stable, err := reference(pin)
	if err != nil || stable == 0 {
		return 0, err
	}
	carried := headroom * float64(ready) / float64(stable)
	return canary.Weight(max(0, 1-carried) * float64(canary.Full)), nil
}
