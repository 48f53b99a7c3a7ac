package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/e2e/traffic"
)

// Whoever divides users by their request id has to know who makes it: a gateway
// replaces what comes from outside, a sidecar keeps what it gets, but for the 15th
// digit, in which Envoy notes why a trace is made.
func TestAGatewayReplacesARequestIDAndASidecarKeepsIt(t *testing.T) {
	t.Parallel()
	const header, seen, id = "X-Request-Id", "X-Seen", "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
	p := controlPlane(t)
	namespace := p.Namespace(t)
	serveReached(t, namespace, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set(seen, r.Header.Get(header)) }))
	through := func(workload, host string) (arrived string) {
		transport := traffic.Through(p, namespace, workload)
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/answered", nil)
		require.NoError(t, err)
		request.Header.Set(header, id)
		require.True(t, poll(t, func() bool {
			answer, err := transport.RoundTrip(request)
			if err != nil {
				return false
			}
			defer answer.Body.Close()
			arrived = answer.Header.Get(seen)
			return arrived != ""
		}))
		return arrived
	}
	bySidecar, byGateway := through("client", "reviews:9080"), through("gateway", "reviews.example.com")
	const noted = len("0a1b2c3d-4e5f-")
	require.Equal(t, id[:noted]+id[noted+1:], bySidecar[:noted]+bySidecar[noted+1:])
	require.NotEqual(t, id[:8], byGateway[:8])
	require.Len(t, byGateway, len(id))
}
