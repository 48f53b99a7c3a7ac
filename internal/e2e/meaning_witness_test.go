package e2e_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/serin-go/serin/fake"
)

// witness knows what was seen of each request, by the id that its User-Agent tells.
// The same witness stands behind Envoy and behind the fake mesh.
type witness struct {
	mu   sync.Mutex
	seen map[string][]string
}

func newWitness() *witness { return &witness{seen: map[string][]string{}} }

func identify(question, n int) string { return fmt.Sprintf("question-%d-%d", question, n) }

func (w *witness) note(id, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[id] = append(w.seen[id], what)
}

// behaviours are those of the images that do more than answer.
var behaviours = map[string]fake.Behaviour{
	"one-v3":  {ErrorRate: 0.3, Status: http.StatusServiceUnavailable},
	"late-v1": {Median: 700 * time.Millisecond},
	"busy-v1": {ErrorRate: 1, Status: http.StatusConflict},
}

// hangingUp is the workload whose pods close the connection and do not answer.
const hangingUp = "cut-v1"

// silent is the workload whose pods listen on no port.
const silent = "deaf-v1"

// workloadHeader tells who has answered.
const workloadHeader = "X-Workload"

// pod is what runs in the pods of an image.
func (w *witness) pod(image string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what can be had of it
		w.note(r.UserAgent(), fmt.Sprintf("arrived at %s: %s %s%s %s %q", image, r.Method, r.Host, r.RequestURI, shown(r.Header), body))
		if image == hangingUp {
			panic(http.ErrAbortHandler)
		}
		rw.Header().Set(workloadHeader, image)
		b := behaviours[image]
		select {
		case <-time.After(b.Median):
		case <-r.Context().Done(): // nobody waits
		}
		if rand.Float64() < b.ErrorRate {
			rw.WriteHeader(b.Status)
		}
	})
}

// answered notes what a client was told.
func (w *witness) answered(id string, code int, h http.Header) {
	w.note(id, fmt.Sprintf("answered %d %s%s %s", code, h.Get(workloadHeader), h.Get("Location"), shown(h)))
}

// take returns what was seen of a request, and forgets it.
func (w *witness) take(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer delete(w.seen, id)
	if slices.Contains(w.seen[id], nowhere) {
		return []string{nowhere}
	}
	return w.seen[id]
}

// nowhere is what becomes of requests of a sidecar for which there is no rule. They
// leave the mesh, where nobody is; the fake knows no outside, and answers 404.
const nowhere = "nowhere"

// envoyNames are those of headers by which Envoy tells pods what it has done.
var envoyNames = []string{"x-envoy-attempt-count", "x-envoy-original-path", "x-envoy-original-host"}

// shown are the headers that rules and requests of this test name, and Envoy's own.
func shown(h http.Header) string {
	var all []string
	for _, name := range slices.Concat(headerNames, changedNames, envoyNames) {
		if values, ok := h[http.CanonicalHeaderKey(name)]; ok {
			all = append(all, name+"="+strings.Join(values, ","))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
