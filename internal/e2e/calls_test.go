package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/routing"
)

// client waits until reviews answers.
func (r *release) client(t *testing.T) *traffic.Client {
	client, err := traffic.NewClient(controlPlane(t), r.namespace, "reviews."+r.namespace+".svc.cluster.local:9080")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.Eventually(t, func() bool { v, err := traffic.Once(client); return err == nil && v == "v1" }, time.Minute, 10*time.Millisecond)
	return client
}

func TestCallsDivideAsTheRouterWrites(t *testing.T) {
	const calls, tolerance = 2000, 0.05
	r := newRelease(t, &canarytest.Judge{})
	client, router := r.client(t), r.router(t)
	for _, percent := range []canary.Weight{20, 50, 100, 80, 0} {
		reading, err := router.Read(t.Context())
		require.NoError(t, err)
		require.NoError(t, router.Write(t.Context(), reading, share(percent), reading.State))
		written := time.Now()
		var v2 int
		near := func() bool {
			v2 = 0
			for range calls {
				if v, err := traffic.Once(client); err == nil && v == "v2" {
					v2++
				}
			}
			got := float64(v2)/calls - float64(percent)/100
			return -tolerance < got && got < tolerance
		}
		require.Eventually(t, near, time.Minute, time.Millisecond, "%d%%", percent)
		t.Logf("%3d %%: %4d of %d calls, after %v at most", percent, v2, calls, time.Since(written).Round(time.Millisecond))
	}
}

func TestARolloutUnderLoadLosesNoCall(t *testing.T) {
	for name, c := range map[string]struct {
		judge *canarytest.Judge
		phase phase.Phase
	}{
		"that is promoted":    {&canarytest.Judge{}, phase.Promoted},
		"that is rolled back": {badVerdict(), phase.RolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t, c.judge)
			load := traffic.Start(r.client(t), 1000)
			state, err := r.runner(t).Run(t.Context())
			tally := load.Stop()
			t.Log(tally)
			if c.phase == phase.Promoted {
				require.NoError(t, err)
			}
			require.Equal(t, c.phase, state.Phase)
			require.NotZero(t, tally.By["v2"])
			require.Zero(t, tally.Lost, tally)
		})
	}
}

// flips moves all traffic there and back, waiting each time until calls follow.
func (r *release) flips(t *testing.T, client *traffic.Client, write func(canary.Traffic)) {
	for i := range 60 {
		to := canary.Weight(100 * (1 - i%2))
		write(share(to))
		want := map[canary.Weight]string{0: "v1", 100: "v2"}[to]
		require.Eventually(t, func() bool { v, err := traffic.Once(client); return err == nil && v == want }, time.Minute, time.Millisecond)
	}
}

// preview is header routes, and all traffic to stable.
var preview = canary.Traffic{HeaderRoutes: true}

// write writes traffic, and keeps the State.
func (r *release) write(t *testing.T, to canary.Traffic) {
	router := r.router(t)
	reading, err := router.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, router.Write(t.Context(), reading, to, reading.State))
}

// routed is a context for calls that choose an arm.
func routed(t *testing.T, arm string) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), routing.ArmHeader, arm)
}

// through waits until calls take a header route, and returns a context for them.
func through(t *testing.T, client *traffic.Client, arm, version string) context.Context {
	ctx := routed(t, arm)
	require.Eventually(t, func() bool { v, err := client.Call(ctx); return err == nil && v == version }, time.Minute, time.Millisecond)
	return ctx
}

func TestMovingAllTrafficThereAndBackLosesNoCall(t *testing.T) {
	r := newRelease(t, &canarytest.Judge{})
	client := r.client(t)
	load := traffic.Start(client, 2000)
	r.write(t, preview)
	through(t, client, "canary", "v2") // which may have had no pods yet
	r.flips(t, client, func(to canary.Traffic) {
		to.HeaderRoutes = true
		r.write(t, to)
	})
	r.write(t, canary.Traffic{})
	require.Eventually(t, func() bool { v, err := client.Call(routed(t, "canary")); return err == nil && v == "v1" }, time.Minute, time.Millisecond)
	tally := load.Stop()
	t.Log(tally)
	require.Zero(t, tally.Lost, tally)
}

func TestAHeaderRouteLeadsToItsVersionBeforeThatHasAnyTraffic(t *testing.T) {
	r := newRelease(t, &canarytest.Judge{})
	client := r.client(t)
	r.write(t, preview)
	for arm, want := range map[string]string{"stable": "v1", "canary": "v2", "neither": "v1"} {
		ctx := through(t, client, arm, want)
		for range 100 {
			v, err := client.Call(ctx)
			require.NoError(t, err)
			require.Equal(t, want, v, arm)
		}
	}
}

// Without a header route to each version, gRPC forgets a version with the route that
// named it last, while calls are on their way there. Nobody can write the weights
// so that this does not happen: the test does what kubectl would.
func TestWithoutHeaderRoutesCallsAreLostWhateverWritesTheWeights(t *testing.T) {
	r := newRelease(t, &canarytest.Judge{})
	mesh, _ := clients(t)
	patch := func(ops string) {
		_, err := mesh.NetworkingV1().VirtualServices(r.namespace).Patch(t.Context(), "reviews", types.JSONPatchType, []byte(ops), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	client := r.client(t)
	load := traffic.Start(client, 2000)
	r.flips(t, client, func(to canary.Traffic) {
		patch(fmt.Sprintf(`[{"op":"replace","path":"/spec/http/0/route","value":[
			{"destination":{"host":"reviews","subset":"v1"},"weight":%d},
			{"destination":{"host":"reviews","subset":"v2"},"weight":%d}]}]`, (canary.Full-to.Canary)/canary.Percent, to.Canary/canary.Percent))
	})
	tally := load.Stop()
	t.Log(tally)
	forgotten := 0 // and not because v2 had no pods yet
	for text, n := range tally.Errors {
		require.Contains(t, text, "code = Unavailable")
		if strings.Contains(text, "unknown cluster selected") {
			forgotten += n
		}
	}
	require.NotZero(t, forgotten)
}
