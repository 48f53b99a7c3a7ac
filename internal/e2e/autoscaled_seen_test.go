package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/internal/e2e/plane"
)

// given is a share that a driver wrote, and how many pods of the canary were ready just before.
type given struct {
	share canary.Weight
	pods  int
}

// wrote is what drivers have written.
type wrote struct {
	a *autoscaled

	mu      sync.Mutex
	given   []given
	patches map[string]int // that were obeyed, by kind and name
}

// wrap looks at the requests of a driver.
func (w *wrote) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPatch && r.Method != http.MethodPut {
			return next.RoundTrip(r)
		}
		pods, err := w.a.kube.CoreV1().Pods(w.a.namespace).List(r.Context(), metav1.ListOptions{LabelSelector: "version=v2"})
		if err != nil {
			return nil, err
		}
		ready := len(slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return !plane.Ready(&pod) }))
		answer, err := next.RoundTrip(r)
		if err != nil || answer.StatusCode != http.StatusOK {
			return answer, err
		}
		return answer, w.note(r, answer, ready)
	})
}

func (w *wrote) note(r *http.Request, answer *http.Response, ready int) error {
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	kind := path.Base(path.Dir(r.URL.Path))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.patches[kind+" "+path.Base(r.URL.Path)]++
	if kind != virtualServices.Resource {
		return nil
	}
	vs := &networking.VirtualService{}
	if err := json.Unmarshal(text, vs); err != nil {
		return err
	}
	w.given = append(w.given, given{shareIn(vs), ready})
	return nil
}

// shareIn is the canary's.
func shareIn(vs *networking.VirtualService) canary.Weight {
	routes := vs.Spec.Http[len(vs.Spec.Http)-1].Route
	for _, route := range routes {
		if route.Destination.Subset == "v2" {
			if len(routes) == 1 {
				return canary.Full
			}
			return canary.Weight(route.Weight) * canary.Percent
		}
	}
	return 0
}

// requireCapacity holds the pods of the canary against each share that it got, and
// returns the greatest of these.
func (w *wrote) requireCapacity(t *testing.T) (most canary.Weight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("given: %v; obeyed patches: %v", w.given, w.patches)
	for _, g := range w.given {
		require.GreaterOrEqual(t, int64(g.pods)*int64(canary.Full), int64(g.share)*allPods, w.given)
		most = max(most, g.share)
	}
	return most
}

// back returns the shares on the way from everything to nothing, each once.
func (w *wrote) back() (shares []canary.Weight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.given {
		if g.share == canary.Full || len(shares) > 0 && shares[len(shares)-1] != g.share {
			shares = append(shares, g.share)
		}
	}
	return slices.Compact(shares)
}

func (w *wrote) patchesOf(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.patches[what]
}

// bothPods are the numbers of pods of both versions.
type bothPods struct{ v1, v2 int }

// readyPods counts ready pods in every state that the API server tells of.
type readyPods struct {
	mu     sync.Mutex
	pods   map[types.UID]string // versions
	fewest bothPods
}

func (r *readyPods) watch(t *testing.T, kube kubernetes.Interface, namespace string) {
	r.pods = map[types.UID]string{}
	factory := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(namespace))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { r.note(o, true) },
		UpdateFunc: func(_, o any) { r.note(o, true) },
		DeleteFunc: func(o any) { r.note(o, false) },
	})
	require.NoError(t, err)
	factory.Start(t.Context().Done())
	t.Cleanup(factory.Shutdown)
}

func (r *readyPods) note(o any, there bool) {
	if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = gone.Obj
	}
	pod := o.(*corev1.Pod)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pods, pod.UID)
	if there && plane.Ready(pod) {
		r.pods[pod.UID] = pod.Labels["version"]
	}
	is := r.count()
	r.fewest = bothPods{min(r.fewest.v1, is.v1), min(r.fewest.v2, is.v2)}
}

func (r *readyPods) count() (n bothPods) {
	for _, version := range r.pods {
		switch version {
		case "v1":
			n.v1++
		case "v2":
			n.v2++
		}
	}
	return n
}

func (r *readyPods) now() bothPods {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count()
}

// begin forgets how few there were.
func (r *readyPods) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fewest = r.count()
}

func (r *readyPods) least() bothPods {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fewest
}
