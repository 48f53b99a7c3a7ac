package apiserver_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/api/networking/v1alpha3"
	istiov1 "istio.io/client-go/pkg/apis/networking/v1"
	typedistio "istio.io/client-go/pkg/clientset/versioned/typed/networking/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/apiserver"
)

var ctx = context.Background()

func virtualService(t testing.TB, s *apiserver.Server) (typedistio.VirtualServiceInterface, *istiov1.VirtualService) {
	t.Helper()
	c := istioClient(t, s).NetworkingV1().VirtualServices("bookinfo")
	vs, err := c.Get(ctx, "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	return c, vs
}

// guarded is a JSON patch that holds for one version only.
func guarded(version, operations string) []byte {
	return fmt.Appendf(nil, `[{"op":"replace","path":"/metadata/resourceVersion","value":%q},%s]`, version, operations)
}

const tenPercent = `{"op":"replace","path":"/spec/http/0/route/0/weight","value":90},
	{"op":"add","path":"/spec/http/0/route/1/weight","value":10}`

func TestAJSONPatchWithTheVersionReadIsDoneOnceAndThenIsAConflict(t *testing.T) {
	s := newServer(t, reviews)
	c, read := virtualService(t, s)

	written, err := c.Patch(ctx, "reviews", types.JSONPatchType, guarded(read.ResourceVersion, tenPercent), metav1.PatchOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, written.Generation)
	require.EqualValues(t, 10, written.Spec.Http[0].Route[1].Weight)
	raw, _ := s.Get(virtualServices, "bookinfo", "reviews")
	require.Contains(t, string(raw), `"newerThanAnyType":{"keep":"me"}`)

	_, err = c.Patch(ctx, "reviews", types.JSONPatchType, guarded(read.ResourceVersion, tenPercent), metav1.PatchOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	_, err = c.Patch(ctx, "reviews", types.JSONPatchType, guarded("nonsense", tenPercent), metav1.PatchOptions{})
	require.ErrorContains(t, err, "metadata.resourceVersion: Invalid value")
	require.EqualValues(t, 500, err.(apierrors.APIStatus).Status().Code)
}

func TestAMapOfAnnotationsThatIsEmptiedIsGone(t *testing.T) {
	c, _ := virtualService(t, newServer(t, reviews))
	patch := func(operation string) error {
		_, err := c.Patch(ctx, "reviews", types.JSONPatchType, fmt.Appendf(nil, "[%s]", operation), metav1.PatchOptions{})
		return err
	}
	require.NoError(t, patch(`{"op":"add","path":"/metadata/annotations","value":{"a":"b"}}`))
	require.NoError(t, patch(`{"op":"remove","path":"/metadata/annotations/a"}`))
	require.True(t, apierrors.IsInvalid(patch(`{"op":"add","path":"/metadata/annotations/c","value":"d"}`)), "the map has to be added first")
}

func TestAPatchThatEmptiesTheVersionIsRefused(t *testing.T) {
	c, _ := virtualService(t, newServer(t, reviews))
	_, err := c.Patch(ctx, "reviews", types.JSONPatchType, guarded("", tenPercent), metav1.PatchOptions{})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.ErrorContains(t, err, "must be specified for an update")
}

func TestAPatchThatChangesNothingKeepsVersionAndGeneration(t *testing.T) {
	s := newServer(t, reviews)
	changes := 0
	s.OnChange(func(apiserver.Change) { changes++ })
	c, read := virtualService(t, s)

	same, err := c.Patch(ctx, "reviews", types.JSONPatchType,
		guarded(read.ResourceVersion, `{"op":"replace","path":"/spec/http/0/route/0/weight","value":100}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Equal(t, read.ResourceVersion, same.ResourceVersion)
	require.EqualValues(t, 1, same.Generation)
	require.Zero(t, changes)
}

func TestAWeightSpelledWithADecimalPointIsAnotherVersionAndStoredAsAnInteger(t *testing.T) {
	s := newServer(t, reviews)
	c, read := virtualService(t, s)
	for _, dry := range [][]string{{metav1.DryRunAll}, nil} {
		written, err := c.Patch(ctx, "reviews", types.JSONPatchType,
			[]byte(`[{"op":"replace","path":"/spec/http/0/route/0/weight","value":100.0}]`), metav1.PatchOptions{DryRun: dry})
		require.NoError(t, err)
		require.Equal(t, read.Generation+1, written.Generation)
		require.Equal(t, dry != nil, written.ResourceVersion == read.ResourceVersion)
	}
	raw, _ := s.Get(virtualServices, "bookinfo", "reviews")
	require.Contains(t, string(raw), `"weight":100}`)
}

func TestPatchesThatCannotBeAppliedAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		kind  types.PatchType
		patch string
		is    func(error) bool
	}{
		{"a failing test", types.JSONPatchType, `[{"op":"test","path":"/spec/http/0/name","value":"x"}]`, apierrors.IsInvalid},
		{"a missing path", types.JSONPatchType, `[{"op":"replace","path":"/spec/http/7/name","value":"x"}]`, apierrors.IsInvalid},
		{"no annotations yet", types.JSONPatchType, `[{"op":"add","path":"/metadata/annotations/a","value":"x"}]`, apierrors.IsInvalid},
		{"no JSON patch", types.JSONPatchType, `{`, apierrors.IsBadRequest},
		{"no merge patch", types.MergePatchType, `[`, apierrors.IsBadRequest},
		{"a stale merge patch", types.MergePatchType, `{"metadata":{"resourceVersion":"1"}}`, apierrors.IsConflict},
		{"the uid of another", types.MergePatchType, `{"metadata":{"uid":"other"}}`, apierrors.IsInvalid},
		{"another name", types.MergePatchType, `{"metadata":{"name":"other"}}`, apierrors.IsBadRequest},
		{"another namespace", types.MergePatchType, `{"metadata":{"namespace":"other"}}`, apierrors.IsBadRequest},
		{"another kind", types.MergePatchType, `{"kind":"Gateway"}`, apierrors.IsInvalid},
		{"another version", types.MergePatchType, `{"apiVersion":"networking.istio.io/v1beta1"}`, apierrors.IsInvalid},
		{"no version", types.MergePatchType, `{"apiVersion":null}`, apierrors.IsInternalError},
		{"no kind", types.MergePatchType, `{"kind":null}`, apierrors.IsInvalid},
		{"no name", types.MergePatchType, `{"metadata":{"name":null}}`, apierrors.IsBadRequest},
		{"a finalizer that is none", types.MergePatchType, `{"metadata":{"finalizers":["a b"]}}`, apierrors.IsInvalid},
		{"metadata of text", types.MergePatchType, `{"metadata":"x"}`, apierrors.IsInvalid},
		{"an annotation of a number", types.MergePatchType, `{"metadata":{"annotations":{"a":1}}}`, apierrors.IsInvalid},
		{"a label with spaces", types.MergePatchType, `{"metadata":{"labels":{"a":"not a label"}}}`, apierrors.IsInvalid},
		{"another group", types.MergePatchType, `{"apiVersion":"apps/v1"}`, apierrors.IsInvalid},
		{"strategic for a custom resource", types.StrategicMergePatchType, `{}`, apierrors.IsUnsupportedMediaType},
		{"server-side apply", types.ApplyYAMLPatchType, `{}`, apierrors.IsUnsupportedMediaType},
		{"an unknown kind of patch", "application/unknown", `{}`, apierrors.IsUnsupportedMediaType},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, reviews)
			before, _ := s.Get(virtualServices, "bookinfo", "reviews")
			c, _ := virtualService(t, s)
			_, err := c.Patch(ctx, "reviews", tc.kind, []byte(tc.patch), metav1.PatchOptions{})
			require.True(t, tc.is(err), "%v", err)
			after, _ := s.Get(virtualServices, "bookinfo", "reviews")
			require.Equal(t, string(before), string(after))
		})
	}
}

func TestAMergePatchChangesWhatItNamesAndNullRemoves(t *testing.T) {
	s := newServer(t, reviews)
	c, _ := virtualService(t, s)
	vs, err := c.Patch(ctx, "reviews", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"app":null,"team":"a"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"team": "a"}, vs.Labels)
	require.EqualValues(t, 1, vs.Generation, "metadata is no new generation")
}

func TestAPutNeedsTheCurrentVersionOfACustomResource(t *testing.T) {
	s := newServer(t, reviews)
	c, vs := virtualService(t, s)
	stale := vs.DeepCopy()
	vs.Spec.Http[0].Timeout = nil
	updated, err := c.Update(ctx, vs, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, updated.Generation)
	raw, _ := s.Get(virtualServices, "bookinfo", "reviews")
	require.NotContains(t, string(raw), "newerThanAnyType", "a typed PUT loses what its type does not know")

	_, err = c.Update(ctx, stale, metav1.UpdateOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	stale.ResourceVersion = ""
	_, err = c.Update(ctx, stale, metav1.UpdateOptions{})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	require.ErrorContains(t, err, "must be specified for an update")
	stale.UID = "other"
	_, err = c.Update(ctx, stale, metav1.UpdateOptions{})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	require.ErrorContains(t, err, "UID in precondition: other")
	stale.Name = "nobody"
	_, err = c.Update(ctx, stale, metav1.UpdateOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

func TestCreateFillsTheMetadataAndRefusesASecondOne(t *testing.T) {
	s := newServer(t)
	c := istioClient(t, s).NetworkingV1().DestinationRules("bookinfo")
	rule := &istiov1.DestinationRule{
		ObjectMeta: metav1.ObjectMeta{Name: "reviews"},
		Spec:       networking.DestinationRule{Host: "reviews"},
	}
	made, err := c.Create(ctx, rule, metav1.CreateOptions{})
	require.NoError(t, err)
	require.NotEmpty(t, made.UID)
	require.False(t, made.CreationTimestamp.IsZero())
	require.EqualValues(t, 1, made.Generation)
	require.Equal(t, "bookinfo", made.Namespace)

	_, err = c.Create(ctx, rule, metav1.CreateOptions{})
	require.True(t, apierrors.IsAlreadyExists(err), "%v", err)
	_, err = c.Create(ctx, made, metav1.CreateOptions{})
	require.ErrorContains(t, err, "resourceVersion should not be set on objects to be created")

	rule.Name, rule.GenerateName = "", "gen-"
	generated, err := c.Create(ctx, rule, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Equal(t, "gen-00002", generated.Name)
	require.NotEqual(t, made.UID, generated.UID)
	for _, bad := range []string{"", "Not_A_Name"} {
		rule.Name, rule.GenerateName = bad, ""
		_, err = c.Create(ctx, rule, metav1.CreateOptions{})
		require.True(t, apierrors.IsInvalid(err), "%v", err)
	}
}

func TestADryRunAnswersAndStoresNothing(t *testing.T) {
	s := newServer(t, reviews)
	c, vs := virtualService(t, s)
	dry := []string{metav1.DryRunAll}
	answer, err := c.Patch(ctx, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion, tenPercent), metav1.PatchOptions{DryRun: dry})
	require.NoError(t, err)
	require.EqualValues(t, 10, answer.Spec.Http[0].Route[1].Weight)
	require.NoError(t, c.Delete(ctx, "reviews", metav1.DeleteOptions{DryRun: dry}))
	require.NoError(t, c.DeleteCollection(ctx, metav1.DeleteOptions{DryRun: dry}, metav1.ListOptions{}))
	_, err = c.Create(ctx, &istiov1.VirtualService{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{DryRun: dry})
	require.NoError(t, err)
	_, again := virtualService(t, s)
	require.Equal(t, vs, again)
	require.Len(t, s.List(virtualServices, ""), 1)
}

func TestDeleteHonoursItsPreconditions(t *testing.T) {
	s := newServer(t, reviews)
	c, vs := virtualService(t, s)
	other, uid := "1", types.UID("other")
	err := c.Delete(ctx, "reviews", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &other}})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	err = c.Delete(ctx, "reviews", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	require.True(t, apierrors.IsConflict(err), "%v", err)
	require.NoError(t, c.Delete(ctx, "reviews", metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &vs.UID, ResourceVersion: &vs.ResourceVersion}}))
	err = c.Delete(ctx, "reviews", metav1.DeleteOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
	_, err = c.Get(ctx, "reviews", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), "%v", err)
}

func TestTheStatusIsWrittenThroughItsSubresourceOnly(t *testing.T) {
	s := newServer(t, deployment)
	c := kubeClient(t, s).AppsV1().Deployments("bookinfo")
	d, err := c.Get(ctx, "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, *d.Spec.Replicas, "the default")

	d.Status.ReadyReplicas = 3
	d, err = c.Update(ctx, d, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Zero(t, d.Status.ReadyReplicas)

	d.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, ReadyReplicas: 1}
	*d.Spec.Replicas = 9
	d, err = c.UpdateStatus(ctx, d, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, d.Status.ReadyReplicas)
	require.EqualValues(t, 1, *d.Spec.Replicas)
	require.EqualValues(t, 1, d.Generation)

	d, err = c.Patch(ctx, "reviews-v1", types.StrategicMergePatchType, []byte(`{"spec":{"template":{"spec":{"containers":[
		{"name":"reviews","image":"reviews:2"}]}}},"status":{"readyReplicas":0}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"reviews:2", "proxy:1"}, []string{d.Spec.Template.Spec.Containers[0].Image, d.Spec.Template.Spec.Containers[1].Image})
	require.EqualValues(t, 2, d.Generation)
	require.EqualValues(t, 1, d.Status.ReadyReplicas)

	d, err = c.Patch(ctx, "reviews-v1", types.MergePatchType, []byte(`{"status":{"readyReplicas":2}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	require.EqualValues(t, 2, d.Status.ReadyReplicas)
}

func TestAReadAndWriteOfACoreObjectChangesNothing(t *testing.T) {
	s := newServer(t, deployment)
	c := kubeClient(t, s).AppsV1().Deployments("bookinfo")
	d, err := c.Get(ctx, "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	again, err := c.Update(ctx, d, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, d, again)

	d.ResourceVersion = "" // an unconditional update
	d.Annotations = map[string]string{"a": "b"}
	annotated, err := c.Update(ctx, d, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, annotated.Generation, "a Deployment counts its annotations too")
}

func TestACoreObjectOfTheWrongTypeIsRefused(t *testing.T) {
	s := newServer(t, deployment)
	kube := kubeClient(t, s)
	_, err := kube.AppsV1().Deployments("bookinfo").Patch(ctx, "reviews-v1", types.MergePatchType,
		[]byte(`{"spec":{"replicas":"three"}}`), metav1.PatchOptions{})
	require.True(t, apierrors.IsInvalid(err), "%v", err)
	_, err = kube.AppsV1().Deployments("bookinfo").Patch(ctx, "reviews-v1", types.StrategicMergePatchType,
		[]byte(`{"spec":`), metav1.PatchOptions{})
	require.True(t, apierrors.IsBadRequest(err), "%v", err)
	strict := metav1.PatchOptions{FieldValidation: "Strict"}
	_, err = kube.AppsV1().Deployments("bookinfo").Patch(ctx, "reviews-v1", types.MergePatchType,
		[]byte(`{"spec":{"nobodyKnows":1}}`), strict)
	require.ErrorContains(t, err, `unknown field "spec.nobodyKnows"`)
	_, err = kube.CoreV1().ConfigMaps("bookinfo").Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "plan"}, Data: map[string]string{"a": "b"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = kube.CoreV1().ConfigMaps("bookinfo").Patch(ctx, "plan", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{}, "status")
	require.True(t, apierrors.IsMethodNotSupported(err), "%v", err)
}

func TestOfManyWritersWithOneVersionExactlyOneWins(t *testing.T) {
	s := newServer(t, reviews)
	const writers, rounds = 8, 25
	var group sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	var told []string
	s.OnChange(func(c apiserver.Change) {
		var vs istiov1.VirtualService
		require.NoError(t, json.Unmarshal(c.Object, &vs))
		told = append(told, vs.ResourceVersion)
	})
	for range writers {
		group.Go(func() {
			c, _ := virtualService(t, s)
			for i := 0; i < rounds; {
				vs, err := c.Get(ctx, "reviews", metav1.GetOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				weight := vs.Spec.Http[0].Route[1].Weight + 1
				_, err = c.Patch(ctx, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion,
					fmt.Sprintf(`{"op":"add","path":"/spec/http/0/route/1/weight","value":%d}`, weight)), metav1.PatchOptions{})
				switch {
				case err == nil:
					i++
					mu.Lock()
					won[vs.ResourceVersion]++
					mu.Unlock()
				case !apierrors.IsConflict(err):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	require.Len(t, won, writers*rounds)
	require.Len(t, told, writers*rounds)
	require.True(t, slices.IsSortedFunc(told, func(a, b string) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) }), "%v", told)
	_, vs := virtualService(t, s)
	require.EqualValues(t, writers*rounds, vs.Spec.Http[0].Route[1].Weight)
	require.EqualValues(t, 1+writers*rounds, vs.Generation)
}
