package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	"istio.io/client-go/pkg/informers/externalversions"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/canary/rights"
	"github.com/serin-go/serin/canary/workload"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

// harmed is a rollout in which something goes wrong at 40 %, as in the comparison with the
// controllers of others: 100 requests a second through the gateway, retries off.
type harmed struct {
	*bookinfo
	before    string      // spec
	away      atomic.Bool // the metric store
	load      *traffic.Load
	seen      *seen
	phases    phases
	api       *counter              // of the driver's requests
	followers []string              // VirtualServices that get the same traffic
	config    *rest.Config          // of the driver, once there is one
	wrap      transport.WrapperFunc // of its requests; nil is none
}

// newHarmed has two pods a version, which answer in 3 to 8 ms.
func newHarmed(t *testing.T) *harmed {
	b := &harmed{
		bookinfo: newBookinfoIn(t, controlPlane(t).Namespace(t), "replicas: 3", "replicas: 2"),
		seen:     watchTraffic(), api: &counter{sent: map[string]int{}},
	}
	for _, v := range []*traffic.Server{b.v1, b.v2} {
		v.Takes = func(n int64) time.Duration { return time.Duration(3+n%6) * time.Millisecond }
	}
	b.before = b.spec(t)
	return b
}

// looks is how a driver learns what the API server has.
type looks int

const (
	polled  looks = iota // it asks in each turn
	watched              // and watches the canary's Deployment
	listed               // or reads from informers
)

// besideRunner has the settings of the comparison.
func (b *harmed) besideRunner(t *testing.T, row besideRow) *canary.Runner {
	step := canary.Step{Hold: 10 * time.Second, Deadline: time.Minute, Requires: canary.NoFailure}
	begin := canary.NewPlan("reviews").Settle(time.Second).ScrapeLag(time.Second).Interval(time.Second).BlindLimit(row.limit)
	if row.dark {
		begin = begin.Step(mirror.Steps(step, canary.Full)...)
	}
	plan := build(t, begin.Weights(canary.Linear(20*canary.Percent, 20*canary.Percent, canary.Full), step).
		End(canary.End{Kind: canary.PromoteStable}))
	judge := sequential.Judge{
		Provider: b.counts(t), Canary: b.arm("reviews-v2"), Baseline: b.arm("reviews-v1"),
		Metrics: []sequential.Metric{sequential.Rate{}, sequential.Latency{}},
		Tuning:  sequential.Tuning{Look: cmp.Or(row.look, time.Second), Reporter: metrics.Destination},
	}
	return b.driven(t, plan, row.looks, leaving{judge, &b.away})
}

// leaving is a judge whose metric store may go away.
type leaving struct {
	sequential.Judge
	away *atomic.Bool
}

func (l leaving) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	if l.away.Load() {
		return analysis.Result{}, errors.New("prometheus is away")
	}
	return l.Judge.Analyze(ctx, r)
}

// driven is a Runner of the driver, who may do what the first plan needs.
func (b *harmed) driven(t *testing.T, plan canary.Plan, how looks, judge analysis.Analyzer, observers ...canary.Observer) *canary.Runner {
	if b.config == nil {
		b.config = driver(t, b.needed(t, plan, how))
		b.config.Wrap(b.api.wrap)
		if b.wrap != nil {
			b.config.Wrap(b.wrap)
		}
	}
	router, pods := b.looking(t, b.config, how)
	runner, err := canary.NewRunner(canary.Config{
		Plan: plan, Router: router, Workload: pods, Analyzer: judge, Observers: append(observers, b.seen.observe, b.phases.observe),
	})
	require.NoError(t, err)
	return runner
}

// needed are the rights that the driver needs. Informers need none of them.
func (b *harmed) needed(t *testing.T, plan canary.Plan, how looks) []authorizationv1.ResourceAttributes {
	router, pods := b.looking(t, &rest.Config{}, min(how, watched))
	return rights.Of(plan, router, pods)
}

// looking is what talks to the API server.
func (b *harmed) looking(t *testing.T, config *rest.Config, how looks) (*routing.Router, *workload.Deployments) {
	mesh, kube := clientsOf(t, config)
	deployments := kube.AppsV1().Deployments(b.namespace)
	c := workload.Config{Namespace: b.namespace, Stable: "reviews-v1", Canary: "reviews-v2"}
	var pods workload.Client = deployments
	var rule routing.Client[networking.VirtualService] = mesh.NetworkingV1().VirtualServices(b.namespace)
	switch how {
	case watched:
		c.Watcher = deployments
	case listed:
		rule, pods = b.inform(t, rule, pods)
	}
	var objects []routing.Resource
	for _, name := range append([]string{b.target.Name}, b.followers...) {
		target := b.target
		target.Name = name
		rules, err := routing.NewHTTP(target)
		require.NoError(t, err)
		objects = append(objects, rules.Object(rule))
	}
	w, err := workload.New(pods, c)
	require.NoError(t, err)
	return routing.NewRouter(objects[0], objects[1:]...), w
}

// informedPods is a client that reads from an informer.
type informedPods struct {
	workload.Client
	lister appslisters.DeploymentNamespaceLister
}

func (i informedPods) Get(_ context.Context, name string, _ metav1.GetOptions) (*appsv1.Deployment, error) {
	return i.lister.Get(name)
}

// inform has informers read for clients, as a host has them: with rights of its own.
func (b *harmed) inform(t *testing.T, rule routing.Client[networking.VirtualService], pods workload.Client) (informed, informedPods) {
	config := controlPlane(t).Config()
	config.Wrap(b.api.wrap)
	mesh, kube := clientsOf(t, config)
	rules := externalversions.NewSharedInformerFactoryWithOptions(mesh, 0, externalversions.WithNamespace(b.namespace))
	deployments := informers.NewSharedInformerFactoryWithOptions(kube, 0, informers.WithNamespace(b.namespace))
	read := informed{rule, rules.Networking().V1().VirtualServices().Lister().VirtualServices(b.namespace)}
	run := informedPods{pods, deployments.Apps().V1().Deployments().Lister().Deployments(b.namespace)}
	rules.Start(t.Context().Done())
	deployments.Start(t.Context().Done())
	rules.WaitForCacheSync(t.Context().Done())
	deployments.WaitForCacheSync(t.Context().Done())
	t.Cleanup(rules.Shutdown)
	t.Cleanup(deployments.Shutdown)
	return read, run
}

// phases are when a rollout came to each phase.
type phases struct {
	mu   sync.Mutex
	came map[phase.Phase]time.Time
}

func (p *phases) observe(_ context.Context, e canary.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.came == nil {
		p.came = map[phase.Phase]time.Time{}
	}
	if _, ok := p.came[e.After.Phase]; !ok {
		p.came[e.After.Phase] = e.After.Entered
	}
}

// restored is how long it took to restore stable.
func (p *phases) restored() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if began, ok := p.came[phase.RestoringStable]; ok {
		return p.came[phase.RollingBack].Sub(began)
	}
	return 0
}

// at is when the rollout came to a phase.
func (p *phases) at(phase phase.Phase) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.came[phase]
}
