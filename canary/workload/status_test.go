package workload_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

func TestStatusFollowsKubectlRolloutStatus(t *testing.T) {
	timedOut := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse,
		Reason: "ProgressDeadlineExceeded", Message: "ReplicaSet x has timed out progressing."}
	quota := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota"}
	for name, c := range map[string]struct {
		change func(*appsv1.Deployment)
		want   canary.Answer
	}{
		"all updated and available": {
			func(*appsv1.Deployment) {},
			canary.Answer{Reply: canary.Yes, Reason: "3 of 3 replicas available"},
		},
		"the controller has not seen the latest spec": {
			func(d *appsv1.Deployment) { d.Generation = 8 },
			canary.Wait.Because("its latest spec has not been observed yet"),
		},
		"a deadline exceeded under an older spec does not count": {
			func(d *appsv1.Deployment) {
				d.Generation, d.Status.Conditions = 8, []appsv1.DeploymentCondition{timedOut}
			},
			canary.Wait.Because("its latest spec has not been observed yet"),
		},
		"the progress deadline is exceeded": {
			func(d *appsv1.Deployment) { d.Status.Conditions = []appsv1.DeploymentCondition{timedOut} },
			canary.No.Because("exceeded its progress deadline: ReplicaSet x has timed out progressing."),
		},
		"the deadline is exceeded because replicas cannot be made": {
			func(d *appsv1.Deployment) { d.Status.Conditions = []appsv1.DeploymentCondition{timedOut, quota} },
			canary.No.Because("exceeded its progress deadline: ReplicaSet x has timed out progressing.; replicas fail: exceeded quota"),
		},
		"some are not updated": {
			func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 },
			canary.Wait.Because("1 of 3 replicas updated"),
		},
		"some are not updated because it is paused": {
			func(d *appsv1.Deployment) { d.Status.UpdatedReplicas, d.Spec.Paused = 1, true },
			canary.Wait.Because("1 of 3 replicas updated; it is paused"),
		},
		"some cannot be made": {
			func(d *appsv1.Deployment) {
				d.Status.UpdatedReplicas, d.Status.Conditions = 1, []appsv1.DeploymentCondition{quota}
			},
			canary.Wait.Because("1 of 3 replicas updated; replicas fail: exceeded quota"),
		},
		"a failure without words, and one that is over": {
			func(d *appsv1.Deployment) {
				d.Status.UpdatedReplicas = 1
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue}}
			},
			canary.Wait.Because("1 of 3 replicas updated; replicas fail"),
		},
		"paused when nothing was left to do": {
			func(d *appsv1.Deployment) { d.Spec.Paused = true },
			canary.Answer{Reply: canary.Yes, Reason: "3 of 3 replicas available"},
		},
		"old ones are left": {
			func(d *appsv1.Deployment) { d.Status.Replicas = 5 },
			canary.Wait.Because("2 old replicas pending termination"),
		},
		"some are not available": {
			func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 },
			canary.Wait.Because("1 of 3 replicas available"),
		},
		"scaled to zero": {
			func(d *appsv1.Deployment) { *d.Spec.Replicas, d.Status = 0, finished(7, 0) },
			canary.Answer{Reply: canary.Yes, Reason: "0 of 0 replicas available"},
		},
		"being scaled to zero": {
			func(d *appsv1.Deployment) {
				*d.Spec.Replicas = 0
				d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 0, 0
			},
			canary.Wait.Because("3 old replicas pending termination"),
		},
		"no number of replicas is one": {
			func(d *appsv1.Deployment) { d.Spec.Replicas, d.Status = nil, finished(7, 0) },
			canary.Wait.Because("0 of 1 replicas updated"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			three := int32(3)
			d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &three}, Status: finished(7, 3)}
			d.Generation = 7
			c.change(d)
			before := d.DeepCopy()
			require.Equal(t, c.want, workload.Status(d))
			require.Equal(t, before, d)
		})
	}
}
