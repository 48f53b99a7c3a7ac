package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// The program that a newcomer runs, on a cluster: it is built and started, and
// reads a kubeconfig and a Prometheus.
func TestTheQuickstartRunsOnACluster(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "quickstart")
	out, err := exec.Command("go", "build", "-o", program, "github.com/serin-go/serin/examples/quickstart").CombinedOutput()
	require.NoError(t, err, "%s", out)
	b := newBookinfoIn(t, controlPlane(t).Named(t, "bookinfo"))
	before := b.spec(t)

	b.v2.FailEvery = 3
	bad := b.quickstart(t, program, "bad")
	load := traffic.Start(b.gateway, 300)
	require.Equal(t, 3, bad.Wait(), "rolled back: %s", bad.Log())
	tally := load.Stop()
	t.Log("bad: ", tally)
	require.Equal(t, map[string]int{"v1": tally.Sent}, tally.By, "it was found by copies")
	require.JSONEq(t, before, b.spec(t))
	b.v2.FailEvery = 0

	load = traffic.Start(b.gateway, 300)
	aborted := b.quickstart(t, program, "aborted")
	require.Eventually(t, func() bool { return b.traffic(t) == share(20) }, time.Minute, 10*time.Millisecond, "%s", aborted.Log())
	require.NoError(t, canary.Send(t.Context(), b.router(t), canary.Command{Order: order.Abort, By: "another process"}))
	require.Equal(t, 3, aborted.Wait(), "rolled back: %s", aborted.Log())
	require.JSONEq(t, before, b.spec(t))
	good := b.quickstart(t, program, "good")
	require.Equal(t, 0, good.Wait(), "promoted: %s", good.Log())
	tally = load.Stop()
	t.Log("aborted, then promoted: ", tally)
	require.Zero(t, tally.Lost, tally)
	require.JSONEq(t, before, b.spec(t))
	require.Equal(t, "reviews:2", b.image(t))
}

// quickstart starts the program with a plan in seconds.
func (b *bookinfo) quickstart(t *testing.T, program, name string) *plane.Process {
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	require.NoError(t, os.WriteFile(plan, fmt.Appendf(nil, `
name: %s
settle: 200ms
scrapeLag: 400ms
interval: 300ms
steps:
- {name: dark launch, mirror: 100%%, hold: 2s, deadline: 1m, requires: no failure}
- {name: one in five, canary: 20%%, hold: 2s, deadline: 1m}
- {name: everybody, canary: 100%%, hold: 2s, deadline: 1m}
end: {kind: promote stable, deadline: 1m}
`, name), 0o600))
	process, err := b.plane.Run("quickstart-"+name, exec.Command(program,
		"-plan", plan, "-kubeconfig", b.plane.Kubeconfig(), "-prometheus", b.plane.Prometheus(), "-look", "500ms"))
	require.NoError(t, err)
	return process
}

// traffic is what the VirtualService asks for.
func (b *bookinfo) traffic(t *testing.T) canary.Traffic {
	reading, err := b.router(t).Read(t.Context())
	require.NoError(t, err)
	return reading.Traffic
}
