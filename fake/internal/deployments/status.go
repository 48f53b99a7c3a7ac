package deployments

import (
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// status is what the controller writes.
func (d *deployment) status(now time.Time) apps.DeploymentStatus {
	c := d.crowd
	status := apps.DeploymentStatus{
		ObservedGeneration:  d.plan.generation,
		Replicas:            int32(c.total),
		UpdatedReplicas:     int32(c.updated),
		ReadyReplicas:       int32(c.ready),
		AvailableReplicas:   int32(c.available),
		UnavailableReplicas: int32(max(0, max(d.plan.replicas, c.total)-c.available)),
		Conditions:          []apps.DeploymentCondition{d.available(), d.progressing(now)},
	}
	if d.refused != "" {
		status.Conditions = append(status.Conditions, apps.DeploymentCondition{
			Type: apps.DeploymentReplicaFailure, Status: core.ConditionTrue, Reason: "FailedCreate", Message: d.refused,
		})
	}
	for i := range status.Conditions {
		status.Conditions[i].LastUpdateTime = meta.NewTime(d.progressed)
		status.Conditions[i].LastTransitionTime = meta.NewTime(d.progressed)
	}
	return status
}

func (d *deployment) available() apps.DeploymentCondition {
	if d.crowd.available >= d.plan.replicas-d.plan.unavailable {
		return apps.DeploymentCondition{Type: apps.DeploymentAvailable, Status: core.ConditionTrue,
			Reason: "MinimumReplicasAvailable", Message: "Deployment has minimum availability."}
	}
	return apps.DeploymentCondition{Type: apps.DeploymentAvailable, Status: core.ConditionFalse,
		Reason: "MinimumReplicasUnavailable", Message: "Deployment does not have minimum availability."}
}

func (d *deployment) progressing(now time.Time) apps.DeploymentCondition {
	c := apps.DeploymentCondition{Type: apps.DeploymentProgressing, Status: core.ConditionTrue}
	switch {
	case d.plan.complete(d.crowd):
		c.Reason, c.Message = "NewReplicaSetAvailable", "The new pods are available."
	case d.plan.paused:
		c.Status, c.Reason, c.Message = core.ConditionUnknown, "DeploymentPaused", "Deployment is paused"
	case d.rolledOut():
		c.Reason, c.Message = "NewReplicaSetAvailable", "The new pods were available, and pods are being added."
	case d.expired(now):
		c.Status, c.Reason = core.ConditionFalse, "ProgressDeadlineExceeded"
		c.Message = "No pod became ready within progressDeadlineSeconds."
	default:
		c.Reason, c.Message = "ReplicaSetUpdated", "Pods are being replaced."
	}
	return c
}
