package workload

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-go/serin/canary"
)

// The reasons in the condition Progressing when the deadline is exceeded, and when the version
// has been rolled out completely. No package of API types defines them.
const (
	progressDeadlineExceeded = "ProgressDeadlineExceeded"
	newReplicaSetAvailable   = "NewReplicaSetAvailable"
)

// Status says whether the rollout of a Deployment is complete (Yes), in progress (Wait)
// or failed (No). It follows the rule of "kubectl rollout status": the rollout is
// complete if the controller has observed the present spec, the progress deadline is not
// exceeded, all replicas are updated, no old ones are left, and all updated ones are
// available. See "Deployment status" and "Complete Deployment" at
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status.
//
// A Deployment scaled to zero is complete. A paused one is complete if nothing was left
// to do when it was paused. d is not changed.
func Status(d *appsv1.Deployment) canary.Answer {
	s := &d.Status
	switch timeout := condition(d, appsv1.DeploymentProgressing); {
	case d.Generation > s.ObservedGeneration:
		return waiting(d, "its latest spec has not been observed yet")
	case timeout.Reason == progressDeadlineExceeded:
		return canary.No.Because("exceeded its progress deadline%s%s", because(timeout), failure(d))
	case s.UpdatedReplicas < replicas(d):
		return waiting(d, "%d of %d replicas updated", s.UpdatedReplicas, replicas(d))
	case s.Replicas > s.UpdatedReplicas:
		return waiting(d, "%d old replicas pending termination", s.Replicas-s.UpdatedReplicas)
	case s.AvailableReplicas < s.UpdatedReplicas:
		return waiting(d, "%d of %d replicas available", s.AvailableReplicas, s.UpdatedReplicas)
	}
	return canary.Answer{Reply: canary.Yes, Reason: fmt.Sprintf("%d of %d replicas available", s.AvailableReplicas, replicas(d))}
}

// mixed reports whether the Deployment may run pods of two versions.
func mixed(d *appsv1.Deployment) bool {
	s := &d.Status
	return d.Generation > s.ObservedGeneration || s.UpdatedReplicas < replicas(d) || s.Replicas > s.UpdatedReplicas
}

// serving is Status for a Deployment that takes traffic, and so needs at least one
// replica. The reason begins with the role and the name.
func serving(role string, d *appsv1.Deployment) canary.Answer {
	a := Status(d)
	if a.Reply == canary.Yes && d.Status.AvailableReplicas == 0 {
		a = canary.Wait.Because("scaled to zero; it needs a replica to take traffic")
	}
	a.Reason = fmt.Sprintf("%s %s: %s", role, d.Name, a.Reason)
	return a
}

// replicas returns the wanted number of replicas; the default is 1.
func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// waiting adds to the reason what may prevent the rollout from ever completing.
func waiting(d *appsv1.Deployment, format string, args ...any) canary.Answer {
	a := canary.Wait.Because(format, args...)
	if d.Spec.Paused {
		a.Reason += "; it is paused"
	}
	a.Reason += failure(d)
	return a
}

// failure says why the controller cannot create replicas; "" if it can.
func failure(d *appsv1.Deployment) string {
	c := condition(d, appsv1.DeploymentReplicaFailure)
	if c.Status != corev1.ConditionTrue {
		return ""
	}
	return "; replicas fail" + because(c)
}

func because(c appsv1.DeploymentCondition) string {
	if c.Message == "" {
		return ""
	}
	return ": " + c.Message
}

// condition returns the condition of the given type, or a zero one.
func condition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) appsv1.DeploymentCondition {
	for _, c := range d.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return appsv1.DeploymentCondition{}
}
