package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// foreign is what a stranger has in another namespace: a Service on the port of reviews, with
// a rule that every validation accepts and Envoy refuses. Only the namespace of the test is
// told of it.
const foreign = `
apiVersion: v1
kind: Service
metadata: {name: own}
spec: {selector: {app: own}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: own}
spec:
  hosts: [own]
  exportTo: [TOLD]
  http: [{headers: {response: {set: {x-a: "%NOPE%"}}}, directResponse: {status: 200}}]
`

// E40: half of all requests go to the canary, a stranger's object stops the proxies, and
// nothing that is written reaches them. By istiod's counters the reason names the proxy.
func TestTheReasonNamesTheProxyThatRefuses(t *testing.T) {
	t.Parallel()
	b := newBookinfo(t)
	load := traffic.Start(b.client, 100)
	defer load.Stop()
	seen := verify.Metrics{Provider: b.counts(t), Stable: b.arm("reviews-v1"), Canary: b.arm("reviews-v2"), Lag: 2 * time.Second}
	answers := func(to canary.Traffic, since time.Time, reply canary.Reply, words string) (a canary.Answer) {
		t.Helper()
		ok := poll(t, func() bool {
			var err error
			a, err = seen.Verify(t.Context(), to, since)
			return err == nil && a.Reply == reply && strings.Contains(a.Reason, words)
		})
		t.Logf("%v after the change: %s", time.Since(since).Round(time.Millisecond), a.Reason)
		require.True(t, ok, a.Reason)
		return a
	}
	b.write(t, share(50))
	answers(share(50), time.Now(), canary.Yes, "route as written")

	client, kube := clients(t)
	stranger := b.plane.Namespace(t)
	b.plane.Apply(t, stranger, strings.ReplaceAll(foreign, "TOLD", b.namespace))
	require.True(t, poll(t, func() bool { return len(b.plane.Refusals(b.namespace)) > 0 }))
	refused := time.Now()
	marks := fmt.Sprintf(`pilot_xds_rds_reject{node=~".*\\.%s"}`, b.namespace)
	marked := func() bool { return b.ask(t, marks).String() != "" }
	require.True(t, poll(t, marked))
	t.Logf("the mark is read %v after the refusal: %v", time.Since(refused).Round(time.Millisecond), b.ask(t, marks))

	aborted := time.Now()
	b.write(t, canary.Traffic{})
	pods, err := kube.CoreV1().Pods(b.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=client"})
	require.NoError(t, err)
	require.Len(t, pods.Items, 1)
	a := answers(canary.Traffic{}, aborted, canary.Wait, fmt.Sprintf("%s.%s refused routes", pods.Items[0].Name, b.namespace))
	require.Contains(t, a.Reason, "not as written in the last 2s: client."+b.namespace)
	require.NotContains(t, a.Reason, "gateway", "gateways are not told of it")

	require.NoError(t, client.NetworkingV1().VirtualServices(stranger).Delete(t.Context(), "own", metav1.DeleteOptions{}))
	answers(canary.Traffic{}, aborted, canary.Yes, "route as written")
	require.True(t, marked(), "istiod takes no mark back: the counter alone says that nothing is refused any more")
}
