package fake_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/fake"
)

// podObjects returns a mesh with a Service of so many pods, each a workload of its
// own.
func podObjects(t *testing.T, pods, attempts int) *fake.Mesh {
	t.Helper()
	var all strings.Builder
	for i := range pods {
		fmt.Fprintf(&all, `
apiVersion: v1
kind: Pod
metadata: {name: p%d, namespace: bookinfo, labels: {app: many}}
spec: {containers: [{name: c, image: many}]}
status: {conditions: [{type: Ready, status: "True"}]}
---`, i)
	}
	all.WriteString(`
apiVersion: v1
kind: Service
metadata: {name: many, namespace: bookinfo}
spec: {selector: {app: many}, ports: [{port: 9080}]}
`)
	server := bookinfo(t, all.String())
	setRules(t, server, fmt.Sprintf("[{retries: {attempts: %d, retryOn: 5xx}, route: [{destination: {host: many}}]}]", attempts))
	return fake.NewMesh(server, fake.Config{})
}

func TestRetriesAmongManyPodsCostLittle(t *testing.T) {
	for _, attempts := range []int{5, 100} {
		mesh := podObjects(t, 100, attempts)
		mesh.Behave("many", fake.Behaviour{ErrorRate: 1})
		const n = 1_000_000
		result := mesh.Send(n, client)
		require.EqualValues(t, n, result.Sent())
		for _, c := range result {
			require.Equal(t, "URX", c.Flags)
			require.InDelta(t, n/100, float64(c.N), n/2000, "each pod is the last one equally often")
		}
	}
}

func TestRetriesAmongManyPodsDoNotGoWhereTheyFailed(t *testing.T) {
	mesh := podObjects(t, 20, 3)
	for i := range 10 {
		mesh.Crash(ns, fmt.Sprint("p", i), true)
	}
	const n = 1_000_000
	within(t, n, 10./20*9./19*8./18*7./17, mesh.Send(n, client).Broken())
}
