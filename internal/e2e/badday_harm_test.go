package e2e_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	admission "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/plane"
)

// follow adds a follower.
func (d *badDay) follow(t *testing.T) {
	d.followers = []string{"reviews-inside"}
	d.plane.Apply(t, d.namespace, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews-inside}
spec: {hosts: [reviews-inside], http: [{route: [{destination: {host: reviews, subset: v1}}]}]}
`)
}

func (d *badDay) deleteFollower(t *testing.T) {
	d.follow(t)
	ended, _ := d.reach40(t)
	mesh, _ := clients(t)
	require.NoError(t, mesh.NetworkingV1().VirtualServices(d.namespace).Delete(t.Context(), d.followers[0], metav1.DeleteOptions{}))
	d.said.await(t, d.followers[0])
	d.fail()
	d.back(t, 6*time.Second)
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
}

func (d *badDay) failFollower(t *testing.T) {
	d.follow(t)
	var fails atomic.Bool
	d.wrap = func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if fails.Load() && strings.HasSuffix(r.URL.Path, d.followers[0]) {
				answer := httptest.NewRecorder()
				answer.WriteHeader(http.StatusInternalServerError)
				return answer.Result(), nil
			}
			return next.RoundTrip(r)
		})
	}
	ended, _ := d.reach40(t)
	fails.Store(true)
	d.said.await(t, d.followers[0])
	d.fail()
	d.back(t, 6*time.Second)
	fails.Store(false)
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
}

// refuseWrites has an admission webhook of the user's own refuse VirtualServices.
func (d *badDay) refuseWrites(t *testing.T) {
	var refuses atomic.Bool
	var asked atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := &admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(review); err != nil {
			t.Error(err)
		}
		asked.Add(1)
		review.Response = &admissionv1.AdmissionResponse{
			UID: review.Request.UID, Allowed: !refuses.Load(), Result: &metav1.Status{Code: http.StatusForbidden, Message: "no changes on a Friday"},
		}
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	d.installWebhook(t, server)
	ended, _ := d.reach40(t)
	require.NotZero(t, asked.Load())
	refuses.Store(true)
	d.fail()
	d.said.await(t, "no changes on a Friday")
	const longest = 4 * time.Second // of the pauses between tries by then
	<-time.After(longest)
	refuses.Store(false)
	d.back(t, time.Since(d.failed)+longest+time.Second)
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
}

func (d *badDay) installWebhook(t *testing.T, server *httptest.Server) {
	_, kube := clients(t)
	configs := kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	fail, none := admission.Fail, admission.SideEffectClassNone
	_, err := configs.Create(t.Context(), &admission.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: d.namespace},
		Webhooks: []admission.ValidatingWebhook{{
			Name: "fridays.example.com",
			ClientConfig: admission.WebhookClientConfig{
				URL: &server.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admission.RuleWithOperations{{
				Operations: []admission.OperationType{admission.Update},
				Rule:       admission.Rule{APIGroups: []string{virtualServices.Group}, APIVersions: []string{"*"}, Resources: []string{virtualServices.Resource}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": d.namespace}},
			FailurePolicy:     &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := configs.Delete(context.WithoutCancel(t.Context()), d.namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// forbidPromotion takes the right to write Deployments away for a while.
func (d *badDay) forbidPromotion(t *testing.T) {
	ended, give := d.withoutPromotion(t)
	defer give()
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
	require.Zero(t, d.gateway.Failed())
	require.Equal(t, "reviews:1", d.image(t))
}

// withoutPromotion takes that right away before the promotion, and waits until Observers
// are told. It returns how to give it back.
func (d *badDay) withoutPromotion(t *testing.T) (ended <-chan ending, give func()) {
	plan := d.plan(t, time.Second)
	ended, _ = d.start(t, plan)
	d.seen.wait(t, share(40))
	all := d.needed(t, plan, watched)
	patches := slices.IndexFunc(all, func(right authorizationv1.ResourceAttributes) bool {
		return right.Verb == "patch" && right.Resource == deployments.Resource
	})
	leave(t, d.config, all, all[patches])
	d.said.await(t, `cannot patch resource "deployments"`)
	return ended, func() { leave(t, d.config, all) }
}

// beginNext has the driver of v2 die, and then that of v3 begins.
func (d *badDay) beginNext(t *testing.T) {
	ended, kill := d.reach40(t)
	kill()
	<-ended
	d.fail()
	_, kill = d.start(t, d.plan(t, time.Minute).For("v3"))
	d.said.await(t, "abort by revision v3: it supersedes v2")
	d.seen.wait(t, canary.Traffic{})
	kill() // or v3 begins
	d.back(t, 10*time.Second)
}

// loseIstiod has the write that turns back made, and no proxy hear of it.
func (d *badDay) loseIstiod(t *testing.T) {
	_, kube := clients(t)
	_, err := kube.CoreV1().Namespaces().Patch(t.Context(), d.namespace, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"serin-e2e/validated":null}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	d.withoutIstiod(t, away)
}

// loseIstiodAndItsWebhook has the API server refuse the write as well, as it does with
// Istio's own webhook. Pauses between tries double.
func (d *badDay) loseIstiodAndItsWebhook(t *testing.T) {
	d.withoutIstiod(t, 2*away)
	d.said.await(t, "failed calling webhook")
}

// away is how long istiod is.
const away = 8 * time.Second

// withoutIstiod has the canary fail while istiod is away, and users back so soon after that.
func (d *badDay) withoutIstiod(t *testing.T, within time.Duration) {
	ended, _ := d.reach40(t)
	crashed := make(chan error, 1)
	go func() { crashed <- d.plane.Crash(t.Context(), plane.Istiod, away) }()
	<-time.After(time.Second)
	d.fail()
	require.NoError(t, <-crashed)
	d.back(t, time.Since(d.failed)+within)
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
}
