package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
)

// What Prometheus counted is what the servers served, also when the processes in
// the pods begin anew. When pods are replaced, what a new one served before its
// first reading is left out, as package metrics says.
func TestCountsAreWhatTheServersServedAcrossRestarts(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	b := newBookinfo(t)
	b.v2.FailEvery = 7
	b.write(t, canary.Traffic{Canary: 30 * canary.Percent, Mirror: canary.Full})
	live := 0
	for _, c := range []struct {
		name   string
		change func(*testing.T)
	}{
		{"new pods", func(*testing.T) {}},
		{"the same pods with new processes", func(*testing.T) { b.plane.RestartPods(b.namespace, "reviews-v2") }},
		{"other pods", func(t *testing.T) {
			if b.replacePods(t) == "v2" {
				live++
			}
		}},
	} {
		c.change(t)
		b.scraped(t)
		load := traffic.Start(b.gateway, 300)
		before, _ := b.v2.Served()
		require.Eventually(t, func() bool { now, _ := b.v2.Served(); return now > before+300 }, time.Minute, time.Millisecond)
		tally := load.Stop()
		require.Zero(t, tally.Lost, tally)
		live += tally.By["v2"]

		served := func() metrics.Counts { // copies may be on their way
			all, failed := b.v2.Served()
			return metrics.Counts{Total: float64(all), Bad: float64(failed)}
		}
		missed := b.counted(t, metrics.Query{Arm: b.arm("reviews-v2"), Reporter: metrics.Destination}, begin, served)
		t.Logf("%s: %v served, %v of it before a first reading", c.name, served(), missed)
	}
	// The proxies that sent the requests know nothing of the copies.
	b.counted(t, metrics.Query{Arm: b.arm("reviews-v2")}, begin, func() metrics.Counts {
		return metrics.Counts{Total: float64(live), Bad: float64(b.gateway.Failed())}
	})
}

// counted waits until Prometheus has read as much as there was, and returns what
// of that came before the first readings of proxies.
func (b *bookinfo) counted(t *testing.T, q metrics.Query, from time.Time, served func() metrics.Counts) (missed metrics.Counts) {
	provider := b.counts(t)
	var counted metrics.Counts
	exact := func() bool {
		to := time.Now()
		var err error
		if counted, err = provider.Counts(t.Context(), q, metrics.Window{From: from, To: to}); err != nil {
			return false
		}
		missed = b.firstReadings(t, q, to.Sub(from))
		return counted.Add(missed) == served()
	}
	if !poll(t, exact) {
		require.Equal(t, served(), counted.Add(missed), "counted and missed")
	}
	return missed
}

func poll(t *testing.T, done func() bool) bool {
	const limit, pause = 20 * time.Second, 50 * time.Millisecond
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if done() {
			return true
		}
		select {
		case <-t.Context().Done():
			return false
		case <-time.After(pause):
		}
	}
	return false
}

// ask asks Prometheus.
func (b *bookinfo) ask(t *testing.T, query string) model.Value {
	client, err := prom.NewClient(prom.Config{Address: b.plane.Prometheus()})
	require.NoError(t, err)
	answer, _, err := promapi.NewAPI(client).Query(t.Context(), query, time.Now())
	require.NoError(t, err)
	return answer
}

// scraped waits until Prometheus reads all pods that there are.
func (b *bookinfo) scraped(t *testing.T) {
	_, kube := clients(t)
	require.Eventually(t, func() bool {
		pods, err := kube.CoreV1().Pods(b.namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		up, ok := b.ask(t, fmt.Sprintf(`up{namespace=%q} == 1 and time() - timestamp(up) < 1`, b.namespace)).(model.Vector)
		read := map[string]bool{}
		for _, sample := range up {
			read[string(sample.Metric["pod"])] = true
		}
		return ok && !slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool { return !read[p.Name] })
	}, time.Minute, 50*time.Millisecond)
}

// firstReadings sums up what was read of a process when it was first read.
func (b *bookinfo) firstReadings(t *testing.T, q metrics.Query, window time.Duration) metrics.Counts {
	matrix, ok := b.ask(t, fmt.Sprintf(`istio_requests_total{reporter=%q,destination_workload=%q,namespace=%q}[%v]`,
		q.Reporter, q.Arm.Workload, b.namespace, model.Duration(window))).(model.Matrix)
	require.True(t, ok)
	first := map[model.LabelValue]model.SamplePair{}
	var sum metrics.Counts
	for _, series := range matrix {
		pod, sample := series.Metric["pod"], series.Values[0]
		if at, ok := first[pod]; !ok || sample.Timestamp < at.Timestamp {
			first[pod] = sample
		}
	}
	for _, series := range matrix {
		if sample := series.Values[0]; sample.Timestamp == first[series.Metric["pod"]].Timestamp {
			sum.Total += float64(sample.Value)
			if series.Metric["response_code"] == "500" {
				sum.Bad += float64(sample.Value)
			}
		}
	}
	return sum
}

// replacePods deletes the pods of v2 and waits until there are others. It returns the
// version that answers first.
func (b *bookinfo) replacePods(t *testing.T) string {
	_, kube := clients(t)
	pods := kube.CoreV1().Pods(b.namespace)
	names := func() map[string]bool {
		list, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "version=v2"})
		require.NoError(t, err)
		all := map[string]bool{}
		for _, pod := range list.Items {
			all[pod.Name] = pod.Status.PodIP != ""
		}
		return all
	}
	old := names()
	b.deletePods(t)
	replaced := func() bool {
		now := names()
		left := maps.Clone(now)
		maps.DeleteFunc(left, func(name string, _ bool) bool { return !old[name] })
		maps.DeleteFunc(now, func(_ string, runs bool) bool { return !runs })
		return len(left) == 0 && len(now) == len(old)
	}
	require.Eventually(t, replaced, time.Minute, 10*time.Millisecond)
	version, err := traffic.Wait(t.Context(), b.gateway)
	require.NoError(t, err)
	return version
}

// deletePods deletes the pods of v2.
func (b *bookinfo) deletePods(t *testing.T) {
	_, kube := clients(t)
	err := kube.CoreV1().Pods(b.namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "version=v2"})
	require.NoError(t, err)
}

// write steers the traffic without a rollout.
func (b *bookinfo) write(t *testing.T, to canary.Traffic) {
	router := b.router(t)
	reading, err := router.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, router.Write(t.Context(), reading, to, reading.State))
}

// How long a write takes to reach the proxies is what Settle must exceed.
func TestAWriteIsSeenByTheProxiesWithinTheSettleTime(t *testing.T) {
	t.Parallel()
	b := newBookinfo(t)
	var took []time.Duration
	for i := range 20 {
		to, want := share(100), "v2"
		if i%2 == 1 {
			to, want = share(0), "v1"
		}
		b.write(t, to)
		written := time.Now()
		for _, c := range []traffic.Caller{b.gateway, b.client} {
			require.Eventually(t, func() bool { v, err := traffic.Once(c); return err == nil && v == want }, 10*time.Second, time.Millisecond)
		}
		took = append(took, time.Since(written).Round(time.Millisecond))
	}
	slices.Sort(took)
	t.Logf("from write to effect: median %v, longest %v", took[len(took)/2], took[len(took)-1])
}
