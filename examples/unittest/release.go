// Package unittest shows how a team tests its own rollout logic with the fakes. This file
// is the team's code: a plan, a judge and the wiring. The test answers what the team wants
// to know before the first release. Does the rollout ever answer 503? Does it survive an
// API server that fails? Does it roll back in time?
package unittest

import (
	"context"
	"fmt"
	"time"

	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/release"
	"github.com/serin-go/serin/metrics"
)

// Plan is the team's policy: one percent more each hour while all is well.
func Plan() (canary.Plan, error) {
	return canary.NewPlan("shop").
		Settle(10*time.Second).ScrapeLag(30*time.Second).Interval(time.Minute).
		Weights(canary.Linear(canary.Percent, canary.Percent, canary.Full), canary.Step{Hold: time.Hour}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Hour}).
		Build()
}

// shop is the service.
var shop = release.Service{
	Namespace: "shop", Name: "shop",
	Stable: release.Version{Deployment: "shop-v1", Subset: "v1"},
	Canary: release.Version{Deployment: "shop-v2", Subset: "v2"},
}

// Judge is the team's own Analyzer: no more errors than the budget has left.
type Judge struct {
	Metrics metrics.Provider
	Canary  metrics.Arm
	Budget  float64 // failed requests per step
}

// Analyze implements analysis.Analyzer.
func (j Judge) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	counts, err := j.Metrics.Counts(ctx, metrics.Query{Arm: j.Canary}, r.Window)
	switch {
	case metrics.NoData(err):
		return analysis.Result{Reason: "no requests to the canary yet"}, nil
	case err != nil:
		return analysis.Result{}, err
	case counts.Bad > j.Budget:
		return analysis.Result{Verdict: analysis.Fail, Reason: fmt.Sprintf("%v of %v requests failed", counts.Bad, counts.Total)}, nil
	}
	return analysis.Result{Verdict: analysis.Pass, Reason: "within the budget"}, nil
}

// Release makes the rollout of shop. The judge reads counts.
func Release(mesh istio.Interface, kube kubernetes.Interface, counts metrics.Provider) (*canary.Runner, error) {
	plan, err := Plan()
	if err != nil {
		return nil, err
	}
	parts, err := shop.Parts(mesh.NetworkingV1().VirtualServices("shop"), kube.AppsV1().Deployments("shop"))
	if err != nil {
		return nil, err
	}
	config := parts.Config(plan)
	config.Analyzer = Judge{Metrics: counts, Canary: parts.Canary, Budget: 50}
	return canary.NewRunner(config)
}
