package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	prom "github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// newPlan mirrors, then moves the traffic of reviews, then promotes stable. It has a
// revision, so a driver that begins when all is over knows that it is this release.
func newPlan() (canary.Plan, error) {
	like := canary.Step{Hold: 300 * time.Millisecond, Deadline: 5 * time.Minute}
	plan, err := canary.NewPlan("reviews").
		Step(mirror.Steps(like, canary.Full)...).
		Weights(canary.List(20*canary.Percent, 60*canary.Percent, canary.Full), like).
		HeaderRoutes().Settle(200 * time.Millisecond).Interval(100 * time.Millisecond).
		End(canary.End{Kind: canary.PromoteStable, Deadline: 5 * time.Minute}).Build()
	return plan.For("v2"), err
}

// newRouter steers the rule "all" of reviews.
func newRouter(config *rest.Config, namespace string) (*routing.Router, error) {
	mesh, err := istio.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	rules, err := routing.NewHTTP(routing.Target{
		Namespace: namespace, Name: "reviews", Rules: []routing.Rule{{Name: "all"}}, Arms: arms,
	})
	if err != nil {
		return nil, err
	}
	return routing.NewRouter(rules.Object(mesh.NetworkingV1().VirtualServices(namespace))), nil
}

// newPods promotes reviews-v1.
func newPods(config *rest.Config, namespace string) (*workload.Deployments, error) {
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return workload.New(kube.AppsV1().Deployments(namespace), workload.Config{
		Namespace: namespace, Stable: "reviews-v1", Canary: "reviews-v2",
	})
}

// newRunner wires the rollout of reviews as a user would.
func newRunner(config *rest.Config, namespace string, judge analysis.Analyzer, observers ...canary.Observer) (*canary.Runner, error) {
	plan, err := newPlan()
	if err != nil {
		return nil, err
	}
	router, err := newRouter(config, namespace)
	if err != nil {
		return nil, err
	}
	pods, err := newPods(config, namespace)
	if err != nil {
		return nil, err
	}
	return canary.NewRunner(canary.Config{Plan: plan, Router: router, Workload: pods, Analyzer: judge, Observers: observers})
}

// newCounts is what a Prometheus server counted.
func newCounts(url string) (*prometheus.Provider, error) {
	client, err := prom.NewClient(prom.Config{Address: url})
	if err != nil {
		return nil, err
	}
	return prometheus.New(promapi.NewAPI(client), prometheus.Config{MaxAge: 30 * time.Second, Step: plane.Scrape})
}

// The environment variables that make this program a driver of the rollout in a
// namespace, judged by what a Prometheus server counted.
const (
	driverNamespace  = "SERIN_E2E_DRIVE"
	driverPrometheus = "SERIN_E2E_PROMETHEUS"
)

// drive is the driver. Its kubeconfig is in KUBECONFIG, as usual. It ends with
// the rollout, however that ended, and tells its turns.
func drive(namespace string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.Impersonate.UserName = driverOf(namespace)
	counts, err := newCounts(os.Getenv(driverPrometheus))
	if err != nil {
		return err
	}
	runner, err := newRunner(config, namespace, analysis.Threshold{
		Provider: counts, Canary: metrics.Arm{Namespace: namespace, Workload: "reviews-v2"},
		Max: 0.3, MinRequests: 10, // a bad canary fails all requests; on a busy machine, a good one some
	}, func(_ context.Context, e canary.Event) {
		fmt.Fprintln(os.Stderr, os.Getpid(), e.After.Phase, e.Traffic, e.Reason, e.Err)
	})
	if err != nil {
		return err
	}
	_, err = runner.Run(ctx)
	if errors.Is(err, canary.ErrRolledBack) {
		return nil
	}
	return err
}
