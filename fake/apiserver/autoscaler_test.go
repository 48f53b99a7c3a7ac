package apiserver_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/restmapper"
)

const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: reviews-v1, namespace: bookinfo}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: reviews-v1}, maxReplicas: 10}
`

func TestAnAutoscalerGetsTheDefaultsOfTheRealServer(t *testing.T) {
	c := kubeClient(t, newServer(t, autoscaler)).AutoscalingV2().HorizontalPodAutoscalers("bookinfo")
	h, err := c.Get(ctx, "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, *h.Spec.MinReplicas)
	require.Nil(t, h.Spec.Behavior, "without a behavior the controller's own rules count")
	require.Zero(t, h.Generation)
	require.Equal(t, corev1.ResourceCPU, h.Spec.Metrics[0].Resource.Name)
	require.EqualValues(t, 80, *h.Spec.Metrics[0].Resource.Target.AverageUtilization)

	h, err = c.Patch(ctx, "reviews-v1", types.StrategicMergePatchType, []byte(`{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":60}}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	up, down := h.Spec.Behavior.ScaleUp, h.Spec.Behavior.ScaleDown
	require.Zero(t, *up.StabilizationWindowSeconds)
	require.EqualValues(t, 60, *down.StabilizationWindowSeconds)
	require.Equal(t, autoscalingv2.MaxChangePolicySelect, *up.SelectPolicy)
	pods := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}
	percent := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}
	require.Equal(t, []autoscalingv2.HPAScalingPolicy{pods, percent}, up.Policies)
	require.Equal(t, []autoscalingv2.HPAScalingPolicy{percent}, down.Policies)

	h, err = c.Patch(ctx, "reviews-v1", types.MergePatchType, []byte(`{"spec":{"behavior":{"scaleDown":{"stabilizationWindowSeconds":null}}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Nil(t, h.Spec.Behavior.ScaleDown.StabilizationWindowSeconds, "this default is the controller's")
}

func TestAnAutoscalerIsRefusedForWhatCannotScale(t *testing.T) {
	for _, tc := range []struct{ name, patch, field string }{
		{"no maximum", `{"maxReplicas":null}`, "spec.maxReplicas"},
		{"a maximum of nothing", `{"maxReplicas":0}`, "spec.maxReplicas"},
		{"a negative maximum", `{"maxReplicas":-1}`, "spec.maxReplicas"},
		{"a maximum below the minimum", `{"minReplicas":11}`, "spec.maxReplicas"},
		{"a minimum of nothing", `{"minReplicas":0}`, "spec.minReplicas"},
		{"a target without a kind", `{"scaleTargetRef":{"kind":""}}`, "spec.scaleTargetRef.kind"},
		{"a target without a name", `{"scaleTargetRef":{"name":null}}`, "spec.scaleTargetRef.name"},
		{"a target that is a path", `{"scaleTargetRef":{"name":"a/b"}}`, "spec.scaleTargetRef.name"},
		{"a target without a group", `{"scaleTargetRef":{"apiVersion":"v1"}}`, "spec.scaleTargetRef.apiVersion"},
		{"a target of three parts", `{"scaleTargetRef":{"apiVersion":"a/b/c"}}`, "spec.scaleTargetRef.apiVersion"},
		{"a metric that is none", `{"metrics":[{"type":"Hope"}]}`, "spec.metrics[0].type"},
		{"a metric of no type", `{"metrics":[{}]}`, "spec.metrics[0].type"},
		{"a metric without a source", `{"metrics":[{"type":"Pods"}]}`, "spec.metrics[0].pods"},
		{"a metric with two sources", `{"metrics":[` + cpu + `,"pods":{}}]}`, "spec.metrics[0].pods"},
		{"a metric without a name", `{"metrics":[{"type":"Pods","pods":{"target":{"type":"AverageValue","averageValue":"1"}}}]}`, "spec.metrics[0].pods.metric.name"},
		{"pods without an average", `{"metrics":[{"type":"Pods","pods":{"metric":{"name":"a"},"target":{"type":"Value","value":"1"}}}]}`, "spec.metrics[0].pods.target.averageValue"},
		{"a negative average", `{"metrics":[{"type":"Pods","pods":{"metric":{"name":"a"},"target":{"type":"AverageValue","averageValue":"-1"}}}]}`, "spec.metrics[0].pods.target.averageValue"},
		{"a value of nothing", `{"metrics":[{"type":"External","external":{"metric":{"name":"a"},"target":{"type":"Value","value":"0"}}}]}`, "spec.metrics[0].external.target.value"},
		{"an object without a value", `{"metrics":[{"type":"Object","object":{"metric":{"name":"a"},"target":{"type":"Value"}}}]}`, "spec.metrics[0].object.target.averageValue"},
		{"a resource without a target", `{"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization"}}}]}`, "spec.metrics[0].resource.target.averageUtilization"},
		{"a resource with two targets", `{"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":1,"averageValue":"1"}}}]}`, "spec.metrics[0].resource.target.averageValue"},
		{"a use of nothing", `{"metrics":[{"type":"ContainerResource","containerResource":{"name":"cpu","container":"a","target":{"type":"Utilization","averageUtilization":0}}}]}`, "spec.metrics[0].containerResource.target.averageUtilization"},
		{"a target of no type", `{"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":1}}}]}`, "spec.metrics[0].resource.target.type"},
		{"a window of more than an hour", `{"behavior":{"scaleDown":{"stabilizationWindowSeconds":3601}}}`, "spec.behavior.scaleDown.stabilizationWindowSeconds"},
		{"a negative window", `{"behavior":{"scaleUp":{"stabilizationWindowSeconds":-1}}}`, "spec.behavior.scaleUp.stabilizationWindowSeconds"},
		{"a choice that is none", `{"behavior":{"scaleUp":{"selectPolicy":"Any"}}}`, "spec.behavior.scaleUp.selectPolicy"},
		{"no policy", `{"behavior":{"scaleUp":{"policies":[]}}}`, "spec.behavior.scaleUp.policies"},
		{"a policy that is none", `{"behavior":{"scaleUp":{"policies":[{"type":"Hope","value":1,"periodSeconds":1}]}}}`, "spec.behavior.scaleUp.policies[0].type"},
		{"a policy of nothing", `{"behavior":{"scaleUp":{"policies":[{"type":"Pods","value":0,"periodSeconds":1}]}}}`, "spec.behavior.scaleUp.policies[0].value"},
		{"a policy for half an hour and more", `{"behavior":{"scaleUp":{"policies":[{"type":"Pods","value":1,"periodSeconds":1801}]}}}`, "spec.behavior.scaleUp.policies[0].periodSeconds"},
		{"a negative tolerance", `{"behavior":{"scaleUp":{"tolerance":"-1"}}}`, "spec.behavior.scaleUp.tolerance"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := kubeClient(t, newServer(t, autoscaler)).AutoscalingV2().HorizontalPodAutoscalers("bookinfo")
			_, err := c.Patch(ctx, "reviews-v1", types.MergePatchType, []byte(`{"spec":`+tc.patch+`}`), metav1.PatchOptions{})
			require.True(t, apierrors.IsInvalid(err), "%v", err)
			causes := err.(apierrors.APIStatus).Status().Details.Causes
			require.True(t, slices.ContainsFunc(causes, func(c metav1.StatusCause) bool { return c.Field == tc.field }), "%v", err)
		})
	}
}

const cpu = `{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":1}}`

func TestAnAutoscalerWithAnOldTargetMayStillChange(t *testing.T) {
	s := newServer(t, autoscaler)
	require.NoError(t, s.Update("horizontalpodautoscalers.autoscaling", "bookinfo", "reviews-v1", func(o map[string]any) {
		delete(o["spec"].(map[string]any)["scaleTargetRef"].(map[string]any), "apiVersion")
	}))
	c := kubeClient(t, s).AutoscalingV2().HorizontalPodAutoscalers("bookinfo")
	_, err := c.Patch(ctx, "reviews-v1", types.MergePatchType, []byte(`{"spec":{"maxReplicas":20}}`), metav1.PatchOptions{})
	require.NoError(t, err, "an apiVersion is checked only where it changes")
}

func TestAutoscalersAreWrittenAndWatchedLikeOtherObjects(t *testing.T) {
	s := newServer(t)
	c := kubeClient(t, s).AutoscalingV2().HorizontalPodAutoscalers("bookinfo")
	seen, err := c.Watch(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	defer seen.Stop()
	h := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, MaxReplicas: 3,
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{DesiredReplicas: 7},
	}
	h, err = c.Create(ctx, h, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Zero(t, h.Status.DesiredReplicas, "the status is written through its subresource only")
	h.Status.DesiredReplicas = 2
	h, err = c.UpdateStatus(ctx, h, metav1.UpdateOptions{})
	require.NoError(t, err)
	h.Spec.MaxReplicas, h.Status.DesiredReplicas = 5, 9
	h, err = c.Update(ctx, h, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 5, h.Spec.MaxReplicas)
	require.EqualValues(t, 2, h.Status.DesiredReplicas)
	all, err := c.List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, all.Items, 1)
	require.NoError(t, c.Delete(ctx, "web", metav1.DeleteOptions{}))
	for _, want := range []watch.EventType{watch.Added, watch.Modified, watch.Modified, watch.Deleted} {
		require.Equal(t, want, (<-seen.ResultChan()).Type)
	}
}

func TestAnAutoscalerThatIsWrittenAsItIsDoesNotChange(t *testing.T) {
	s := newServer(t)
	c := kubeClient(t, s).AutoscalingV2().HorizontalPodAutoscalers("bookinfo")
	h, err := c.Create(ctx, &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, MaxReplicas: 3,
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	again, err := c.UpdateStatus(ctx, h, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, h.ResourceVersion, again.ResourceVersion)
}

func TestAQuotaKeepsTheStatusThatAClientWrites(t *testing.T) {
	s := newServer(t, "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: bookinfo}\nspec: {hard: {pods: '10'}}\n")
	c := kubeClient(t, s).CoreV1().ResourceQuotas("bookinfo")
	q, err := c.Get(ctx, "q", metav1.GetOptions{})
	require.NoError(t, err)
	q.Status.Hard = q.Spec.Hard
	q.Status.Used = corev1.ResourceList{corev1.ResourcePods: q.Spec.Hard[corev1.ResourcePods]}
	q, err = c.UpdateStatus(ctx, q, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 10, q.Status.Used.Pods().Value())
	_, err = c.Patch(ctx, "q", types.MergePatchType, []byte(`{"spec":{"hard":{"pods":"many"}}}`), metav1.PatchOptions{})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
}

func TestDiscoveryKnowsAutoscalersAndTheScaleOfDeployments(t *testing.T) {
	c := kubeClient(t, newServer(t)).Discovery()
	groups, err := restmapper.GetAPIGroupResources(c)
	require.NoError(t, err)
	found, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"})
	require.NoError(t, err)
	require.Equal(t, "v2", found.Resource.Version)
	apps, err := c.ServerResourcesForGroupVersion("apps/v1")
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(apps.APIResources, func(r metav1.APIResource) bool {
		return r.Name == "deployments/scale" && r.Group == "autoscaling" && r.Version == "v1" && r.Kind == "Scale"
	}))
}
