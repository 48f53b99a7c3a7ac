// Package unittest shows how a team tests its own rollout logic with the fakes.
// This file is the team's code: a plan, a judge of its own and the wiring. The
// test beside it asks what one wants to know before the first release: does my
// rollout ever answer 503, does it survive a bad night, does it stop in time?
package unittest

import (
	"context"
	"fmt"
	"time"

	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/routing"
)

// Plan is the team's policy: one percent more each hour while all is well.
func Plan() (canary.Plan, error) {
	return canary.NewPlan("shop").
		Settle(10*time.Second).ScrapeLag(30*time.Second).Interval(time.Minute).
		Weights(canary.Linear(canary.Percent, canary.Percent, canary.Full), canary.Step{Hold: time.Hour}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Hour}).
		Build()
}

// Judge is the team's own Analyzer: no more errors than the budget has left.
type Judge struct {
	Metrics metrics.Provider
	Budget  float64 // failed requests per step
}

// Analyze implements analysis.Analyzer.
func (j Judge) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	counts, err := j.Metrics.Counts(ctx, metrics.Query{Arm: metrics.Arm{Namespace: "shop", Workload: "shop-v2"}}, r.Window)
	switch {
	case metrics.Nothing(err):
		return analysis.Result{Reason: "no requests to v2 yet"}, nil
	case err != nil:
		return analysis.Result{}, err
	case counts.Bad > j.Budget:
		return analysis.Result{Verdict: analysis.Fail, Reason: fmt.Sprintf("%v of %v requests failed", counts.Bad, counts.Total)}, nil
	}
	return analysis.Result{Verdict: analysis.Pass, Reason: "within the budget"}, nil
}

// Release wires the rollout of shop.
func Release(mesh istio.Interface, kube kubernetes.Interface, judge analysis.Analyzer) (*canary.Runner, error) {
	plan, err := Plan()
	if err != nil {
		return nil, err
	}
	rules, err := routing.NewHTTP(routing.Target{Namespace: "shop", Name: "shop", Arms: routing.Arms{
		Stable: routing.Destination{Host: "shop", Subset: "v1"},
		Canary: routing.Destination{Host: "shop", Subset: "v2"},
	}})
	if err != nil {
		return nil, err
	}
	pods, err := workload.New(kube.AppsV1().Deployments("shop"), workload.Config{Namespace: "shop", Stable: "shop-v1", Canary: "shop-v2"})
	if err != nil {
		return nil, err
	}
	return canary.NewRunner(canary.Config{
		Plan: plan, Analyzer: judge, Workload: pods,
		Router: routing.NewRouter(rules.Object(mesh.NetworkingV1().VirtualServices("shop"))),
	})
}
