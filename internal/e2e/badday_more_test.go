package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/plane"
)

// forbidPromotionAndFail has the canary fail while it has everything and nobody may promote.
func (d *badDay) forbidPromotionAndFail(t *testing.T) {
	ended, give := d.withoutPromotion(t)
	defer give()
	d.fail()
	d.back(t, 10*time.Second)
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
	require.Equal(t, "reviews:1", d.image(t))
}

// losePodsInPromotion scales the canary to zero while the new pods of stable do not get ready.
func (d *badDay) losePodsInPromotion(t *testing.T) {
	ended, _ := d.start(t, d.plan(t, time.Second))
	d.seen.wait(t, share(100))
	d.plane.Serve(d.namespace, "reviews:2", func(plane.Pod) (func(), error) { return nil, plane.ErrUnready })
	d.said.await(t, "PromotingStable: promoting stable: stable reviews-v1")
	d.failed = time.Now()
	d.scaleToZero(t)
	d.back(t, 3*time.Second)
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
}

// hangPrometheus has it take requests and never answer, and then the canary fails.
func (d *badDay) hangPrometheus(t *testing.T) {
	hang := d.hanging(t)
	_, kill := d.reach40(t)
	hang.Store(true)
	d.fail()
	d.back(t, 10*time.Second) // the blind limit is 4 seconds
	d.said.await(t, "no readings")
	kill()
}

// hanging puts a proxy before Prometheus that takes requests and, once told so, never answers.
func (d *badDay) hanging(t *testing.T) *atomic.Bool {
	to, err := url.Parse(d.metrics)
	require.NoError(t, err)
	hangs, proxy := new(atomic.Bool), httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			<-t.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.metrics = server.URL
	return hangs
}

// putBack restores the VirtualService, annotations and all, from what it was at 20 %, and then
// the canary fails.
func (d *badDay) putBack(t *testing.T) {
	mesh, _ := clients(t)
	client := mesh.NetworkingV1().VirtualServices(d.namespace)
	ended, _ := d.start(t, d.plan(t, time.Minute))
	d.seen.wait(t, share(20))
	old, err := client.Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	d.seen.wait(t, share(40))
	d.replace(t, old)
	d.fail()
	d.back(t, 15*time.Second)
	require.Equal(t, phase.RolledBack, (<-ended).state.Phase)
}

// replace writes an object whatever there is now.
func (d *badDay) replace(t *testing.T, vs *networking.VirtualService) {
	mesh, _ := clients(t)
	client := mesh.NetworkingV1().VirtualServices(d.namespace)
	require.NoError(t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := client.Get(t.Context(), vs.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		vs.ResourceVersion = now.ResourceVersion
		_, err = client.Update(t.Context(), vs, metav1.UpdateOptions{})
		return err
	}))
}
