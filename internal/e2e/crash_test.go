package e2e_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/routing"
)

var crashes = flag.Uint64("crashes", 3, "rollouts whose drivers are killed again and again")

func TestDriversThatAreKilledAtAnyMomentEndTheRolloutAsOneDoes(t *testing.T) {
	for seed := range *crashes {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := newRelease(t, &fake.Judge{})
			before := r.spec(t)
			changes := r.watch(t)
			var kills atomic.Int64
			var drivers sync.WaitGroup
			for i := range uint64(2) {
				drivers.Go(func() { r.driveAndKill(t, rand.New(rand.NewPCG(seed, i)), &kills) })
			}
			drivers.Wait()

			var steps []canary.Traffic
			var last canary.State
			count, doors := 0, 0
			for !last.Phase.Final() {
				state := next(t, changes)
				if state.Serial == last.Serial {
					require.Equal(t, last, state)
					doors++
					continue
				}
				count++
				require.Greater(t, state.Serial, last.Serial)
				if len(steps) == 0 || state.Traffic != last.Traffic {
					steps = append(steps, state.Traffic)
				}
				last = state
			}
			require.Equal(t, canary.Promoted, last.Phase)
			require.Equal(t, writes(t), count, "each change once")
			require.Equal(t, doorWrites, doors, "up once, and down once")
			t.Logf("%d kills", kills.Load())
			require.Equal(t, []canary.Traffic{{}, {Mirror: canary.Full}, share(20), share(60), share(100), {}}, steps)
			require.JSONEq(t, before, r.spec(t))
			require.Equal(t, "reviews:2", r.stable(t).Spec.Template.Spec.Containers[0].Image)
		})
	}
}

// driveAndKill starts a driver, kills it at some moment and starts the next one,
// until one has come to the end.
func (r *release) driveAndKill(t *testing.T, dice *rand.Rand, kills *atomic.Int64) {
	p := controlPlane(t)
	for {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), driverNamespace+"="+r.namespace, "KUBECONFIG="+p.Kubeconfig())
		driver, err := p.Run("driver-"+r.namespace, cmd)
		if err != nil {
			t.Error(err)
			return
		}
		const least, most = 100 * time.Millisecond, 900 * time.Millisecond
		death := time.AfterFunc(least+time.Duration(dice.Int64N(int64(most-least))), driver.Kill)
		code := driver.Wait()
		if death.Stop() {
			if code != 0 {
				t.Errorf("a driver ended with %d", code)
			}
			return
		}
		kills.Add(1)
	}
}

// watch tells all changes of the VirtualService from now on.
func (r *release) watch(t *testing.T) <-chan watch.Event {
	mesh, _ := clients(t)
	client := mesh.NetworkingV1().VirtualServices(r.namespace)
	list, err := client.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	w, err := client.Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	require.NoError(t, err)
	t.Cleanup(w.Stop)
	return w.ResultChan()
}

// next is the State of the next change.
func next(t *testing.T, changes <-chan watch.Event) canary.State {
	_, state := nextOf(t, changes)
	return state
}

// nextOf is the next change, and of what.
func nextOf(t *testing.T, changes <-chan watch.Event) (string, canary.State) {
	select {
	case e := <-changes:
		vs, ok := e.Object.(*networking.VirtualService)
		require.True(t, ok, "%v", e)
		var state canary.State
		require.NoError(t, state.UnmarshalJSON([]byte(vs.Annotations[routing.StateAnnotation])))
		return vs.Name, state
	case <-time.After(time.Minute):
		require.Fail(t, "no further change")
		return "", canary.State{}
	}
}
