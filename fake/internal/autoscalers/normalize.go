package autoscalers

import (
	"math"
	"slices"
	"time"

	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
)

const (
	// stabilization is how long a higher recommendation counts, unless a behavior says
	// otherwise.
	stabilization = 5 * time.Minute
	// longest is the longest stabilization window that the API takes.
	longest = time.Hour
)

// since returns the moments of the time before now.
func since(all []moment, now time.Time, before time.Duration) []moment {
	return slices.DeleteFunc(slices.Clone(all), func(m moment) bool { return !m.at.After(now.Add(-before)) })
}

// normalize returns how many replicas there are to be where a metric proposes some: no
// fewer than were recommended a while ago, no more than may be added at once, and within
// the bounds.
func (a *autoscaler) normalize(now time.Time, current, proposed int) int {
	stable := a.stabilize(now, current, proposed)
	a.recommendations = append(since(a.recommendations, now, longest), moment{now, proposed})
	if reason := "ScaleDownStabilized"; stable != proposed {
		if proposed >= current {
			reason = "ScaleUpStabilized"
		}
		a.set(now, autoscaling.AbleToScale, core.ConditionTrue, reason, "recent recommendations count more than the current one")
	} else {
		a.set(now, autoscaling.AbleToScale, core.ConditionTrue, "ReadyForNewScale", "recommended size matches current size")
	}
	desired, reason := a.limit(now, current, stable)
	limited := core.ConditionFalse
	if desired != stable {
		limited = core.ConditionTrue
	}
	a.set(now, autoscaling.ScalingLimited, limited, reason, "")
	return desired
}

// stabilize applies the windows. Without a behavior the highest recent recommendation
// counts, even if it is more than there is now. With one, the replicas stay as they are
// between the lowest and the highest recommendation of their windows.
func (a *autoscaler) stabilize(now time.Time, current, proposed int) int {
	highest, lowest := proposed, proposed
	b := a.spec.Behavior
	if b == nil {
		for _, r := range since(a.recommendations, now, stabilization) {
			highest = max(highest, r.replicas)
		}
		return highest
	}
	for _, r := range since(a.recommendations, now, windowOf(b.ScaleDown, stabilization)) {
		highest = max(highest, r.replicas)
	}
	for _, r := range since(a.recommendations, now, windowOf(b.ScaleUp, 0)) {
		lowest = min(lowest, r.replicas)
	}
	return min(highest, max(lowest, current))
}

func windowOf(r *autoscaling.HPAScalingRules, otherwise time.Duration) time.Duration {
	if r == nil || r.StabilizationWindowSeconds == nil {
		return otherwise
	}
	return time.Duration(*r.StabilizationWindowSeconds) * time.Second
}

// limit holds replicas within the bounds, and within what may change at once: without a
// behavior at most twice as many as there are, or four.
func (a *autoscaler) limit(now time.Time, current, wanted int) (replicas int, reason string) {
	least, most := a.bounds()
	down, up := 0, max(2*current, 4)
	if b := a.spec.Behavior; b != nil {
		down = min(current, a.reach(now, b.ScaleDown, current, -1))
		up = max(current, a.reach(now, b.ScaleUp, current, 1))
	}
	switch {
	case wanted > min(most, up) && up < most:
		return up, "ScaleUpLimit"
	case wanted > most:
		return most, "TooManyReplicas"
	case wanted < max(least, down) && down > least:
		return down, "ScaleDownLimit"
	case wanted < least:
		return least, "TooFewReplicas"
	}
	return wanted, "DesiredWithinRange"
}

// reach returns how far policies let the replicas go up (direction 1) or down (-1). Each
// counts from the replicas at the beginning of its period. Rules that are missing do not
// limit.
func (a *autoscaler) reach(now time.Time, r *autoscaling.HPAScalingRules, current, direction int) int {
	if r == nil {
		return direction * math.MaxInt32
	}
	choice := autoscaling.MaxChangePolicySelect
	if r.SelectPolicy != nil {
		choice = *r.SelectPolicy
	}
	if choice == autoscaling.DisabledPolicySelect {
		return current
	}
	var all []int
	for _, p := range r.Policies {
		start := current
		for _, c := range since(a.changes, now, time.Duration(p.PeriodSeconds)*time.Second) {
			start -= c.replicas
		}
		switch {
		case p.Type == autoscaling.PodsScalingPolicy:
			all = append(all, start+direction*int(p.Value))
		case direction > 0:
			all = append(all, int(math.Ceil(float64(start)*(1+float64(p.Value)/100))))
		default:
			all = append(all, int(float64(start)*(1-float64(p.Value)/100)))
		}
	}
	switch {
	case len(all) == 0:
		return direction * math.MaxInt32
	case (choice == autoscaling.MinChangePolicySelect) == (direction > 0):
		return slices.Min(all)
	}
	return slices.Max(all)
}
