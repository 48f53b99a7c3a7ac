package autoscalers

import (
	"fmt"
	"slices"
	"time"

	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// obstacle is why an autoscaler does not scale: a condition that is False.
type obstacle struct {
	condition       autoscaling.HorizontalPodAutoscalerConditionType
	reason, message string
}

// sync is one look at the target. An ambiguous target is still held within its bounds.
func (a *autoscaler) sync(now time.Time, t Target, why *obstacle) Order {
	o := Order{ID: a.id, Target: a.target()}
	if why != nil && why.condition == autoscaling.AbleToScale {
		a.fails(now, why)
		o.Status = *a.status.DeepCopy()
		return o
	}
	a.set(now, autoscaling.AbleToScale, core.ConditionTrue, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
	if len(a.recommendations) == 0 {
		a.recommendations = []moment{{now, t.Replicas}}
	}
	a.status.CurrentReplicas = int32(t.Replicas)
	desired, ok := a.desired(now, t, why)
	if ok {
		a.status.DesiredReplicas = int32(desired)
		o.Scale, o.Replicas = desired != t.Replicas, desired
	}
	if o.Scale {
		a.status.LastScaleTime = &meta.Time{Time: now}
		a.set(now, autoscaling.AbleToScale, core.ConditionTrue, "SucceededRescale",
			fmt.Sprintf("the HPA controller was able to update the target scale to %d", desired))
		a.changes = append(since(a.changes, now, longest), moment{now, desired - t.Replicas})
	}
	o.Status = *a.status.DeepCopy()
	return o
}

// desired returns how many replicas there should be; false if that cannot be told.
func (a *autoscaler) desired(now time.Time, t Target, why *obstacle) (int, bool) {
	a.status.CurrentMetrics = nil
	least, most := a.bounds()
	switch {
	case t.Replicas == 0:
		a.set(now, autoscaling.ScalingActive, core.ConditionFalse, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
		return 0, true
	case t.Replicas > most:
		return most, true
	case t.Replicas < least:
		return least, true
	}
	var proposed int
	if why == nil {
		proposed, why = a.propose(t)
	}
	if why != nil {
		a.fails(now, why)
		return 0, false
	}
	a.set(now, autoscaling.ScalingActive, core.ConditionTrue, "ValidMetricFound", "the HPA was able to successfully calculate a replica count")
	return a.normalize(now, t.Replicas, proposed), true
}

// bounds returns minReplicas and maxReplicas.
func (a *autoscaler) bounds() (least, most int) {
	least = 1
	if a.spec.MinReplicas != nil {
		least = int(*a.spec.MinReplicas)
	}
	return least, int(a.spec.MaxReplicas)
}

func (a *autoscaler) fails(now time.Time, why *obstacle) {
	a.set(now, why.condition, core.ConditionFalse, why.reason, why.message)
}

// set writes a condition of the status.
func (a *autoscaler) set(now time.Time, kind autoscaling.HorizontalPodAutoscalerConditionType, status core.ConditionStatus, reason, message string) {
	all := a.status.Conditions
	i := slices.IndexFunc(all, func(c autoscaling.HorizontalPodAutoscalerCondition) bool { return c.Type == kind })
	if i < 0 {
		i = len(all)
		all = append(all, autoscaling.HorizontalPodAutoscalerCondition{Type: kind})
	}
	if all[i].Status != status {
		all[i].LastTransitionTime = meta.NewTime(now)
	}
	all[i].Status, all[i].Reason, all[i].Message = status, reason, message
	a.status.Conditions = all
}
