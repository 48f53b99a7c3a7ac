// Package release names a service and two of its versions in one place, and makes the
// parts of a rollout from these names. So the traffic that is steered, the pods that are
// promoted and the requests that are counted belong to the same versions.
package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	networking "istio.io/client-go/pkg/apis/networking/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// Service is a service and the two versions of a rollout.
type Service struct {
	// Namespace is the namespace of the VirtualService, the Deployments and the
	// Kubernetes Service.
	Namespace string
	// Name is the host of the Kubernetes Service.
	Name string
	// VirtualService is the name of the object that steers the traffic; "" means Name.
	VirtualService string

	// Stable and Canary are the two versions. The canary is to replace stable.
	Stable, Canary Version

	// Workload says how the pods are looked at and scaled. Its Namespace, Stable and Canary
	// are those of the Service. If it has no Watcher, and the client of the Deployments can
	// watch, that is the Watcher.
	Workload workload.Config

	// ID, Rules, Mirror and Exclusive are those of routing.Target. The ID is part of the
	// annotation that aborts the rollout: serin-go.github.io/<ID>.abort. By default it is
	// Name.
	ID        string
	Rules     []routing.Rule
	Mirror    mirror.Methods
	Exclusive bool
}

// Version is one version of a service.
type Version struct {
	// Deployment is the name of the Deployment that runs the version.
	Deployment string
	// Subset is the subset of the version in the DestinationRule of its host; "" means
	// that the version has a host of its own. The subset must exist: a proxy answers 503
	// to requests for a missing subset, and these count as requests of no version. A
	// routing.Subsets in Config.Prerequisites creates and checks subsets.
	Subset string
	// Host is the Kubernetes Service of this version alone; "" means Service.Name.
	Host string
}

// Parts are the parts of a rollout.
type Parts struct {
	Router   *routing.Router
	Workload *workload.Deployments
	// Stable and Canary are the arms whose requests a judge counts.
	Stable, Canary metrics.Arm

	copied bool // all requests, whatever their method
}

// Target returns the routing.Target of the service.
func (s Service) Target() routing.Target {
	name := s.VirtualService
	if name == "" {
		name = s.Name
	}
	return routing.Target{
		ID: s.ID, Namespace: s.Namespace, Name: name, Rules: s.Rules, Mirror: s.Mirror, Exclusive: s.Exclusive,
		Arms: routing.Arms{Stable: s.destination(s.Stable), Canary: s.destination(s.Canary)},
	}
}

func (s Service) destination(v Version) routing.Destination {
	if v.Host == "" {
		v.Host = s.Name
	}
	return routing.Destination{Host: v.Host, Subset: v.Subset}
}

// Parts returns the parts, or an error with every mistake in s. The clients are those for
// s.Namespace. If the client of the Deployments can watch, as the typed client can, Run
// looks as soon as the canary Deployment changes, which needs the right to watch it.
// Parts reads and writes nothing.
func (s Service) Parts(virtualServices routing.Client[networking.VirtualService], deployments workload.Client) (Parts, error) {
	rules, err := routing.NewHTTP(s.Target())
	config := s.Workload
	config.Namespace, config.Stable, config.Canary = s.Namespace, s.Stable.Deployment, s.Canary.Deployment
	if config.Watcher == nil {
		config.Watcher, _ = deployments.(workload.Watcher)
	}
	pods, podsErr := workload.New(deployments, config)
	errs := []error{err, podsErr}
	var router *routing.Router
	if err == nil {
		router = routing.NewRouter(rules.Object(virtualServices))
		errs = append(errs, router.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return Parts{}, fmt.Errorf("release: service %s/%s: %w", s.Namespace, s.Name, err)
	}
	return Parts{Router: router, Workload: pods, Stable: s.arm(s.Stable), Canary: s.arm(s.Canary), copied: s.Mirror.Every()}, nil
}

// Paths returns a preflight check for canary.Config.Checks: whether users can reach the pods of both
// versions. The clients are those for s.Namespace, but with rules for all namespaces the
// DestinationRules of clients' own namespaces are looked at as well. Provided are subsets that a
// routing.Subsets in Config.Prerequisites adds.
func (s Service) Paths(
	services routing.Getter[corev1.Service], rules routing.Lister[networking.DestinationRuleList], deployments routing.Getter[appsv1.Deployment],
	provided ...routing.Subset,
) (*routing.Paths, error) {
	return routing.NewPaths(routing.PathsConfig{
		Target: s.Target(), Services: services, DestinationRules: rules,
		Deployments: deployments, Stable: s.Stable.Deployment, Canary: s.Canary.Deployment, Provided: provided,
	})
}

func (s Service) arm(v Version) metrics.Arm {
	return metrics.Arm{Workload: v.Deployment, Namespace: s.Namespace}
}

// Load returns a workload.Config.Load: the requests per second of both versions in the time
// given, until now. The time has to be several scrape intervals; five minutes is a good value.
// Each call counts twice. A version without requests has none.
func (s Service) Load(provider metrics.Provider, over time.Duration) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		now := time.Now()
		var all metrics.Counts
		for _, v := range []Version{s.Stable, s.Canary} {
			counts, err := provider.Counts(ctx, metrics.Query{Arm: s.arm(v)}, metrics.Window{From: now.Add(-over), To: now})
			if err != nil && !metrics.NoData(err) {
				return 0, fmt.Errorf("release: the requests of %s: %w", v.Deployment, err)
			}
			all = all.Add(counts)
		}
		return all.Total / over.Seconds(), nil
	}
}

// Config returns a canary.Config with the plan, the Router and the Workload. Add the
// judge, the observers and everything else.
func (p Parts) Config(plan canary.Plan) canary.Config {
	return canary.Config{Plan: plan, Router: p.Router, Workload: p.Workload}
}

// Verifier returns a canary.Verifier that sees in the metrics whether the proxies route as
// written. The lag is the plan's ScrapeLag: how far the metrics may lag behind the requests,
// at least one scrape interval.
func (p Parts) Verifier(provider metrics.ProxyCounter, lag time.Duration) verify.Metrics {
	return verify.Metrics{Provider: provider, Stable: p.Stable, Canary: p.Canary, Lag: lag}
}

// Judge returns a judge that compares the canary with stable. The Provider counts the
// requests of both; metrics/prometheus has one. If no metrics are given, the judge
// has sequential.Defaults: server errors, latency and client errors. It knows whether copies are of
// all methods.
func (p Parts) Judge(provider metrics.Sequencer, judged ...sequential.Metric) sequential.Judge {
	return sequential.Judge{
		Provider: provider, Canary: p.Canary, Baseline: p.Stable, Metrics: judged,
		Tuning: sequential.Tuning{AllCopied: p.copied},
	}
}
