package release_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	istio "istio.io/client-go/pkg/clientset/versioned"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/release"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/mirror"
	"github.com/serin-go/serin/routing"
)

var shop = release.Service{
	Namespace: "shop", Name: "shop",
	Stable: release.Version{Deployment: "shop-v1", Subset: "v1"},
	Canary: release.Version{Deployment: "shop-v2", Subset: "v2"},
}

func ExampleService_Target() {
	t := shop.Target()
	fmt.Printf("VirtualService %s/%s: from %v to %v\n", t.Namespace, t.Name, t.Arms.Stable, t.Arms.Canary)
	// Output:
	// VirtualService shop/shop: from shop, subset v1 to shop, subset v2
}

// parts makes those of a service by clients of an API server in memory.
func parts(t *testing.T, s release.Service) (release.Parts, error) {
	t.Helper()
	config := apiserver.New().Config()
	mesh, err := istio.NewForConfig(config)
	require.NoError(t, err)
	kube, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return s.Parts(mesh.NetworkingV1().VirtualServices(s.Namespace), kube.AppsV1().Deployments(s.Namespace))
}

func TestThePartsAreOfTheSameVersions(t *testing.T) {
	p, err := parts(t, shop)
	require.NoError(t, err)
	require.Equal(t, metrics.Arm{Workload: "shop-v1", Namespace: "shop"}, p.Stable)
	require.Equal(t, metrics.Arm{Workload: "shop-v2", Namespace: "shop"}, p.Canary)
	judge := p.Judge(nil, sequential.Rate{})
	require.Equal(t, []metrics.Arm{p.Stable, p.Canary}, []metrics.Arm{judge.Baseline, judge.Canary})
	require.False(t, judge.Tuning.AllCopied, "only reads are copied")
	every := shop
	every.Mirror = mirror.Methods{mirror.Every}
	all, err := parts(t, every)
	require.NoError(t, err)
	require.True(t, all.Judge(nil).Tuning.AllCopied)
	rights := fmt.Sprint(p.Router.Rights(canary.Plan{}), p.Workload.Rights(canary.Plan{}))
	for _, name := range []string{"virtualservices", "shop-v1", "shop-v2"} {
		require.Contains(t, rights, name)
	}
	plan, err := canary.NewPlan("shop").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Percent}, Requires: canary.Nothing}).
		End(canary.End{Kind: canary.Discard}).Build()
	require.NoError(t, err)
	_, err = canary.NewRunner(p.Config(plan))
	require.NoError(t, err)
}

func TestPodsAreReadWhereTheServiceSaysWho(t *testing.T) {
	kube, err := kubernetes.NewForConfig(apiserver.New().Config())
	require.NoError(t, err)
	s := shop
	s.Workload.MaxRestarts = 5
	_, err = parts(t, s)
	require.ErrorContains(t, err, "MaxRestarts is 5; want 0 or more, and Pods to count them by")
	s.Workload.Pods = kube.CoreV1().Pods(s.Namespace)
	p, err := parts(t, s)
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(p.Workload.Rights(canary.Plan{})), "pods")
}

func TestVersionsMayHaveHostsAndAVirtualServiceOfTheirOwn(t *testing.T) {
	s := release.Service{
		Namespace: "shop", Name: "shop", ID: "front-shop", VirtualService: "front", Exclusive: true, Mirror: []string{"GET"}, Rules: []routing.Rule{{Name: "api"}},
		Stable: release.Version{Deployment: "blue", Host: "shop-blue"}, Canary: release.Version{Deployment: "green", Host: "shop-green"},
	}
	require.Equal(t, routing.Target{
		ID: "front-shop", Namespace: "shop", Name: "front", Exclusive: true, Mirror: []string{"GET"}, Rules: []routing.Rule{{Name: "api"}},
		Arms: routing.Arms{Stable: routing.Destination{Host: "shop-blue"}, Canary: routing.Destination{Host: "shop-green"}},
	}, s.Target())
	_, err := parts(t, s)
	require.NoError(t, err)
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	s := shop
	s.Canary = release.Version{Subset: "v1"}
	_, err := parts(t, s)
	for _, want := range []string{"release: service shop/shop: ", "stable and canary are the same destination", "missing"} {
		require.ErrorContains(t, err, want)
	}
	_, err = shop.Parts(nil, nil)
	require.ErrorContains(t, err, "workload: the client is missing")
	require.ErrorContains(t, err, "VirtualService shop/shop: client is missing")
}

func TestTheLoadIsThatOfBothVersions(t *testing.T) {
	var asked []metrics.Query
	answers := map[string]error{}
	load := shop.Load(metrics.ProviderFunc(func(_ context.Context, q metrics.Query, w metrics.Window) (metrics.Counts, error) {
		asked = append(asked, q)
		require.Equal(t, 5*time.Minute, w.Length())
		if err := answers[q.Arm.Workload]; err != nil {
			return metrics.Counts{}, err
		}
		return metrics.Counts{Total: 3000}, nil
	}), 5*time.Minute)
	rate, err := load(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 20, rate, 1e-9)
	require.Len(t, asked, 2)
	answers["shop-v2"] = metrics.ErrNoSeries
	rate, err = load(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 10, rate, 1e-9)
	answers["shop-v2"] = metrics.ErrPartial
	_, err = load(t.Context())
	require.ErrorIs(t, err, metrics.ErrPartial)
}
