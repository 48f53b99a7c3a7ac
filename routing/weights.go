package routing

import (
	"math"

	"github.com/serin-go/serin/canary"
)

// original is what a steered rule was before the rollout. It is stored in the object,
// where anybody can change it.
type original struct {
	Rule string `json:"rule"`
	// Stable is the key of the stable destination. A rollout that ended with its canary
	// leaves its original behind. It does not apply to the next rollout, which has
	// another stable destination.
	Stable string `json:"stable"`
	// Arms are the weights of stable, canary and baseline. -1 means no weight for stable,
	// and no destination for the others.
	Arms [armCount]int64 `json:"arms"`
	// Foreign are the weights of the other destinations, in their order.
	Foreign []int64 `json:"foreign,omitempty"`
	// Sum is the summed weights of the arms when the rule was last written. Foreign and
	// Sum grow by the same factor when weights are scaled.
	Sum int64 `json:"sum"`
}

// original returns the present rule as its original.
func (r *steered) original() original {
	o := original{Rule: r.key, Stable: r.places[stable].key}
	o.Arms, o.Sum = r.arms()
	for arm := canaryArm; arm < armCount; arm++ {
		if r.at[arm] < 0 {
			o.Arms[arm] = -1
		}
	}
	o.Foreign = r.foreignWeights()
	if o.Sum == 0 && len(o.Foreign) == 0 { // all weights are 0, so the numbers mean nothing
		o.Sum, o.Arms[stable] = defaultSum, defaultSum
		if len(r.Route) == 1 {
			o.Arms[stable] = -1
		}
	}
	return o
}

// defaultSum makes percentages of the first weights of a rule without weights.
const defaultSum = 100

func (r *steered) foreignWeights() []int64 {
	var weights []int64
	for j := range r.Route {
		if r.foreign(j) {
			weights = append(weights, r.weight(j))
		}
	}
	return weights
}

// total is the summed weights of the arms before the rollout.
func (o *original) total() int64 {
	if o.Arms[stable] < 0 {
		return defaultSum
	}
	return o.Arms[stable] + max(0, o.Arms[canaryArm]) + max(0, o.Arms[baseline])
}

// follow returns o adapted to the present rule. If somebody changed the other
// destinations during the rollout, their present weights become the original ones, and
// stable's original weight becomes the sum that was last written.
func (o original) follow(r *steered) original {
	now := r.foreignWeights()
	if o.matches(now, 1, 1) || o.matches(now, o.Sum, o.total()) {
		return o
	}
	o.Foreign = now
	o.Arms[stable] = o.Sum
	for arm := canaryArm; arm < armCount; arm++ {
		o.Arms[arm] = min(0, o.Arms[arm])
	}
	return o
}

// matches reports whether now is o.Foreign times n/d.
func (o *original) matches(now []int64, n, d int64) bool {
	if len(now) != len(o.Foreign) {
		return false
	}
	for i, w := range now {
		if w*d != o.Foreign[i]*n {
			return false
		}
	}
	return true
}

// Values of a division in place of a weight.
const (
	noWeight      = -1
	noDestination = -2
)

// division holds the new weights of a rule's destinations.
type division struct {
	arms    [armCount]int64 // a weight, noWeight or noDestination
	foreign []int64
	sum     int64 // summed weights of the arms
}

// restore returns the weights from before the rollout. If the canary or baseline had a
// weight then, stable gets it.
func (o *original) restore() division {
	d := division{arms: o.Arms, foreign: o.Foreign, sum: o.total()}
	for arm := canaryArm; arm < armCount; arm++ {
		switch w := o.Arms[arm]; {
		case w < 0:
			d.arms[arm] = noDestination
		case w > 0:
			d.arms[stable], d.arms[arm] = d.sum, 0
		}
	}
	return d
}

// divide returns the weights for t: with the original sum if it can be divided exactly,
// and otherwise the smallest exact integers. The other destinations keep their share
// exactly.
func (o *original) divide(t canary.Traffic) (division, error) {
	total := o.total()
	if total == 0 {
		return division{}, ErrNoShare
	}
	d := division{
		arms:    [armCount]int64{total * int64(t.Stable()), total * int64(t.Canary), total * int64(t.Baseline)},
		foreign: make([]int64, len(o.Foreign)),
	}
	const full = int64(canary.Full)
	unit := full
	if d.arms[canaryArm]%full != 0 || d.arms[baseline]%full != 0 {
		unit = gcd(gcd(d.arms[stable], d.arms[canaryArm]), d.arms[baseline])
		for _, w := range o.Foreign {
			unit = gcd(unit, w*full)
		}
	}
	all := int64(0)
	for i, w := range o.Foreign {
		d.foreign[i] = w * full / unit
		if all += d.foreign[i]; all > math.MaxInt32 {
			return division{}, ErrTooLarge
		}
	}
	for arm := range d.arms {
		d.arms[arm] /= unit
		d.sum += d.arms[arm]
	}
	if all+d.sum > math.MaxInt32 { // Istio adds the weights up in an int32
		return division{}, ErrTooLarge
	}
	return d, nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
