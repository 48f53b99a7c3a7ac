package workload_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

// autoscaled is a cluster in which autoscalers scale both versions: stable has 30 replicas, and the
// canary one.
func autoscaled(t require.TestingT) (cluster, workload.Config) {
	c := newUnpinned(t)
	require.NoError(t, c.server.Load(fmt.Appendf(nil, autoscaler, "v1", 2)))
	require.NoError(t, c.server.Load(fmt.Appendf(nil, autoscaler, "v2", 1)))
	c.scaled("reviews-v1", 30)
	c.scaled("reviews-v2", 1)
	clients, err := kubernetes.NewForConfig(c.server.Config())
	require.NoError(t, err)
	hpas := clients.AutoscalingV2().HorizontalPodAutoscalers("bookinfo")
	config := both
	config.Scaling = workload.Scaling{
		Stable: workload.Autoscaler(hpas, "bookinfo", "hpa-v1", "reviews-v1"),
		Canary: workload.Autoscaler(hpas, "bookinfo", "hpa-v2", "reviews-v2"),
	}
	return c, config
}

// scaled has a Deployment run so many replicas.
func (c cluster) scaled(name string, n int32) {
	c.change(name, func(d *appsv1.Deployment) { d.Spec.Replicas = &n })
	c.finish(name)
}

// leasts are the least numbers of replicas of stable and canary.
func leasts(t require.TestingT, config workload.Config) (both [2]int32) {
	for i, f := range []workload.Floor{config.Scaling.Stable, config.Scaling.Canary} {
		least, _, err := f.Bounds(context.Background())
		require.NoError(t, err)
		both[i] = least
	}
	return both
}

// pinned is a Question of a rollout that has begun.
func pinned(t require.TestingT, w *workload.Deployments) canary.Question {
	q := canary.Question{Fence: at(1), Promotes: true}
	pin, a, err := w.Pin(context.Background(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	q.Pin = pin
	return q
}

// E10: the canary is scaled before the share, and stable keeps what it had.
func TestBothVersionsAreScaledBeforeAShareIsGiven(t *testing.T) {
	c, config := autoscaled(t)
	w := c.workload(config)
	q := pinned(t, w)
	c.finish("reviews-v1")
	require.True(t, w.Scales())
	ready := func(serial int64, share canary.Weight) canary.Answer {
		q.Fence.Serial, q.Traffic.Canary = serial, share
		a, err := w.Ready(t.Context(), q)
		require.NoError(t, err)
		return a
	}
	require.Equal(t, canary.Wait.Because("canary reviews-v2: 1 of 1 replicas available, and 10%% of the traffic needs 3, by the 30 that stable reviews-v1 had when the rollout began: it is being scaled up"), ready(2, 10*canary.Percent))
	require.Equal(t, [2]int32{30, 3}, leasts(t, config))
	c.scaled("reviews-v2", 3)
	require.Equal(t, canary.Yes, ready(3, 10*canary.Percent).Reply)
	c.server.ResetRequests()
	require.Equal(t, canary.Yes, ready(4, 10*canary.Percent).Reply)
	require.Zero(t, c.writes())
	require.Equal(t, canary.Wait, ready(5, canary.Full).Reply)
	require.Equal(t, [2]int32{30, 30}, leasts(t, config))
	c.scaled("reviews-v2", 30)
	require.Equal(t, canary.Yes, ready(6, canary.Full).Reply)

	q.Fence.Serial, q.Traffic.Canary = 7, 0
	a, err := w.Release(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	require.Equal(t, [2]int32{2, 1}, leasts(t, config))
}

// lockedFloor is a Floor that cannot be given back.
type lockedFloor struct{ workload.Floor }

func (lockedFloor) Release(context.Context, canary.Question, bool) error { return errLocked }

var errLocked = errors.New("locked")

// If one Floor cannot be given back, or does not exist any more, the other is still given back.
func TestEachFloorIsGivenBackByItself(t *testing.T) {
	for name, x := range map[string]struct {
		change func(cluster, *workload.Scaling)
		err    error
		is     func(t *testing.T, config workload.Config)
	}{
		"the canary's may not be written": {
			func(_ cluster, s *workload.Scaling) { s.Canary = lockedFloor{s.Canary} }, errLocked,
			func(t *testing.T, config workload.Config) { require.Equal(t, [2]int32{2, 30}, leasts(t, config)) },
		},
		"stable's may not be written": {
			func(_ cluster, s *workload.Scaling) { s.Stable = lockedFloor{s.Stable} }, errLocked,
			func(t *testing.T, config workload.Config) { require.Equal(t, [2]int32{30, 1}, leasts(t, config)) },
		},
		"the canary's is gone": {
			func(c cluster, _ *workload.Scaling) {
				require.NoError(c, c.server.Delete("horizontalpodautoscalers.autoscaling", "bookinfo", "hpa-v2"))
			}, nil,
			func(t *testing.T, config workload.Config) {
				least, _, err := config.Scaling.Stable.Bounds(t.Context())
				require.NoError(t, err)
				require.EqualValues(t, 2, least)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, config := autoscaled(t)
			w := c.workload(config)
			q := pinned(t, w)
			q.Fence.Serial, q.Traffic.Canary = 2, canary.Full
			c.scaled("reviews-v2", 30)
			_, err := w.Ready(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, [2]int32{30, 30}, leasts(t, config))
			x.change(c, &config.Scaling)
			q.Fence.Serial, q.Traffic.Canary = 3, 0
			_, err = c.workload(config).Release(t.Context(), q)
			require.ErrorIs(t, err, x.err)
			x.is(t, config)
		})
	}
}

// Stable keeps what it has until its autoscaler has seen the traffic: what it had recommended for
// an idle stable would shrink it at once.
func TestStableKeepsItsReplicasUntilItsAutoscalerHasSeenTheTraffic(t *testing.T) {
	c, config := autoscaled(t)
	w := c.workload(config)
	q := pinned(t, w)
	release := func(serial int64, ago time.Duration, canaryHas canary.Weight) canary.Answer {
		q.Fence.Serial, q.Shifted, q.Traffic.Canary = serial, time.Now().Add(-ago), canaryHas
		a, err := w.Release(t.Context(), q)
		require.NoError(t, err)
		return a
	}
	q.Fence.Serial, q.Traffic.Canary = 2, canary.Full
	_, err := w.Ready(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, [2]int32{30, 30}, leasts(t, config))
	require.Contains(t, release(3, 4*time.Minute, 0).Reason, "stable keeps its replicas until its autoscaler has seen the traffic, at ")
	require.Equal(t, [2]int32{30, 1}, leasts(t, config))
	require.Equal(t, canary.Yes, release(4, 5*time.Minute, 0).Reply)
	require.Equal(t, [2]int32{2, 1}, leasts(t, config))

	q = pinned(t, w)
	q.Fence.Serial, q.Traffic.Canary = 5, 0
	require.Equal(t, canary.Yes, release(6, 0, 0).Reply, "nothing was raised")
	require.Equal(t, canary.Yes, release(7, 0, canary.Full).Reply, "the canary serves")
}

// The autoscaler of a canary that is rolled out may add pods while a share is given.
func TestAnAutoscalerThatAddsPodsKeepsNoShare(t *testing.T) {
	c, config := autoscaled(t)
	w := c.workload(config)
	q := pinned(t, w)
	q.Fence.Serial, q.Traffic.Canary = 2, 10*canary.Percent
	for name, conditions := range map[string][]appsv1.DeploymentCondition{
		"rolled out":     {{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"}},
		"not rolled out": nil,
	} {
		t.Run(name, func(t *testing.T) {
			c.scaled("reviews-v2", 3)
			c.change("reviews-v2", func(d *appsv1.Deployment) {
				n := int32(9)
				d.Spec.Replicas = &n
				d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.Conditions = 9, 9, conditions
			})
			c.change("reviews-v2", func(d *appsv1.Deployment) { d.Status.ObservedGeneration = d.Generation })
			a, err := w.Ready(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, conditions != nil, a.Reply == canary.Yes, a.Reason)
		})
	}
}

// The reference follows the load upwards, up to what stable may have, and never falls.
func TestTheReferenceFollowsTheLoad(t *testing.T) {
	c, config := autoscaled(t)
	load, loadErr := 300.0, error(nil)
	config.Load = func(context.Context) (float64, error) { return load, loadErr }
	w := c.workload(config)
	q := pinned(t, w)
	require.Equal(t, "30 300 0", q.Pin.Capacity)
	c.finish("reviews-v1")
	c.scaled("reviews-v2", 15)
	q.Traffic.Canary = canary.Full / 2
	serial := int64(1)
	inspect := func() canary.Inspection {
		serial++
		q.Fence.Serial = serial
		seen, err := w.Inspect(t.Context(), q)
		require.NoError(t, err)
		if seen.Capacity != "" {
			q.Pin.Capacity = seen.Capacity
		}
		return seen
	}
	require.Equal(t, canary.Inspection{}, inspect())
	load = 325
	require.Equal(t, canary.Inspection{}, inspect(), "that is within the tolerance")
	load = 360
	seen := inspect()
	require.Equal(t, "30 300 36", seen.Capacity)
	require.Equal(t, "canary reviews-v2: 15 replicas are ready, and 50% of the traffic needs 18, by the 36 that stable reviews-v1 needs at the highest load so far; it had 30 when the rollout began", seen.Notice)
	require.Equal(t, [2]int32{36, 18}, leasts(t, config), "both are scaled before anything fails")
	c.scaled("reviews-v2", 18)
	load = 100
	require.Equal(t, canary.Inspection{}, inspect(), "it never falls")
	loadErr = errors.New("store away")
	require.Equal(t, canary.Inspection{Notice: "the load is not known: store away"}, inspect(), "and that it is not known holds nothing")
	load, loadErr = 1e9, nil
	require.Equal(t, "30 300 40", inspect().Capacity, "the autoscaler allows no more")
	require.Contains(t, inspect().Notice, "needs 20, by the 40")
	q.Traffic.Canary = 0
	require.Empty(t, inspect().Notice)
}

// On the way back stable is scaled up again if it has shrunk all the same (E36).
func TestStableIsScaledUpWhileTheCanaryServes(t *testing.T) {
	c, config := autoscaled(t)
	w := c.workload(config)
	q := pinned(t, w)
	c.scaled("reviews-v2", 30)
	c.scaled("reviews-v1", 6)
	q.Fence.Serial, q.Traffic.Canary = 2, canary.Full
	seen, err := w.Inspect(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, canary.Inspection{Shortfall: canary.Full * 3 / 4}, seen)
	require.Equal(t, [2]int32{30, 1}, leasts(t, config))
}

// In a Retreat stable has everything, and keeps what it had when the rollout began. While the canary
// has copies only, nobody has a share yet, and nothing is scaled.
func TestStableIsScaledUpWhenItHasEverything(t *testing.T) {
	c, config := autoscaled(t)
	w := c.workload(config)
	q := pinned(t, w)
	c.scaled("reviews-v1", 6)
	least := func(traffic canary.Traffic) int32 {
		q.Fence.Serial++
		q.Traffic = traffic
		_, err := w.Inspect(t.Context(), q)
		require.NoError(t, err)
		return leasts(t, config)[0]
	}
	require.EqualValues(t, 2, least(canary.Traffic{Mirror: canary.Full}))
	require.EqualValues(t, 2, least(canary.Traffic{Cohorts: "staff"}))
	require.EqualValues(t, 30, least(canary.Traffic{HeaderRoutes: true}))
}

func TestWhatCannotBeReachedIsRefusedBefore(t *testing.T) {
	plan, err := canary.NewPlan("reviews").Weights(canary.Linear(25*canary.Percent, 25*canary.Percent, canary.Full), canary.Step{Requires: canary.Nothing}).End(canary.End{Kind: canary.Stay}).Build()
	require.NoError(t, err)
	for name, x := range map[string]struct {
		change func(cluster, *workload.Config)
		want   []canary.Finding
	}{
		"nothing is in the way": {},
		"the autoscaler allows too few": {func(c cluster, _ *workload.Config) { c.scaled("reviews-v1", 41) }, []canary.Finding{{
			Problem: "100% of the traffic needs 41 replicas of canary reviews-v2, by the 41 that stable reviews-v1 has, and it gets 40 at most: raise that, or set Config.Capacity", Refuses: true,
		}}},
		"one replica is enough": {func(c cluster, w *workload.Config) {
			c.scaled("reviews-v1", 41)
			w.Capacity = workload.AtLeastOne
		}, nil},
		"nobody raises the autoscaler": {func(_ cluster, w *workload.Config) { w.Scaling.Canary = workload.ReadOnly(w.Scaling.Canary) }, []canary.Finding{{
			Problem: "100% of the traffic needs 30 replicas of canary reviews-v2, by the 30 that stable reviews-v1 has, and it keeps 1 at least, and gets no more before it has the traffic: raise that, let the rollout do it (Config.Scaling), or set Config.Capacity", Refuses: true,
		}}},
		"nobody scales": {func(_ cluster, w *workload.Config) { w.Scaling, w.Load = workload.Scaling{}, nil }, []canary.Finding{{
			Problem: "100% of the traffic needs 30 replicas of canary reviews-v2, by the 30 that stable reviews-v1 has, and it has 1, which the rollout does not change: it will wait; scale it, or set Config.Scaling or Config.Capacity",
		}}},
		"a quota has no room": {func(c cluster, w *workload.Config) {
			c.quota("all", corev1.ResourceList{"pods": resource.MustParse("40"), "requests.cpu": resource.MustParse("10")}, corev1.ResourceList{"pods": resource.MustParse("31"), "requests.cpu": resource.MustParse("6200m")})
			c.change("reviews-v2", func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("200m")}
			})
		}, []canary.Finding{{
			Problem: "100% of the traffic needs 30 replicas of canary reviews-v2, by the 30 that stable reviews-v1 has, and ResourceQuota all has no room for 29 more: 3800m of requests.cpu are left, and 5800m are needed, 9 of pods are left, and 29 are needed", Refuses: true,
		}}},
		"a quota has room": {func(c cluster, w *workload.Config) {
			c.quota("all", corev1.ResourceList{"pods": resource.MustParse("60"), "limits.cpu": resource.MustParse("1")}, corev1.ResourceList{"pods": resource.MustParse("31")})
		}, nil},
		"the load is not known": {func(_ cluster, w *workload.Config) {
			w.Load = func(context.Context) (float64, error) { return 0, errors.New("store away") }
		}, []canary.Finding{{Problem: "the load is not known (store away): the versions keep replicas by what stable has when the rollout begins, whatever the load is later"}}},
		"nobody tells the load": {func(_ cluster, w *workload.Config) { w.Load = nil }, []canary.Finding{{Problem: "the load is not known (there is no Config.Load): the versions keep replicas by what stable has when the rollout begins, whatever the load is later"}}},
		"there is no load": {func(_ cluster, w *workload.Config) {
			w.Load = func(context.Context) (float64, error) { return 0, nil }
		}, []canary.Finding{{Problem: "the load is not known (there are no requests): the versions keep replicas by what stable has when the rollout begins, whatever the load is later"}}},
		"the canary is scaled to zero": {func(c cluster, _ *workload.Config) { c.scaled("reviews-v2", 0) }, []canary.Finding{{
			Problem: "100% of the traffic needs 30 replicas of canary reviews-v2, by the 30 that stable reviews-v1 has, and a HorizontalPodAutoscaler leaves it alone as long as it is scaled to zero: it will wait; scale it to 1",
		}}},
		"stable has no bound": {func(c cluster, w *workload.Config) {
			w.Scaling.Stable = workload.Replicas(c.client, "bookinfo", "reviews-v1")
		}, []canary.Finding{{Problem: "the load is not followed, because Scaling.Stable does not say how many replicas stable may have at most: the versions keep replicas by what stable has when the rollout begins, whatever the load is later"}}},
		"requests start the canary": {func(c cluster, w *workload.Config) {
			w.FromZero, w.Scaling.Canary = true, nil
			c.scaled("reviews-v2", 0)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, config := autoscaled(t)
			clients, err := kubernetes.NewForConfig(c.server.Config())
			require.NoError(t, err)
			config.Load = func(context.Context) (float64, error) { return 300, nil }
			config.Quotas = clients.CoreV1().ResourceQuotas("bookinfo")
			if x.change != nil {
				x.change(c, &config)
			}
			found, err := c.workload(config).Check(t.Context(), plan)
			require.NoError(t, err)
			require.Equal(t, x.want, found)
		})
	}
}

func (c cluster) quota(name string, hard, used corev1.ResourceList) {
	clients, err := kubernetes.NewForConfig(c.server.Config())
	require.NoError(c, err)
	quotas := clients.CoreV1().ResourceQuotas("bookinfo")
	q, err := quotas.Create(context.Background(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ResourceQuotaSpec{Hard: hard}}, metav1.CreateOptions{})
	require.NoError(c, err)
	q.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: used}
	_, err = quotas.UpdateStatus(context.Background(), q, metav1.UpdateOptions{})
	require.NoError(c, err)
}

// A canary that its first requests start is neither waited for nor dead.
func TestACanaryMayStartWithItsFirstRequest(t *testing.T) {
	c := newCluster(t)
	c.scaled("reviews-v2", 0)
	q := canary.Question{Fence: at(1), Traffic: canary.Traffic{Canary: 10 * canary.Percent}}
	for from, want := range map[bool]canary.Reply{true: canary.Yes, false: canary.Wait} {
		config := both
		config.FromZero = from
		w := c.workload(config)
		a, err := w.Ready(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, want, a.Reply)
		seen, err := w.Inspect(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, from, seen.Dead == "")
	}
}
