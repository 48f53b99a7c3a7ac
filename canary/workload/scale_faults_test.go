package workload_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

// ill is a Floor with a Raise of its own.
type ill struct {
	workload.Floor
	raise func(context.Context) error
}

func (f ill) Raise(ctx context.Context, _ canary.Question, _ int32) (canary.Answer, error) {
	return canary.Answer{}, f.raise(ctx)
}

// Whatever a part for the scaling does, Inspect tells in time what else it sees.
func TestNoPartForTheScalingHidesAChangedCanary(t *testing.T) {
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	panics := func(context.Context) error { return nobody() }
	load := func(do func(context.Context) error) func(*workload.Config) {
		return func(c *workload.Config) {
			c.Load = func(ctx context.Context) (float64, error) { return 0, do(ctx) }
		}
	}
	floor := func(do func(context.Context) error) func(*workload.Config) {
		return func(c *workload.Config) { c.Scaling.Canary = ill{c.Scaling.Canary, do} }
	}
	for name, x := range map[string]struct {
		change func(*workload.Config)
		notice string
	}{
		"the load hangs":      {load(hangs), "the load is not known: Config.Load: no answer within 5s: context deadline exceeded"},
		"the load panics":     {load(panics), "the load is not known: Config.Load panicked: runtime error"},
		"a Floor hangs":       {floor(hangs), "a Floor: no answer within 5s: context deadline exceeded"},
		"a Floor panics":      {floor(panics), "a Floor panicked: runtime error"},
		"the capacity panics": {func(c *workload.Config) { c.Capacity = func(canary.Weight, int) int { return len(nobody().Error()) } }, "Config.Capacity panicked: runtime error"},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			c, config := autoscaled(t)
			config.Load = func(context.Context) (float64, error) { return 300, nil }
			q := pinned(t, c.workload(config))
			q.Fence.Serial, q.Traffic.Canary = 2, canary.Full/2
			c.change("reviews-v2", func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "reviews:3" })
			x.change(&config)
			began := time.Now()
			seen, err := c.workload(config).Inspect(t.Context(), q)
			require.NoError(t, err)
			require.Contains(t, seen.Notice, x.notice)
			require.NotEmpty(t, seen.CanaryChanged)
			require.LessOrEqual(t, time.Since(began), 5*time.Second)
		}))
	}
}

// Users leave a dead canary before anybody asks for the load.
func TestADeadCanaryDoesNotWaitForTheLoad(t *testing.T) {
	c, config := autoscaled(t)
	config.Load = func(context.Context) (float64, error) { return 300, nil }
	q := pinned(t, c.workload(config))
	q.Fence.Serial, q.Traffic.Canary = 2, canary.Full/2
	c.change("reviews-v2", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })
	asked := false
	config.Load = func(context.Context) (float64, error) {
		asked = true
		return 300, nil
	}
	seen, err := c.workload(config).Inspect(t.Context(), q)
	require.NoError(t, err)
	require.NotEmpty(t, seen.Dead)
	require.False(t, asked)
}

// A number that cannot be a load scales nothing.
func TestWhatIsNoLoadScalesNothing(t *testing.T) {
	for _, load := range []float64{math.Inf(1), math.NaN(), -1} {
		c, config := autoscaled(t)
		config.Load = func(context.Context) (float64, error) { return 300, nil }
		q := pinned(t, c.workload(config))
		c.scaled("reviews-v2", 15)
		q.Fence.Serial, q.Traffic.Canary = 2, canary.Full/2
		config.Load = func(context.Context) (float64, error) { return load, nil }
		seen, err := c.workload(config).Inspect(t.Context(), q)
		require.NoError(t, err)
		require.Contains(t, seen.Notice, "the load is not known: Config.Load returned ")
		require.Empty(t, seen.Capacity)
		require.Equal(t, [2]int32{2, 1}, leasts(t, config))
	}
}

// An autoscaler or a Deployment that its owner has deleted does not keep the rollout from its end.
func TestWhatIsGoneIsNotGivenBack(t *testing.T) {
	eachFloor(t, func(t *testing.T, c cluster, f least) {
		_, err := f.Raise(t.Context(), ask(2), 10)
		require.NoError(t, err)
		kind, name := deployments, f.object().GetName()
		if name == "hpa-v2" {
			kind = "horizontalpodautoscalers.autoscaling"
		}
		require.NoError(t, c.server.Delete(kind, "bookinfo", name))
		require.NoError(t, f.Release(t.Context(), ask(3), false))
	})
}

// A Floor that cannot be given back keeps nothing from the other.
func TestEachFloorIsGivenBackWhateverTheOtherDoes(t *testing.T) {
	for name, do := range map[string]func(context.Context) error{
		"errs":   func(context.Context) error { return errors.New("forbidden") },
		"panics": func(context.Context) error { return nobody() },
		"hangs": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			c, config := autoscaled(t)
			w := c.workload(config)
			q := pinned(t, w)
			q.Fence.Serial, q.Traffic.Canary = 2, canary.Full/2
			_, err := w.Ready(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, [2]int32{30, 15}, leasts(t, config))
			q.Fence.Serial, q.Traffic.Canary = 3, 0
			bad := config
			bad.Scaling.Canary = kept{config.Scaling.Canary, do}
			_, err = c.workload(bad).Release(t.Context(), q)
			require.Error(t, err)
			require.Equal(t, [2]int32{2, 15}, leasts(t, config))
		}))
	}
}

// inBubble runs a test in virtual time.
func inBubble(f func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// kept is a Floor with a Release of its own.
type kept struct {
	workload.Floor
	release func(context.Context) error
}

func (f kept) Release(ctx context.Context, _ canary.Question, _ bool) error { return f.release(ctx) }

// A stable whose pods are all away when the rollout begins, as in an outage, comes back: a canary
// with one pod does not get the traffic of thirty.
func TestAStableThatIsAwayForAMomentStillCounts(t *testing.T) {
	c, config := autoscaled(t)
	c.change("reviews-v1", func(d *appsv1.Deployment) { d.Status.ReadyReplicas, d.Status.AvailableReplicas = 0, 0 })
	w := c.workload(config)
	q := pinned(t, w)
	require.Equal(t, "30", q.Pin.Capacity)
	c.finish("reviews-v1")
	q.Fence.Serial, q.Traffic.Canary = 2, canary.Full
	a, err := w.Ready(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Wait, a.Reply)
	require.Contains(t, a.Reason, "100% of the traffic needs 30")
	require.Equal(t, [2]int32{30, 30}, leasts(t, config))
}

// A Config that is copied to another service, or that lacks a client, is told when it is made.
func TestNewNamesMistakesInTheScaling(t *testing.T) {
	c, config := autoscaled(t)
	stable, replicas := config.Scaling.Stable, workload.Replicas(c.client, "bookinfo", "reviews-v2")
	incomplete := replicas
	incomplete.Read = nil
	elsewhere := workload.Replicas(c.client, "shop", "reviews-v2")
	keda := workload.Field[*appsv1.Deployment]{Objects: c.client, Kind: "ScaledObject", Namespace: "bookinfo", Name: "both", Pointer: "/spec/minReplicaCount", Read: replicas.Read}
	for name, x := range map[string]struct {
		scaling workload.Scaling
		load    bool
		want    string
	}{
		"both are as they should be": {workload.Scaling{Stable: stable, Canary: replicas}, true, ""},
		"read only":                  {workload.Scaling{Stable: workload.ReadOnly(stable), Canary: workload.ReadOnly(replicas)}, true, ""},
		"only the canary":            {workload.Scaling{Canary: replicas}, false, ""},
		"stable's twice":             {workload.Scaling{Stable: stable, Canary: stable}, false, "workload: Scaling.Canary: it scales Deployment bookinfo/reviews-v1, not bookinfo/reviews-v2"},
		"of another namespace":       {workload.Scaling{Canary: elsewhere}, false, "workload: Scaling.Canary: it scales Deployment shop/reviews-v2, not bookinfo/reviews-v2"},
		"read only, and another's":   {workload.Scaling{Stable: workload.ReadOnly(replicas)}, false, "workload: Scaling.Stable: it scales Deployment bookinfo/reviews-v2, not bookinfo/reviews-v1"},
		"one object for both":        {workload.Scaling{Stable: keda, Canary: keda}, false, "workload: Scaling.Canary: it is /spec/minReplicaCount of ScaledObject bookinfo/both, which is Scaling.Stable already"},
		"no client":                  {workload.Scaling{Canary: workload.Replicas(nil, "bookinfo", "reviews-v2")}, false, "workload: Scaling.Canary: the client is missing"},
		"incomplete":                 {workload.Scaling{Canary: incomplete}, false, "workload: Scaling.Canary: a Field needs Name, Pointer and Read"},
		"read only nothing":          {workload.Scaling{Canary: workload.ReadOnly(nil)}, false, "workload: Scaling.Canary: it is a nil Floor"},
		"a pointer that is nil":      {workload.Scaling{Stable: (*workload.Field[*appsv1.Deployment])(nil)}, false, "workload: Scaling.Stable: it is a nil Floor"},
		"a load for nothing":         {workload.Scaling{Canary: replicas}, true, "workload: Load is of no use without Scaling.Stable, which says how far stable may grow: set it, or ReadOnly of it"},
	} {
		t.Run(name, func(t *testing.T) {
			config := both
			config.Scaling = x.scaling
			if x.load {
				config.Load = func(context.Context) (float64, error) { return 300, nil }
			}
			_, err := workload.New(c.client, config)
			if x.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, x.want)
		})
	}
}

// What is told stands in one line, as in a log.
func TestANoticeIsOneLine(t *testing.T) {
	c, config := autoscaled(t)
	config.Load = func(context.Context) (float64, error) { return 300, nil }
	q := pinned(t, c.workload(config))
	q.Fence.Serial, q.Traffic.Canary = 2, canary.Full
	config.Load = func(context.Context) (float64, error) { return 0, errors.New("store away") }
	config.Scaling.Canary = ill{config.Scaling.Canary, func(context.Context) error { return errors.New("forbidden") }}
	seen, err := c.workload(config).Inspect(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, "the load is not known: store away; canary reviews-v2: 1 replicas are ready, and 100% of the traffic needs 30, by the 30 that stable reviews-v1 had when the rollout began; forbidden", seen.Notice)
}

// Stable shrank while the canary had everything, and then the traffic is adopted: two pods of stable
// do not carry what thirty of the canary do.
func TestAnAdoptedCanaryTellsHowManyCarryTheTraffic(t *testing.T) {
	c, config := autoscaled(t)
	c.scaled("reviews-v1", 2)
	c.scaled("reviews-v2", 30)
	w := c.workload(config)
	q := canary.Question{Fence: at(1), Promotes: true, Traffic: canary.Traffic{Canary: canary.Full}}
	pin, a, err := w.Pin(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	require.Equal(t, "30", pin.Capacity)
	q.Pin, q.Fence.Serial = pin, 2
	seen, err := w.Inspect(t.Context(), q)
	require.NoError(t, err)
	require.Greater(t, seen.Shortfall, 90*canary.Percent)
	require.Equal(t, [2]int32{30, 1}, leasts(t, config), "stable is scaled up for the way back")
}

// Nobody waits in vain for an autoscaler that is off.
func TestWhatAnAutoscalerLeavesAloneIsSaid(t *testing.T) {
	c, config := autoscaled(t)
	w := c.workload(config)
	q := pinned(t, w)
	c.scaled("reviews-v2", 0)
	q.Fence.Serial, q.Traffic.Canary = 2, canary.Full/2
	a, err := w.Ready(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Wait, a.Reply)
	require.Contains(t, a.Reason, "a HorizontalPodAutoscaler leaves it alone as long as it is scaled to zero; scale it to 1")
	require.NotContains(t, a.Reason, "being scaled up")
	config.Scaling.Canary = workload.Replicas(c.client, "bookinfo", "reviews-v2")
	w = c.workload(config)
	a, err = w.Ready(t.Context(), q)
	require.NoError(t, err)
	require.Contains(t, a.Reason, "it is being scaled up")
	require.EqualValues(t, 15, *c.get("reviews-v2").Spec.Replicas)
}

// What somebody sets back is not said to be scaled up.
func TestACanaryThatIsSetBackIsNotBeingScaledUp(t *testing.T) {
	c, config := autoscaled(t)
	q := pinned(t, c.workload(config))
	q.Fence.Serial, q.Traffic.Canary = 2, canary.Full/2
	config.Scaling.Canary = refusing{config.Scaling.Canary}
	a, err := c.workload(config).Ready(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Wait.Because("canary reviews-v2: 1 of 1 replicas available, and 50%% of the traffic needs 15, by the 30 that stable reviews-v1 had when the rollout began; somebody has set it back"), a)
}

// refusing is a Floor that cannot be raised.
type refusing struct{ workload.Floor }

func (refusing) Raise(context.Context, canary.Question, int32) (canary.Answer, error) {
	return canary.Wait.Because("somebody has set it back"), nil
}

// nobody is a function that is not there: who calls it panics.
var nobody func() error
