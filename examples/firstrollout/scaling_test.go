package firstrollout

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

const autoscaler = `
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: shop-v1, namespace: shop}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: shop-v1}
  minReplicas: 2
  maxReplicas: 20
  metrics: [{type: Pods, pods: {metric: {name: http_requests_per_second}, target: {type: AverageValue, averageValue: "1k"}}}]
`

// Stable has ten pods, and an autoscaler that would shrink it to two while the canary has the
// traffic. The canary has one pod. Both get what they need, and in the end what they had.
func Example_scaling() {
	server := apiserver.New()
	check(server.Load([]byte(strings.Replace(shop, "spec:\n  selector: {matchLabels: {app: shop, version: v1}}", "spec:\n  replicas: 10\n  selector: {matchLabels: {app: shop, version: v1}}", 1) + autoscaler)))
	mesh, parts, kube := newShopOn(server, func(c *workload.Config, kube kubernetes.Interface) {
		c.Scaling = workload.Scaling{
			Keep:   50 * time.Millisecond, // the test is fast
			Stable: workload.Autoscaler(kube.AutoscalingV2().HorizontalPodAutoscalers("shop"), "shop", "shop-v1", "shop-v1"),
			Canary: workload.Replicas(kube.AppsV1().Deployments("shop"), "shop", "shop-v2"),
		}
	})
	load := mesh.Load(1000, fake.Request{Host: "shop.shop"})
	plan, err := canary.NewPlan("shop").
		Settle(10*time.Millisecond).Interval(20*time.Millisecond).
		Weights(canary.List(20*canary.Percent, canary.Full), canary.Step{Hold: 50 * time.Millisecond, Requires: canary.Nothing}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).
		Build()
	check(err)

	replicas := func() string {
		d, err := kube.AppsV1().Deployments("shop").Get(context.Background(), "shop-v2", metav1.GetOptions{})
		check(err)
		a, err := kube.AutoscalingV2().HorizontalPodAutoscalers("shop").Get(context.Background(), "shop-v1", metav1.GetOptions{})
		check(err)
		return fmt.Sprintf("%d replicas of the canary, %d of stable at least", *d.Spec.Replicas, *a.Spec.MinReplicas)
	}
	config := parts.Config(plan.For("v2"))
	config.Observers = []canary.Observer{func(_ context.Context, e canary.Event) {
		if e.Wrote && e.Before.Traffic.Canary < e.After.Traffic.Canary {
			fmt.Printf("%v: %s\n", e.After.Traffic, replicas())
		}
	}}
	runner, err := canary.NewRunner(config)
	check(err)
	state, err := runner.Run(context.Background())
	check(err)
	fmt.Printf("%v: %s\n", state.Phase, replicas())
	fmt.Println(load.Stop().Broken(), "requests were lost")
	// Output:
	// canary 20%: 2 replicas of the canary, 10 of stable at least
	// canary 100%: 10 replicas of the canary, 10 of stable at least
	// Promoted: 1 replicas of the canary, 2 of stable at least
	// 0 requests were lost
}
