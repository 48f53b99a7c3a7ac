package routing_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/routing"
)

// tenRules is a VirtualService with ten rules r0..r9, of which r4 is steered.
func tenRules() string {
	var b strings.Builder
	b.WriteString(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo, resourceVersion: "4711", generation: 1}
spec:
  hosts: [reviews.bookinfo.svc.cluster.local]
  gateways: [mesh, bookinfo/reviews-gateway]
  http:
`)
	for i := range 10 {
		fmt.Fprintf(&b, `
  - name: r%[1]d
    match: [{uri: {prefix: /api/v%[1]d}, headers: {x-tenant: {exact: t%[1]d}}}]
    timeout: 3s
    retries: {attempts: 2, perTryTimeout: 1s, retryOn: 5xx}
    headers: {request: {set: {x-route: r%[1]d}}}
    route:
    - {destination: {host: reviews.bookinfo.svc.cluster.local, subset: stable}, weight: 100}
    - {destination: {host: reviews.bookinfo.svc.cluster.local, subset: canary}, weight: 0}
`, i)
	}
	return b.String()
}

func tenRulesTarget() routing.Target {
	const host = "reviews.bookinfo.svc.cluster.local"
	return routing.Target{
		Namespace: "bookinfo", Name: "reviews", Rules: []routing.Rule{{Name: "r4"}},
		Arms: routing.Arms{
			Stable: routing.Destination{Host: host, Subset: "stable"},
			Canary: routing.Destination{Host: host, Subset: "canary"},
		},
	}
}

// memory is a client that costs nothing: it keeps one object for reading.
type memory struct {
	vs    *networking.VirtualService
	patch []byte
}

func (m *memory) Get(context.Context, string, metav1.GetOptions) (*networking.VirtualService, error) {
	return m.vs, nil
}

func (m *memory) Patch(_ context.Context, _ string, _ types.PatchType, data []byte, _ metav1.PatchOptions, _ ...string) (*networking.VirtualService, error) {
	m.patch = data
	return m.vs, nil
}

// benchState is a State in the middle of a rollout with a full trace.
func benchState(t canary.Traffic) canary.State {
	s := progressing(t, 12)
	s.Plan, s.Name, s.Owner = "sha256:0123456789abcdef", "reviews", "bench"
	s.Step, s.Reason = 3, "the judge is content"
	for range 8 {
		s.Trace = append(s.Trace, canary.Transition{At: began, Phase: canary.Progressing, Step: 2, Reason: s.Reason})
	}
	return s
}

// BenchmarkReadRenderPatch is one turn with a change without the network: the
// object is read and its State decoded, the patch of one of ten rules rendered
// for 1..99 % in turn, with the State encoded in it.
func BenchmarkReadRenderPatch(b *testing.B) {
	for _, trace := range []int{0, 3, 8} {
		b.Run(fmt.Sprintf("trace=%d", trace), func(b *testing.B) {
			h := renderer(b, tenRulesTarget())
			state := benchState(share(100))
			state.Trace = state.Trace[:trace]
			m := &memory{vs: fromYAML(b, tenRules()).typed(b)}
			r := routing.NewRouter(h.Object(m))
			store(b, r, m, share(100), state)
			b.ReportAllocs()
			percent := canary.Weight(0)
			for b.Loop() {
				percent = percent%99 + 1
				reading, err := r.Read(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				state := reading.State
				state.Traffic = share(percent)
				if err := r.Write(b.Context(), reading, share(percent), state); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(m.patch)), "patch-bytes")
		})
	}
}

// BenchmarkRender is the pure part: read and render.
func BenchmarkRender(b *testing.B) {
	h := renderer(b, tenRulesTarget())
	vs := fromYAML(b, tenRules()).typed(b)
	b.ReportAllocs()
	percent := canary.Weight(0)
	for b.Loop() {
		percent = percent%99 + 1
		if _, err := h.Read(vs, canary.Traffic{}); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Render(vs, share(percent)); err != nil {
			b.Fatal(err)
		}
	}
}

// store writes through r, and applies what was written to the object of m.
func store(b *testing.B, r *routing.Router, m *memory, t canary.Traffic, s canary.State) {
	b.Helper()
	reading, err := r.Read(b.Context())
	require.NoError(b, err)
	require.NoError(b, r.Write(b.Context(), reading, t, s))
	m.vs = applyRaw(b, fromYAML(b, tenRules()), m.patch).typed(b)
}
