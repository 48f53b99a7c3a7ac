package workload_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hpa-%[1]s, namespace: bookinfo}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: reviews-%[1]s}
  minReplicas: %[2]d
  maxReplicas: 40
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]
`

// least is a Floor and what its object has.
type least struct {
	workload.Floor
	object func() metav1.Object
	value  func() int32
	set    func(int32)
}

// floors are the Floors of the canary: by replicas, and by an autoscaler.
func (c cluster) floors() map[string]least {
	clients, err := kubernetes.NewForConfig(c.server.Config())
	require.NoError(c, err)
	hpas := clients.AutoscalingV2().HorizontalPodAutoscalers("bookinfo")
	hpa := func() *autoscalingv2.HorizontalPodAutoscaler {
		h, err := hpas.Get(context.Background(), "hpa-v2", metav1.GetOptions{})
		require.NoError(c, err)
		return h
	}
	return map[string]least{
		"replicas": {
			workload.Replicas(c.client, "bookinfo", "reviews-v2"),
			func() metav1.Object { return c.get("reviews-v2") },
			func() int32 { return *c.get("reviews-v2").Spec.Replicas },
			func(n int32) {
				d := c.get("reviews-v2")
				d.Spec.Replicas = &n
				_, err := c.client.Update(context.Background(), d, metav1.UpdateOptions{})
				require.NoError(c, err)
			},
		},
		"autoscaler": {
			workload.Autoscaler(hpas, "bookinfo", "hpa-v2", "reviews-v2"),
			func() metav1.Object { return hpa() },
			func() int32 { return *hpa().Spec.MinReplicas },
			func(n int32) {
				h := hpa()
				h.Spec.MinReplicas = &n
				_, err := hpas.Update(context.Background(), h, metav1.UpdateOptions{})
				require.NoError(c, err)
			},
		},
	}
}

// eachFloor runs a test for each kind of Floor, with three replicas to begin with.
func eachFloor(t *testing.T, test func(*testing.T, cluster, least)) {
	for _, name := range []string{"replicas", "autoscaler"} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			require.NoError(t, c.server.Load(fmt.Appendf(nil, autoscaler, "v2", 3)))
			c.server.ResetRequests()
			test(t, c, c.floors()[name])
		})
	}
}

func ask(serial int64) canary.Question { return canary.Question{Fence: at(serial)} }

func TestAFloorGetsBackWhatItWasExactly(t *testing.T) {
	eachFloor(t, func(t *testing.T, c cluster, f least) {
		before := f.object()
		raised := func(serial int64, n int32) canary.Answer {
			a, err := f.Raise(t.Context(), ask(serial), n)
			require.NoError(t, err)
			return a
		}
		require.Equal(t, canary.Yes, raised(2, 0).Reply)
		require.EqualValues(t, 3, f.value())
		require.Equal(t, 1, c.writes(), "it remembers what it was")
		require.Equal(t, canary.Yes, raised(3, 2).Reply)
		require.EqualValues(t, 3, f.value(), "it is more already")
		require.Zero(t, c.writes())
		require.Equal(t, canary.Yes, raised(4, 10).Reply)
		require.EqualValues(t, 10, f.value())
		require.Equal(t, canary.Yes, raised(5, 8).Reply)
		require.EqualValues(t, 10, f.value(), "nothing is scaled down on the way")
		require.Equal(t, canary.Yes, raised(6, 30).Reply)
		require.EqualValues(t, 30, f.value())
		require.Equal(t, 2, c.writes())

		require.NoError(t, f.Release(t.Context(), ask(7), false))
		require.EqualValues(t, 3, f.value())
		after := f.object()
		require.Equal(t, before.GetAnnotations(), after.GetAnnotations())
		require.Equal(t, 1, c.writes())
		require.NoError(t, f.Release(t.Context(), ask(8), false))
		require.Zero(t, c.writes(), "once is enough")
	})
}

func TestAFloorKeepsWhatItsOwnerHasSetSince(t *testing.T) {
	eachFloor(t, func(t *testing.T, _ cluster, f least) {
		for serial, n := range map[int64]int32{10: 12, 20: 2} {
			_, err := f.Raise(t.Context(), ask(serial), 10)
			require.NoError(t, err)
			f.set(n)
			require.NoError(t, f.Release(t.Context(), ask(serial+1), false))
			require.Equal(t, n, f.value())
		}
	})
}

func TestADeploymentThatServesKeepsItsReplicas(t *testing.T) {
	eachFloor(t, func(t *testing.T, _ cluster, f least) {
		_, err := f.Raise(t.Context(), ask(2), 10)
		require.NoError(t, err)
		require.NoError(t, f.Release(t.Context(), ask(3), true))
		want := int32(3) // the autoscaler follows the traffic
		if _, ok := f.Floor.(workload.Field[*appsv1.Deployment]); ok {
			want = 10
		}
		require.Equal(t, want, f.value())
		require.NotContains(t, f.object().GetAnnotations(), "serin-go.github.io/scaling")
	})
}

func TestTwoToolsDoNotFightOverAFloor(t *testing.T) {
	eachFloor(t, func(t *testing.T, c cluster, f least) {
		for serial := int64(2); serial < 6; serial++ {
			a, err := f.Raise(t.Context(), ask(serial), 10)
			require.NoError(t, err)
			require.Equal(t, canary.Yes, a.Reply)
			f.set(2)
		}
		c.server.ResetRequests()
		a, err := f.Raise(t.Context(), ask(6), 10)
		require.NoError(t, err)
		require.Equal(t, canary.Wait, a.Reply)
		require.Contains(t, a.Reason, "keeps at least 2 replicas, and 10 are needed: somebody has set it back from 10 to 2 4 times")
		require.Zero(t, c.writes())
		require.NoError(t, f.Release(t.Context(), ask(7), false))
		require.EqualValues(t, 2, f.value())
	})
}

// What a rollout has raised and not given back, because it was reset, is not the owner's.
func TestTheNextRolloutGivesBackWhatTheLastOneDidNot(t *testing.T) {
	eachFloor(t, func(t *testing.T, _ cluster, f least) {
		_, err := f.Raise(t.Context(), ask(2), 10)
		require.NoError(t, err)
		next := canary.Question{Fence: canary.Fence{Rollout: "second", Serial: 9}}
		_, err = f.Raise(t.Context(), next, 5)
		require.NoError(t, err)
		require.EqualValues(t, 10, f.value())
		require.NoError(t, f.Release(t.Context(), ask(3), false))
		require.EqualValues(t, 10, f.value(), "it belongs to the second")
		require.NoError(t, f.Release(t.Context(), next, false))
		require.EqualValues(t, 3, f.value())
	})
}

func TestAStaleDriverRaisesNothing(t *testing.T) {
	eachFloor(t, func(t *testing.T, c cluster, f least) {
		_, err := f.Raise(t.Context(), ask(5), 10)
		require.NoError(t, err)
		_, err = f.Raise(t.Context(), ask(4), 20)
		require.ErrorIs(t, err, canary.ErrConflict)
		stale := ask(6)
		stale.Current = func(context.Context) error { return canary.ErrConflict }
		c.server.ResetRequests()
		_, err = f.Raise(t.Context(), stale, 20)
		require.ErrorIs(t, err, canary.ErrConflict)
		require.ErrorIs(t, f.Release(t.Context(), ask(4), false), canary.ErrConflict)
		over := false
		stale.Current = func(ctx context.Context) error { // the rollout ends before the write
			if over {
				return canary.ErrConflict
			}
			over = true
			return f.Release(ctx, ask(7), false)
		}
		_, err = f.Raise(t.Context(), stale, 20)
		require.ErrorIs(t, err, canary.ErrConflict)
		require.True(t, over)
		require.EqualValues(t, 3, f.value())
		require.Empty(t, f.object().GetAnnotations()["serin-go.github.io/scaling"])
	})
}

func TestWhatAnAutoscalerCannotHaveIsSaid(t *testing.T) {
	c := newCluster(t)
	require.NoError(t, c.server.Load(fmt.Appendf(nil, autoscaler, "v2", 3)))
	f := c.floors()["autoscaler"]
	a, err := f.Raise(t.Context(), ask(2), 50)
	require.NoError(t, err)
	require.Equal(t, canary.Wait.Because("HorizontalPodAutoscaler hpa-v2 keeps at least 40 replicas, and 50 are needed: it allows 40 at most"), a)
	require.EqualValues(t, 40, f.value(), "what it can have helps as well")

	clients, err := kubernetes.NewForConfig(c.server.Config())
	require.NoError(t, err)
	other := workload.Autoscaler(clients.AutoscalingV2().HorizontalPodAutoscalers("bookinfo"), "bookinfo", "hpa-v2", "reviews-v1")
	found, err := other.Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Equal(t, []canary.Finding{{Problem: "HorizontalPodAutoscaler hpa-v2 cannot be raised: it scales Deployment reviews-v2, not Deployment reviews-v1", Refuses: true}}, found)
	a, err = other.Raise(t.Context(), ask(3), 41)
	require.NoError(t, err)
	require.Contains(t, a.Reason, "not Deployment reviews-v1")

	require.NoError(t, c.server.Update("horizontalpodautoscalers.autoscaling", "bookinfo", "hpa-v2", func(o map[string]any) {
		o["metadata"].(map[string]any)["ownerReferences"] = []any{map[string]any{
			"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "reviews", "uid": "1", "controller": true,
		}}
	}))
	found, err = f.Floor.(canary.Checker).Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Equal(t, []canary.Finding{{Problem: "HorizontalPodAutoscaler hpa-v2 cannot be raised: it belongs to ScaledObject reviews, which would set it back: make a workload.Field of that", Refuses: true}}, found)

	missing := workload.Autoscaler(clients.AutoscalingV2().HorizontalPodAutoscalers("bookinfo"), "bookinfo", "none", "reviews-v1")
	found, err = missing.Check(t.Context(), canary.Plan{})
	require.NoError(t, err)
	require.Equal(t, []canary.Finding{{Problem: "there is no HorizontalPodAutoscaler none in namespace bookinfo; create it, or correct its name", Refuses: true}}, found)
	_, err = missing.Raise(t.Context(), ask(3), 41)
	require.ErrorIs(t, err, canary.ErrRefused)
}

func TestAnAnnotationThatNoRolloutWroteIsNotBelieved(t *testing.T) {
	eachFloor(t, func(t *testing.T, c cluster, f least) {
		for _, text := range []string{"", "{}", "x", `{"rollout":"first","serial":-1,"was":1}`, `{"rollout":"first","serial":1,"was":-1}`, `{"rollout":"first","serial":1,"was":1,"set":0}`} {
			kind, name := deployments, "reviews-v2"
			if f.object().GetName() == "hpa-v2" {
				kind, name = "horizontalpodautoscalers.autoscaling", "hpa-v2"
			}
			require.NoError(t, c.server.Update(kind, "bookinfo", name, func(o map[string]any) {
				o["metadata"].(map[string]any)["annotations"] = map[string]any{"serin-go.github.io/scaling": text}
			}))
			_, err := f.Raise(t.Context(), ask(2), 10)
			require.ErrorIs(t, err, canary.ErrBadState, text)
			require.ErrorContains(t, err, "annotation serin-go.github.io/scaling")
			require.ErrorIs(t, f.Release(t.Context(), ask(2), false), canary.ErrBadState)
			require.EqualValues(t, 3, f.value())
		}
	})
}

// flaky loses requests, or their answers.
type flaky struct {
	workload.Client
	draw func() int // 0 loses the request, 1 its answer
}

var errFlaky = errors.New("connection reset")

func (f flaky) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*appsv1.Deployment, error) {
	switch f.draw() {
	case 0:
		return nil, errFlaky
	case 1:
		_, err := f.Client.Patch(ctx, name, pt, data, o, sub...)
		return nil, errors.Join(errFlaky, err)
	}
	return f.Client.Patch(ctx, name, pt, data, o, sub...)
}

// Whatever requests and answers are lost, and whenever the owner sets another number: nothing is
// scaled down before the end, and then the owner has what he set last.
func TestAFloorIsGivenBackWhateverIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(t)
		client := flaky{c.client, func() int { return rapid.IntRange(0, 5).Draw(t, "fault") }}
		f := c.floors()["replicas"]
		f.Floor = workload.Replicas(client, "bookinfo", "reviews-v2")
		owner, serial := int32(3), int64(1)
		t.Repeat(map[string]func(*rapid.T){
			"raise": func(t *rapid.T) {
				serial++
				before := f.value()
				_, err := f.Raise(context.Background(), ask(serial), 2*rapid.Int32Range(0, 10).Draw(t, "n"))
				if err != nil {
					require.ErrorIs(t, err, errFlaky)
				}
				require.GreaterOrEqual(t, f.value(), before)
			},
			"edit": func(t *rapid.T) {
				owner = 1 + 2*rapid.Int32Range(0, 10).Draw(t, "owner") // never what the rollout has set
				f.set(owner)
			},
			"end": func(t *rapid.T) {
				for serial++; ; {
					if err := f.Release(context.Background(), ask(serial), false); err == nil {
						break
					}
				}
				require.Empty(t, f.object().GetAnnotations())
				require.Equal(t, owner, f.value())
			},
		})
	})
}
