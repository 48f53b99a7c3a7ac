package main

import (
	"context"
	"fmt"
	"io"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/metrics/prometheus"
	"github.com/serin-go/serin/routing"
)

const namespace = "bookinfo"

// newRunner wires the rollout: what is steered, who judges, what is promoted.
// The clients may be those of a cluster or of the embedded mesh.
func newRunner(p canary.Plan, cluster *rest.Config, o options, observe canary.Observer) (*canary.Runner, error) {
	router, deployments, err := newParts(cluster)
	if err != nil {
		return nil, err
	}
	judge, err := newJudge(o)
	if err != nil {
		return nil, err
	}
	return canary.NewRunner(canary.Config{
		Plan:      p,
		Router:    router,
		Workload:  deployments,
		Analyzer:  judge,
		Observers: []canary.Observer{observe},
	})
}

// newParts wires what talks to the API server.
func newParts(cluster *rest.Config) (*routing.Router, *workload.Deployments, error) {
	istioClient, err := istio.NewForConfig(cluster)
	if err != nil {
		return nil, nil, err
	}
	kube, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return nil, nil, err
	}
	rules, err := routing.NewHTTP(routing.Target{Namespace: namespace, Name: "reviews", Arms: routing.Arms{
		Stable: routing.Destination{Host: "reviews", Subset: "v1"},
		Canary: routing.Destination{Host: "reviews", Subset: "v2"},
	}, Exclusive: true}) // nobody else has rules for its host at the gateway
	if err != nil {
		return nil, nil, err
	}
	deployments, err := workload.New(kube.AppsV1().Deployments(namespace), workload.Config{
		Namespace: namespace, Stable: "reviews-v1", Canary: "reviews-v2",
	})
	return routing.NewRouter(rules.Object(istioClient.NetworkingV1().VirtualServices(namespace))), deployments, err
}

// newJudge compares v2 with v1, and holds v2 to 2 % of errors, which counts when
// v1 has no traffic to compare with. 1 % more errors than v1 has are accepted: that
// can be seen in some hundred requests.
func newJudge(o options) (analysis.Analyzer, error) {
	client, err := api.NewClient(api.Config{Address: o.prometheus})
	if err != nil {
		return nil, err
	}
	counts, err := prometheus.New(promv1.NewAPI(client), prometheus.Config{})
	if err != nil {
		return nil, err
	}
	accepted := sequential.Rate{Pass: sequential.Margin{Factor: 1.5, Extra: 0.01}}
	return sequential.Judge{
		Provider: counts,
		Canary:   metrics.Arm{Workload: "reviews-v2", Namespace: namespace},
		Baseline: metrics.Arm{Workload: "reviews-v1", Namespace: namespace},
		Metrics:  []sequential.Metric{accepted, sequential.Rate{Objective: 0.98}},
		Tuning:   sequential.Tuning{Look: o.look},
	}, nil
}

// onCluster drives the rollout on a real cluster.
func onCluster(ctx context.Context, p canary.Plan, o options, out io.Writer) (canary.State, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return canary.State{}, err
	}
	if err := checkRights(ctx, p, config); err != nil {
		return canary.State{}, err
	}
	runner, err := newRunner(p, config, o, newScreen(out, p).show)
	if err != nil {
		return canary.State{}, err
	}
	fmt.Fprintf(out, "%s on %s\n%s\n\n", p.Name(), config.Host, legend)
	return runner.Run(ctx)
}
