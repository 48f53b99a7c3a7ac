package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/canary/rights"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
)

// harmed is a rollout in which something goes wrong at 40 %, as in the comparison with the
// controllers of others: 100 requests a second through the gateway, retries off.
type harmed struct {
	*bookinfo
	away atomic.Bool // the metric store
	load *traffic.Load
	seen *seen
}

// TestBesideTheOthers counts the requests that users lose until stable has everything, and
// holds them against what is to be reached beside Flagger and Argo Rollouts.
func TestBesideTheOthers(t *testing.T) {
	for _, row := range []struct {
		name    string
		limit   time.Duration // blind
		watched bool
		harm    func(t *testing.T, b *harmed)
		most    int64
	}{
		{"h, watched", 0, true, func(t *testing.T, b *harmed) { b.scale(t, 0) }, 10},
		{"h, polled once a second", 0, false, func(t *testing.T, b *harmed) { b.scale(t, 0) }, 60},
		{"e, with a blind limit of 5 s", 5 * time.Second, false, func(_ *testing.T, b *harmed) {
			b.away.Store(true)
			time.AfterFunc(5*time.Second, func() { b.v2.Broken.Store(true) })
		}, 300},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := &harmed{bookinfo: newBookinfo(t), seen: watchTraffic()}
			b.load = traffic.Start(b.gateway, 100)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan canary.State)
			runner := b.besideRunner(t, row.limit, row.watched)
			go func() {
				state, _ := runner.Run(ctx)
				ended <- state
			}()
			b.seen.wait(t, share(40))
			<-time.After(2 * time.Second)
			row.harm(t, b)
			b.seen.wait(t, canary.Traffic{})
			<-time.After(time.Second) // what is under way
			tally := b.load.Stop()
			cancel()
			state := <-ended
			failed := int64(tally.Lost) + b.gateway.Failed()
			fmt.Printf("beside: %s, %d failed\n", row.name, failed)
			t.Log(tally, state.Reason)
			require.Equal(t, phase.Retreating, state.Phase, state.Reason)
			require.LessOrEqual(t, failed, row.most)
		})
	}
}

// besideRunner has the settings of the comparison.
func (b *harmed) besideRunner(t *testing.T, limit time.Duration, watched bool) *canary.Runner {
	plan := build(t, canary.NewPlan("reviews").Settle(time.Second).ScrapeLag(time.Second).Interval(time.Second).BlindLimit(limit).
		Weights(canary.Linear(20*canary.Percent, 20*canary.Percent, canary.Full),
			canary.Step{Hold: 10 * time.Second, Deadline: time.Minute, Requires: canary.NoFailure}).
		End(canary.End{Kind: canary.PromoteStable}))
	judge := sequential.Judge{
		Provider: b.counts(t), Canary: b.arm("reviews-v2"), Baseline: b.arm("reviews-v1"),
		Metrics: []sequential.Metric{sequential.Rate{}, sequential.Latency{}},
		Tuning:  sequential.Tuning{Look: time.Second, Reporter: metrics.Destination},
	}
	pods := func(config *rest.Config) *workload.Deployments {
		kube, err := kubernetes.NewForConfig(config)
		require.NoError(t, err)
		c := workload.Config{Namespace: b.namespace, Stable: "reviews-v1", Canary: "reviews-v2"}
		if watched {
			c.Watcher = kube.AppsV1().Deployments(b.namespace)
		}
		w, err := workload.New(kube.AppsV1().Deployments(b.namespace), c)
		require.NoError(t, err)
		return w
	}
	router, _ := b.parts(t, &rest.Config{})
	config := driver(t, rights.Of(plan, router, pods(&rest.Config{})))
	router, _ = b.parts(t, config)
	runner, err := canary.NewRunner(canary.Config{
		Plan: plan, Router: router, Workload: pods(config), Observers: []canary.Observer{b.seen.observe},
		Analyzer: analysis.AnalyzerFunc(func(ctx context.Context, r analysis.Request) (analysis.Result, error) {
			if b.away.Load() {
				return analysis.Result{}, errors.New("prometheus is away")
			}
			return judge.Analyze(ctx, r)
		}),
	})
	require.NoError(t, err)
	return runner
}

// scale sets the replicas of the canary.
func (b *harmed) scale(t *testing.T, replicas int) {
	_, kube := clients(t)
	_, err := kube.AppsV1().Deployments(b.namespace).Patch(t.Context(), "reviews-v2", types.MergePatchType,
		fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{})
	require.NoError(t, err)
}
