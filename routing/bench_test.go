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
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/routing"
)

// rules is a VirtualService with n rules r0, r1 and so on.
func rules(n int) string {
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
	for i := range n {
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

// someRules steers the rules with these names, or all.
func someRules(names ...string) routing.Target {
	const host = "reviews.bookinfo.svc.cluster.local"
	to := routing.Target{
		Namespace: "bookinfo", Name: "reviews",
		Arms: routing.Arms{
			Stable: routing.Destination{Host: host, Subset: "stable"},
			Canary: routing.Destination{Host: host, Subset: "canary"},
		},
	}
	for _, name := range names {
		to.Rules = append(to.Rules, routing.Rule{Name: name})
	}
	return to
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
		s.Trace = append(s.Trace, canary.Transition{At: began, Phase: phase.Progressing, Step: 2, Reason: s.Reason})
	}
	return s
}

// BenchmarkReadRenderPatch is one turn with a change without the network: the
// object is read and its State decoded, the patch of one of ten rules rendered
// for 1..99 % in turn, with the State encoded in it.
func BenchmarkReadRenderPatch(b *testing.B) {
	for _, trace := range []int{0, 3, 8} {
		b.Run(fmt.Sprintf("trace=%d", trace), func(b *testing.B) {
			h := renderer(b, someRules("r4"))
			state := benchState(share(100))
			state.Trace = state.Trace[:trace]
			m := &memory{vs: fromYAML(b, rules(10)).typed(b)}
			r := routing.NewRouter(h.Object(m))
			store(b, r, m, share(100), state)
			b.ReportAllocs()
			var like canary.Traffic
			for b.Loop() {
				turn(b, r, &like)
			}
			b.ReportMetric(float64(len(m.patch)), "patch-bytes")
		})
	}
}

// BenchmarkDerived is BenchmarkReadRenderPatch with header routes, with safe copies,
// and with both.
func BenchmarkDerived(b *testing.B) {
	for name, like := range map[string]canary.Traffic{
		"header routes": {HeaderRoutes: true}, "copies": {Mirror: canary.Full}, "both": {HeaderRoutes: true, Mirror: canary.Full},
	} {
		b.Run(name, func(b *testing.B) {
			full := like
			full.Canary = canary.Full
			m := &memory{vs: fromYAML(b, rules(10)).typed(b)}
			r := routing.NewRouter(renderer(b, someRules("r4")).Object(m))
			state := benchState(full)
			state.Trace = nil
			store(b, r, m, full, state)
			b.ReportAllocs()
			for b.Loop() {
				turn(b, r, &like)
			}
			b.ReportMetric(float64(len(m.patch)), "patch-bytes")
		})
	}
}

// turn reads, and writes one more per cent of canary.
func turn(b *testing.B, r *routing.Router, t *canary.Traffic) {
	t.Canary = t.Canary%(99*canary.Percent) + canary.Percent
	reading, err := r.Read(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	state := reading.State
	state.Traffic = *t
	if err := r.Write(b.Context(), reading, *t, state); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRender is the pure part, read and render, for objects of so many rules of
// which all are steered; the time is that of one rule.
func BenchmarkRender(b *testing.B) {
	for _, n := range []int{1, 10, 50, 200} {
		for name, like := range map[string]canary.Traffic{"weights": {}, "derived": {HeaderRoutes: true, Mirror: canary.Full}} {
			b.Run(fmt.Sprintf("%s/rules=%d", name, n), func(b *testing.B) {
				h := renderer(b, someRules())
				o, t := fromYAML(b, rules(n)), like
				t.Canary = canary.Full
				vs := o.render(b, h, t).typed(b)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := h.Read(vs, t); err != nil {
						b.Fatal(err)
					}
					like.Canary = like.Canary%(99*canary.Percent) + canary.Percent
					if _, err := h.Render(vs, like); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/rule")
			})
		}
	}
}

// store writes through r, and applies what was written to the object of m.
func store(b *testing.B, r *routing.Router, m *memory, t canary.Traffic, s canary.State) {
	b.Helper()
	reading, err := r.Read(b.Context())
	require.NoError(b, err)
	require.NoError(b, r.Write(b.Context(), reading, t, s))
	m.vs = applyRaw(b, fromYAML(b, rules(10)), m.patch).typed(b)
}
