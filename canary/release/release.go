// Package release names a service and two of its versions once, and makes the parts of
// a rollout from that: what steers the traffic, what runs the pods and what is counted
// are of the same versions then.
package release

import (
	"errors"
	"fmt"

	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// Service is a service whose stable version is to be replaced by the canary.
type Service struct {
	// Namespace is that of the VirtualService, of the Deployments and of Name.
	Namespace string
	// Name is the host of the Kubernetes Service.
	Name string
	// VirtualService is the object that steers the traffic; "" is the one called Name.
	VirtualService string

	Stable, Canary Version

	// Rules, Mirror and Exclusive are those of routing.Target.
	Rules     []routing.Rule
	Mirror    mirror.Methods
	Exclusive bool
}

// Version is one version of a service.
type Version struct {
	// Deployment runs the version.
	Deployment string
	// Subset is that of the version in the DestinationRule of its host; "" for a
	// version with a host of its own.
	Subset string
	// Host is the Kubernetes Service of this version alone; "" is Service.Name.
	Host string
}

// Parts are those of a rollout.
type Parts struct {
	Router   *routing.Router
	Workload *workload.Deployments
	// Stable and Canary are what a judge counts.
	Stable, Canary metrics.Arm
}

// Target returns what is to be steered.
func (s Service) Target() routing.Target {
	name := s.VirtualService
	if name == "" {
		name = s.Name
	}
	return routing.Target{
		Namespace: s.Namespace, Name: name, Rules: s.Rules, Mirror: s.Mirror, Exclusive: s.Exclusive,
		Arms: routing.Arms{Stable: s.destination(s.Stable), Canary: s.destination(s.Canary)},
	}
}

func (s Service) destination(v Version) routing.Destination {
	if v.Host == "" {
		v.Host = s.Name
	}
	return routing.Destination{Host: v.Host, Subset: v.Subset}
}

// Parts makes the parts, or returns every mistake in s. The clients are those for
// s.Namespace. Nothing is read or written.
func (s Service) Parts(virtualServices routing.Client[networking.VirtualService], deployments workload.Client) (Parts, error) {
	rules, err := routing.NewHTTP(s.Target())
	pods, podsErr := workload.New(deployments, workload.Config{
		Namespace: s.Namespace, Stable: s.Stable.Deployment, Canary: s.Canary.Deployment,
	})
	if err := errors.Join(err, podsErr); err != nil {
		return Parts{}, fmt.Errorf("release: service %s/%s: %w", s.Namespace, s.Name, err)
	}
	router := routing.NewRouter(rules.Object(virtualServices))
	if err := router.Validate(); err != nil {
		return Parts{}, fmt.Errorf("release: service %s/%s: %w", s.Namespace, s.Name, err)
	}
	return Parts{
		Router: router, Workload: pods,
		Stable: metrics.Arm{Workload: s.Stable.Deployment, Namespace: s.Namespace},
		Canary: metrics.Arm{Workload: s.Canary.Deployment, Namespace: s.Namespace},
	}, nil
}

// Config returns what a Runner needs of the parts. Judge, observers and all else are
// the caller's.
func (p Parts) Config(plan canary.Plan) canary.Config {
	return canary.Config{Plan: plan, Router: p.Router, Workload: p.Workload}
}

// Judge returns a judge that compares the canary with stable. The Provider counts the
// requests of both: metrics/prometheus has one. Without metrics it judges answers of 5xx.
func (p Parts) Judge(provider metrics.Sequencer, judged ...sequential.Metric) sequential.Judge {
	return sequential.Judge{Provider: provider, Canary: p.Canary, Baseline: p.Stable, Metrics: judged}
}
