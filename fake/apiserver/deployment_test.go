package apiserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestADeploymentIsRefusedForWhatMakesNoRollout(t *testing.T) {
	for _, tc := range []struct{ name, patch, field string }{
		{"negative replicas", `{"spec":{"replicas":-1}}`, "spec.replicas"},
		{"replicas with a point", `{"spec":{"replicas":1.0}}`, "patch"},
		{"negative seconds", `{"spec":{"minReadySeconds":-1}}`, "spec.minReadySeconds"},
		{"a deadline before anything is ready", `{"spec":{"minReadySeconds":600}}`, "spec.progressDeadlineSeconds"},
		{"another selector", `{"spec":{"selector":{"matchLabels":{"tier":"web"}},"template":{"metadata":{"labels":{"tier":"web"}}}}}`, "spec.selector"},
		{"no selector", `{"spec":{"selector":null}}`, "spec.selector"},
		{"a selector of nothing", `{"spec":{"selector":{"matchLabels":null}}}`, "spec.selector"},
		{"a selector that is none", `{"spec":{"selector":{"matchExpressions":[{"key":"a","operator":"Like"}]}}}`, "spec.selector.matchExpressions[0].operator"},
		{"labels that are not selected", `{"spec":{"template":{"metadata":{"labels":{"app":"other"}}}}}`, "spec.template.metadata.labels"},
		{"labels that are none", `{"spec":{"template":{"metadata":{"labels":{"a":"not a label"}}}}}`, "spec.template.metadata.labels"},
		{"annotations that are none", `{"spec":{"template":{"metadata":{"annotations":{"not a name":""}}}}}`, "spec.template.metadata.annotations"},
		{"no containers", `{"spec":{"template":{"spec":{"containers":null}}}}`, "spec.template.spec.containers"},
		{"a container without an image", container(`{"name":"a"}`), "spec.template.spec.containers[0].image"},
		{"a container without a name", container(`{"image":"a"}`), "spec.template.spec.containers[0].name"},
		{"containers of the same name", container(`{"name":"a","image":"a"},{"name":"a","image":"b"}`), "spec.template.spec.containers[1].name"},
		{"a variable without a name", container(`{"name":"a","image":"a","env":[{"value":"b"}]}`), "spec.template.spec.containers[0].env[0].name"},
		{"a port that is none", container(`{"name":"a","image":"a","ports":[{"containerPort":70000}]}`), "spec.template.spec.containers[0].ports[0].containerPort"},
		{"pods that end", `{"spec":{"template":{"spec":{"restartPolicy":"Never"}}}}`, "spec.template.spec.restartPolicy"},
		{"a strategy that is none", `{"spec":{"strategy":{"type":"Hope"}}}`, "spec.strategy"},
		{"two strategies", `{"spec":{"strategy":{"type":"Recreate"}}}`, "spec.strategy.rollingUpdate"},
		{"a rolling update that cannot move", `{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}}}}`, "spec.strategy.rollingUpdate.maxUnavailable"},
		{"more than all unavailable", `{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":"101%"}}}}`, "spec.strategy.rollingUpdate.maxUnavailable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := kubeClient(t, newServer(t, deployment)).AppsV1().Deployments("bookinfo")
			_, err := c.Patch(ctx, "reviews-v1", types.MergePatchType, []byte(tc.patch), metav1.PatchOptions{})
			require.True(t, apierrors.IsInvalid(err), "%v", err)
			require.Equal(t, tc.field, err.(apierrors.APIStatus).Status().Details.Causes[0].Field, "%v", err)
		})
	}
}

func container(json string) string {
	return `{"spec":{"template":{"spec":{"containers":[` + json + `]}}}}`
}

func TestADeploymentGetsTheDefaultsThatTheRealServerFillsIn(t *testing.T) {
	s := newServer(t, deployment)
	c := kubeClient(t, s).AppsV1().Deployments("bookinfo")
	d, err := c.Patch(ctx, "reviews-v1", types.MergePatchType, []byte(container(
		`{"name":"a","image":"registry:5000/a","env":[{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}],"ports":[{"containerPort":80}],"readinessProbe":{"httpGet":{"port":80}},"livenessProbe":{"grpc":{"port":80}}},
		{"name":"b","image":"b@sha256:0123"},{"name":"c","image":"c:latest"}],
		"volumes":[{"name":"c","configMap":{"name":"c"}},{"name":"s","secret":{"secretName":"s"}}`)), metav1.PatchOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, *d.Spec.Replicas)
	require.EqualValues(t, 10, *d.Spec.RevisionHistoryLimit)
	require.EqualValues(t, 600, *d.Spec.ProgressDeadlineSeconds)
	require.Equal(t, "25%", d.Spec.Strategy.RollingUpdate.MaxSurge.String())
	require.Equal(t, corev1.RestartPolicyAlways, d.Spec.Template.Spec.RestartPolicy)
	containers := d.Spec.Template.Spec.Containers
	require.EqualValues(t, 0o644, *d.Spec.Template.Spec.Volumes[0].ConfigMap.DefaultMode)
	require.EqualValues(t, 0o644, *d.Spec.Template.Spec.Volumes[1].Secret.DefaultMode)
	require.Equal(t, "v1", containers[0].Env[0].ValueFrom.FieldRef.APIVersion)
	require.Equal(t, corev1.ProtocolTCP, containers[0].Ports[0].Protocol)
	require.EqualValues(t, 10, containers[0].ReadinessProbe.PeriodSeconds)
	require.Equal(t, "/", containers[0].ReadinessProbe.HTTPGet.Path)
	require.Equal(t, "", *containers[0].LivenessProbe.GRPC.Service)
	require.Equal(t, corev1.PullAlways, containers[0].ImagePullPolicy)
	require.Equal(t, corev1.PullIfNotPresent, containers[1].ImagePullPolicy)
	require.Equal(t, corev1.PullAlways, containers[2].ImagePullPolicy)

	again, err := c.Patch(ctx, "reviews-v1", types.MergePatchType, []byte(`{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Equal(t, appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}, again.Spec.Strategy)
}

func TestTheStatusSubresourceOfADeploymentTakesAnnotationsButNoLabels(t *testing.T) {
	c := kubeClient(t, newServer(t, deployment)).AppsV1().Deployments("bookinfo")
	d, err := c.Patch(ctx, "reviews-v1", types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"a":"b"},"labels":{"c":"d"}},"spec":{"replicas":7},"status":{"replicas":1}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "b"}, d.Annotations)
	require.Empty(t, d.Labels)
	require.EqualValues(t, 1, *d.Spec.Replicas)
	require.EqualValues(t, 1, d.Status.Replicas)
	require.EqualValues(t, 1, d.Generation)
}
