package workload

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
)

var (
	began  = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	before = began.Add(-time.Hour)
	after  = began.Add(time.Minute)
)

// pod is one that was created at a time, with containers.
func pod(created time.Time, containers ...corev1.ContainerStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(created)},
		Status:     corev1.PodStatus{ContainerStatuses: containers},
	}
}

// crashed is a container that has restarted n times, the last time after it ended at a time.
func crashed(name string, n int32, at time.Time, reason string, code int32) corev1.ContainerStatus {
	s := corev1.ContainerStatus{Name: name, RestartCount: n}
	s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code, FinishedAt: metav1.NewTime(at)}
	return s
}

func oom(n int32, at time.Time) corev1.ContainerStatus {
	return crashed("app", n, at, "OOMKilled", 137)
}

// many are n pods, all like one.
func many(n int, one *corev1.Pod) (all []*corev1.Pod) {
	for range n {
		all = append(all, one)
	}
	return all
}

func looping() corev1.ContainerStatus {
	s := crashed("app", 4, after, "Error", 1)
	s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
	return s
}

// forgotten is a container whose earlier ones the kubelet has removed.
func forgotten(n int32, started time.Time) corev1.ContainerStatus {
	s := corev1.ContainerStatus{Name: "app", RestartCount: n}
	s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}
	return s
}

// sidecar has an init container that runs as long as its pod, and one that does not.
func sidecar(n int32) *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	p := pod(after)
	p.Spec.InitContainers = []corev1.Container{{Name: "proxy", RestartPolicy: &always}, {Name: "migrate"}}
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{crashed("proxy", n, after, "Error", 2), crashed("migrate", 9, after, "Error", 2)}
	return p
}

func TestRestartsOfTheCanaryAreComparedWithThoseOfStable(t *testing.T) {
	healthy := pod(before, corev1.ContainerStatus{Name: "app"})
	const since = " since the rollout began, stable v1 "
	for name, c := range map[string]struct {
		canary, stable []*corev1.Pod
		pin            string
		told           string // "" is nothing
		fails          bool
	}{
		"none":                   {canary: many(3, healthy), stable: many(30, healthy)},
		"no pods at all":         {},
		"no pods of the canary":  {stable: many(3, pod(after, oom(9, after)))},
		"few":                    {canary: append(many(2, healthy), pod(after, oom(1, after))), stable: many(30, healthy), told: "canary v2: container app (OOMKilled) restarted once in 3 pods" + since + "0 times in 30"},
		"many":                   {canary: many(3, pod(after, oom(2, after))), stable: many(30, healthy), told: "canary v2: container app (OOMKilled) restarted 6 times in 3 pods" + since + "0 times in 30; at most 5 are allowed", fails: true},
		"as many as are allowed": {canary: many(5, pod(after, oom(1, after))), stable: many(30, healthy), told: "canary v2: container app (OOMKilled) restarted 5 times in 5 pods" + since + "0 times in 30"},
		"a loop":                 {canary: many(1, pod(after, looping())), stable: many(1, healthy), told: "canary v2: container app (Error, exit code 1, CrashLoopBackOff) restarted 4 times in 1 pod" + since + "0 times in 1"},
		"both arms alike":        {canary: many(3, pod(after, oom(9, after))), stable: many(30, pod(after, oom(9, after)))},
		"a little more":          {canary: many(3, pod(after, oom(9, after))), stable: many(30, pod(after, oom(8, after))), told: "canary v2: container app (OOMKilled) restarted 27 times in 3 pods" + since + "240 times in 30"},
		"twice as often":         {canary: many(3, pod(after, oom(8, after))), stable: many(30, pod(after, oom(4, after))), told: "canary v2: container app (OOMKilled) restarted 24 times in 3 pods" + since + "120 times in 30"},
		"more than that":         {canary: many(3, pod(after, oom(9, after))), stable: many(30, pod(after, oom(4, after))), told: "canary v2: container app (OOMKilled) restarted 27 times in 3 pods" + since + "120 times in 30; at most 5 are allowed", fails: true},
		"stable alone":           {canary: many(3, healthy), stable: many(3, pod(after, oom(9, after)))},
		"nobody to compare with": {canary: many(3, pod(after, oom(9, after))), told: "canary v2: container app (OOMKilled) restarted 27 times in 3 pods" + since + "0 times in 0"},
		"before the rollout":     {canary: many(3, pod(before, oom(9, before))), stable: many(3, healthy), pin: "27"},
		"an old pod, no pin":     {canary: many(3, pod(before, oom(9, after))), stable: many(3, healthy), told: "canary v2: container app (OOMKilled) restarted 3 times in 3 pods" + since + "0 times in 3"},
		"an old pod":             {canary: many(3, pod(before, oom(9, after))), stable: many(3, healthy), pin: "6", told: "canary v2: container app (OOMKilled) restarted 21 times in 3 pods" + since + "0 times in 3; at most 5 are allowed", fails: true},
		"pods have gone since":   {canary: many(1, pod(after, oom(1, after))), stable: many(3, healthy), pin: "600", told: "canary v2: container app (OOMKilled) restarted once in 1 pod" + since + "0 times in 3"},
		"a pin of nonsense":      {canary: many(3, pod(before, oom(9, before))), stable: many(3, healthy), pin: "-9"},
		"old pods of stable":     {canary: many(3, pod(after, oom(9, after))), stable: many(3, pod(before, oom(8, after))), told: "canary v2: container app (OOMKilled) restarted 27 times in 3 pods" + since + "at most 24 times in 3"},
		"the node was rebooted":  {canary: many(3, pod(after, crashed("app", 9, after, "Unknown", 255))), stable: many(3, healthy), pin: "0"},
		"forgotten, since":       {canary: many(3, pod(before, forgotten(9, after))), stable: many(3, healthy), told: "canary v2: container app (reason not known) restarted 3 times in 3 pods" + since + "0 times in 3"},
		"forgotten, before":      {canary: many(3, pod(before, forgotten(9, before))), stable: many(3, healthy)},
		"a negative count":       {canary: many(3, pod(after, oom(-9, after))), stable: many(3, pod(after, oom(-9, after))), pin: "0"},
		"sidecars":               {canary: many(1, sidecar(3)), stable: many(1, healthy), told: "canary v2: container proxy (Error, exit code 2) restarted 3 times in 1 pod" + since + "0 times in 1"},
		"two containers":         {canary: many(1, pod(after, oom(2, after), crashed("log", 1, after, "", 3))), stable: many(1, healthy), told: "canary v2: container app (OOMKilled) and container log (no reason, exit code 3) restarted 3 times in 1 pod" + since + "0 times in 1"},
	} {
		t.Run(name, func(t *testing.T) {
			told, fails := judged(c.stable, c.canary, c.pin)
			require.Equal(t, c.told, told)
			require.Equal(t, c.fails, fails)
		})
	}
}

func judged(stable, source []*corev1.Pod, pin string) (told string, fails bool) {
	c := comparison{stable: countRestarts(stable, began), canary: countRestarts(source, began)}
	c.canary.correct(canary.Pin{Restarts: pin})
	return c.judge(Config{Stable: "v1", Canary: "v2", MaxRestarts: 5})
}

var (
	someContainer = rapid.Custom(func(t *rapid.T) corev1.ContainerStatus {
		at := rapid.SampledFrom([]time.Time{{}, before, began, after}).Draw(t, "at")
		reason := rapid.SampledFrom([]string{"OOMKilled", "Error", "Completed", "Unknown"}).Draw(t, "reason")
		s := crashed(rapid.SampledFrom([]string{"app", "log"}).Draw(t, "name"), rapid.Int32Range(-1, 40).Draw(t, "restarts"), at, reason, 1)
		if rapid.Bool().Draw(t, "forgotten") {
			s.LastTerminationState.Terminated = nil
		}
		return s
	})
	somePods = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *corev1.Pod {
		created := rapid.SampledFrom([]time.Time{{}, before, began, after}).Draw(t, "created")
		return pod(created, rapid.SliceOfN(someContainer, 0, 3).Draw(t, "containers")...)
	}), 0, 8)
)

// begins is what Pin would have said of these pods when all restarts so far were before the
// rollout.
func begins(pods []*corev1.Pod) string { return strconv.FormatInt(restartsEver(pods), 10) }

func TestOnlyRestartsThatStableDoesNotHaveFailACanary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pods, others := somePods.Draw(t, "pods"), somePods.Draw(t, "others")
		told, fails := judged(pods, pods, "")
		require.False(t, fails, "both have the same: %s", told)

		quiet := []*corev1.Pod{pod(before), pod(after, corev1.ContainerStatus{Name: "app"})}
		told, fails = judged(pods, quiet, "0")
		require.Empty(t, told, "stable alone")
		require.False(t, fails)

		told, fails = judged(nil, pods, "")
		require.False(t, fails, "there is nobody to compare with: %s", told)

		old := many(3, pod(before, crashed("app", 9, before, "Error", 1)))
		told, _ = judged(others, old, begins(old))
		require.Empty(t, told, "it was all before the rollout")
	})
}

func TestAWorseCanaryFailsToo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stable, source := somePods.Draw(t, "stable"), somePods.Draw(t, "canary")
		pin := rapid.SampledFrom([]string{"", "0", "7"}).Draw(t, "pin")
		told, fails := judged(stable, source, pin)
		var worse []*corev1.Pod
		for i, p := range source {
			p = p.DeepCopy()
			for j := range p.Status.ContainerStatuses {
				p.Status.ContainerStatuses[j].RestartCount += rapid.Int32Range(0, 9).Draw(t, fmt.Sprint("more", i, j))
			}
			worse = append(worse, p)
		}
		toldMore, failsMore := judged(stable, worse, pin)
		require.True(t, !fails || failsMore, "%q fails and %q does not", told, toldMore)
		require.True(t, told == "" || toldMore != "", told)
	})
}
