package workload_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake/apiserver"
)

var live = canary.Traffic{Canary: 5 * canary.Percent}

func TestReadyWantsTheWholeCanary(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*appsv1.Deployment)
		want   canary.Answer
	}{
		"whole":             {func(*appsv1.Deployment) {}, canary.Answer{Reply: canary.Yes, Reason: "canary reviews-v2: 3 of 3 replicas available"}},
		"not all available": {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }, canary.Waiting("canary reviews-v2: 1 of 3 replicas available")},
		"scaled to zero": {
			func(d *appsv1.Deployment) {
				*d.Spec.Replicas, d.Status.Replicas = 0, 0
				d.Status = finished(d.Generation+1, 0)
			},
			canary.Waiting("canary reviews-v2: scaled to zero; it needs a replica to take traffic"),
		},
		"failed": {
			func(d *appsv1.Deployment) {
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing,
					Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}}
			},
			canary.Failed("canary reviews-v2: exceeded its progress deadline"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c0 := newCluster(t)
			c0.change("reviews-v2", c.change)
			for _, traffic := range []canary.Traffic{live, {Mirror: canary.Full}, {Cohorts: "staff"}} {
				a, err := c0.workload(both).Ready(t.Context(), traffic)
				require.NoError(t, err)
				require.Equal(t, c.want, a)
			}
			require.Zero(t, c0.writes())
		})
	}
}

func TestReadyAsksNothingWhenTheCanaryGetsNothing(t *testing.T) {
	c := newCluster(t)
	c.server.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	a, err := c.workload(both).Ready(t.Context(), canary.Traffic{})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
}

func TestReadyWaitsForACanaryThatIsNotThereYet(t *testing.T) {
	c := newCluster(t)
	require.NoError(t, c.server.Delete(deployments, "bookinfo", "reviews-v2"))
	a, err := c.workload(both).Ready(t.Context(), live)
	require.NoError(t, err)
	require.Equal(t, canary.Waiting("canary reviews-v2: there is no such Deployment in bookinfo"), a)
}

func TestReadyWaitsForTheVersionOfThisRollout(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Images = map[string]string{"reviews": "reviews:v3"}
	w := c.workload(config)
	config.Images["reviews"] = "changed after New"
	a, err := w.Ready(t.Context(), live)
	require.NoError(t, err)
	require.Equal(t, canary.Waiting(`canary reviews-v2: container reviews has image "reviews:v2"; this rollout is for "reviews:v3"`), a)

	c.setImage("reviews-v2", "reviews:v3")
	c.finish("reviews-v2")
	a, err = w.Ready(t.Context(), live)
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
}

func TestReadyTellsWhichObjectCouldNotBeRead(t *testing.T) {
	c := newCluster(t)
	c.server.Hook(func(apiserver.Call) apiserver.Fault { return apiserver.ServerError() })
	_, err := c.workload(both).Ready(t.Context(), live)
	require.ErrorContains(t, err, "workload: Deployment bookinfo/reviews-v1: ")
	require.False(t, errors.Is(err, canary.ErrRefused), "a server's error passes")
}

func TestAStableDeploymentThatIsNotThereIsToldBeforeTheCanaryHasTraffic(t *testing.T) {
	c := newCluster(t)
	config := both
	config.Stable = "reviews-1"
	_, err := c.workload(config).Ready(t.Context(), live)
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, "workload: Deployment bookinfo/reviews-1: ")
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := workload.New(nil, workload.Config{Images: map[string]string{"": "x", "app": ""}})
	for _, mistake := range []string{
		"the client", "the namespace", "the stable Deployment", "the canary Deployment",
		`the container for image "x"`, `the image for container "app"`,
	} {
		require.ErrorContains(t, err, mistake)
	}
	_, err = workload.New(newCluster(t).client, workload.Config{Namespace: "a", Stable: "b", Canary: "b"})
	require.EqualError(t, err, `workload: stable and canary are both "b"`)
}
