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
	"github.com/serin-go/serin/canary/release"
	"github.com/serin-go/serin/metrics/prometheus"
)

const namespace = "bookinfo"

// reviews is the service: version 2 is to replace version 1. No other VirtualService has
// rules for its host at the gateway.
var reviews = release.Service{
	Namespace: namespace, Name: "reviews", Exclusive: true,
	Stable: release.Version{Deployment: "reviews-v1", Subset: "v1"},
	Canary: release.Version{Deployment: "reviews-v2", Subset: "v2"},
}

// newRunner makes the rollout. The clients may be those of a cluster or of the embedded
// mesh.
func newRunner(p canary.Plan, cluster *rest.Config, o options, observe canary.Observer) (*canary.Runner, error) {
	parts, err := newParts(cluster)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(api.Config{Address: o.prometheus})
	if err != nil {
		return nil, err
	}
	counts, err := prometheus.New(promv1.NewAPI(client), prometheus.Config{})
	if err != nil {
		return nil, err
	}
	config := parts.Config(p)
	config.Analyzer = newJudge(o, parts, counts)
	config.Verifier = parts.Verifier(counts, p.ScrapeLag())
	config.Observers = []canary.Observer{observe}
	return canary.NewRunner(config)
}

// newParts makes the parts that talk to the API server.
func newParts(cluster *rest.Config) (release.Parts, error) {
	istioClient, err := istio.NewForConfig(cluster)
	if err != nil {
		return release.Parts{}, err
	}
	kube, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		return release.Parts{}, err
	}
	return reviews.Parts(istioClient.NetworkingV1().VirtualServices(namespace), kube.AppsV1().Deployments(namespace))
}

// newJudge compares v2 with v1, and holds v2 to 2 % of errors, which counts when v1 has no
// traffic to compare with. It accepts 1 % more errors than v1 has, because some hundred
// requests show that.
func newJudge(o options, parts release.Parts, counts *prometheus.Provider) analysis.Analyzer {
	accepted := sequential.Rate{Pass: sequential.Margin{Factor: 1.5, Extra: 0.01}}
	judge := parts.Judge(counts, accepted, sequential.Rate{Objective: 0.98})
	judge.Tuning.Look = o.look
	return judge
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
