package apiserver_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// tenRules is a VirtualService as large as real ones get.
func tenRules() []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews, namespace: bookinfo}\n" +
		"spec:\n  hosts: [reviews.bookinfo.svc.cluster.local]\n  gateways: [mesh, bookinfo/reviews-gateway]\n  http:\n")
	for i := range 10 {
		fmt.Fprintf(&b, `  - name: r%d
    match: [{uri: {prefix: /api/v%d}, headers: {x-tenant: {exact: t%d}}}]
    timeout: 3s
    retries: {attempts: 2, perTryTimeout: 1s, retryOn: 5xx}
    headers: {request: {set: {x-route: r%d}}}
    route:
    - {destination: {host: reviews, subset: stable}, weight: 100}
    - {destination: {host: reviews, subset: canary}, weight: 0}
`, i, i, i, i)
	}
	return b.Bytes()
}

func BenchmarkGet(b *testing.B) {
	c, _ := virtualService(b, newServer(b, string(tenRules())))
	b.ReportAllocs()
	for b.Loop() {
		_, err := c.Get(ctx, "reviews", metav1.GetOptions{})
		require.NoError(b, err)
	}
}

func BenchmarkJSONPatch(b *testing.B) {
	c, vs := virtualService(b, newServer(b, string(tenRules())))
	b.ReportAllocs()
	for weight := int32(1); b.Loop(); weight = weight%99 + 1 {
		var err error
		vs, err = c.Patch(ctx, "reviews", types.JSONPatchType, guarded(vs.ResourceVersion, fmt.Sprintf(
			`{"op":"replace","path":"/spec/http/4/route/0/weight","value":%d},{"op":"add","path":"/spec/http/4/route/1/weight","value":%d}`,
			100-weight, weight)), metav1.PatchOptions{})
		require.NoError(b, err)
	}
}
