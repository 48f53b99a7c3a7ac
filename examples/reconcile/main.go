// Reconcile shows rollouts inside a controller: 50 services at once, with a work queue of
// client-go and four workers. Package fake/apiserver stands for the cluster. Every tenth
// canary is bad.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/util/workqueue"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/examples/reconcile/controller"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

const (
	services = 50
	workers  = 4
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reconcile:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	server := apiserver.New()
	if err := server.Load(manifests()); err != nil {
		return err
	}
	client, err := istio.NewForConfig(server.Config())
	if err != nil {
		return err
	}
	plan, err := canary.NewPlan("weekly release").Interval(20*time.Millisecond).
		Weights(canary.Exponential(canary.Percent, 4, canary.Full), canary.Step{Hold: 100 * time.Millisecond}).
		Build()
	if err != nil {
		return err
	}

	ends := make(chan phase.Phase, services)
	r := &controller.Reconciler{
		NewRunner: func(service string) (*canary.Runner, error) { return newRunner(client, plan, service) },
		Done:      func(_ string, s canary.State) { ends <- s.Phase },
	}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { r.Work(ctx, queue) })
	}
	defer group.Wait()
	defer queue.ShutDown()
	for i := range services {
		queue.Add(name(i))
	}

	count := map[phase.Phase]int{}
	for range services {
		select {
		case end := <-ends:
			count[end]++
		case <-ctx.Done():
			return context.Cause(ctx) // the rollouts stay where they are; the next process goes on
		}
	}
	_, err = fmt.Fprintf(out, "%d rollouts: %d promoted, %d rolled back\n", services, count[phase.Promoted], count[phase.RolledBack])
	return err
}

func newRunner(client istio.Interface, plan canary.Plan, service string) (*canary.Runner, error) {
	rules, err := routing.NewHTTP(routing.Target{Namespace: "shop", Name: service, Arms: routing.Arms{
		Stable: routing.Destination{Host: service, Subset: "v1"},
		Canary: routing.Destination{Host: service, Subset: "v2"},
	}})
	if err != nil {
		return nil, err
	}
	judge := new(canarytest.Judge) // a real one reads metrics
	if strings.HasSuffix(service, "0") {
		judge.Script = []canarytest.Ruling{{Verdict: analysis.Pass}, {Verdict: analysis.Fail, Reason: "5 % of the answers are errors"}}
	}
	return canary.NewRunner(canary.Config{
		Plan:     plan.For(service),
		Router:   routing.NewRouter(rules.Object(client.NetworkingV1().VirtualServices("shop"))),
		Analyzer: judge,
	})
}

func name(i int) string { return fmt.Sprintf("service-%d", i) }

func manifests() []byte {
	var b bytes.Buffer
	for i := range services {
		fmt.Fprintf(&b, `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %[1]s, namespace: shop}
spec: {hosts: [%[1]s], http: [{route: [{destination: {host: %[1]s, subset: v1}}]}]}
`, name(i))
	}
	return b.Bytes()
}
