package routing_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/routing"
)

// ratio is a Renderer for those who divide traffic by pods: of ten behind one
// Service, so many are the canary's.
type ratio struct{}

const tenth = 10 * canary.Percent

func (ratio) Read(d *appsv1.Deployment, _ canary.Traffic) (canary.Traffic, error) {
	return canary.Traffic{Canary: canary.Weight(*d.Spec.Replicas) * tenth}, nil
}

func (ratio) Render(d *appsv1.Deployment, t canary.Traffic) (p routing.Patch, err error) {
	if t.Canary%tenth != 0 {
		return p, fmt.Errorf("%w: %v of ten pods", canary.ErrRefused, t)
	}
	if n := int32(t.Canary / tenth); n != *d.Spec.Replicas {
		p.Add("/spec/replicas", fmt.Append(nil, n))
	}
	return p, nil
}

const workers = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: workers-v2, namespace: prod, labels: {of: somebody}}
spec:
  replicas: 0
  selector: {matchLabels: {app: workers}}
  template: {metadata: {labels: {app: workers}}, spec: {containers: [{name: w, image: "w:2"}]}}
`

// pods is the Deployment as an object of a rollout.
func (w world) pods(t *testing.T) routing.Object[appsv1.Deployment] {
	t.Helper()
	kube, err := kubernetes.NewForConfig(w.Config())
	require.NoError(t, err)
	return routing.Object[appsv1.Deployment]{
		Kind:   routing.Kind{Name: "Deployment", Group: "apps", Resource: "deployments"},
		Client: kube.AppsV1().Deployments("prod"), Namespace: "prod", Name: "workers-v2", Renderer: ratio{}, ID: "workers",
	}
}

func (w world) replicas(t *testing.T) int32 {
	t.Helper()
	d, err := w.pods(t).Client.Get(t.Context(), "workers-v2", metav1.GetOptions{})
	require.NoError(t, err)
	return *d.Spec.Replicas
}

// A VirtualService and the replicas of a Deployment are one rollout, whichever of
// them leads and keeps the State.
func TestObjectsOfSeveralKindsAreOneRollout(t *testing.T) {
	for name, lead := range map[string]func(rules, pods routing.Resource) []routing.Resource{
		"the VirtualService leads": func(rules, pods routing.Resource) []routing.Resource { return []routing.Resource{rules, pods} },
		"the Deployment leads":     func(rules, pods routing.Resource) []routing.Resource { return []routing.Resource{pods, rules} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, twoRules, workers)
				deployment := func() []byte {
					doc, _ := w.Get("deployments.apps", "prod", "workers-v2")
					return doc
				}
				before := [2]string{spec(t, w.document(t, "reviews")), spec(t, deployment())}
				objects := lead(w.object(t, "reviews", "b"), w.pods(t))
				router := routing.NewRouter(objects[0], objects[1:]...)
				plan, err := canary.NewPlan("both").Settle(time.Second).
					Weights(canary.List(20*canary.Percent, 50*canary.Percent), canary.Step{Hold: time.Minute, Requires: canary.Nothing}).
					End(canary.End{Kind: canary.Discard}).Build()
				require.NoError(t, err)
				var seen []int32
				runner, err := canary.NewRunner(canary.Config{
					Plan: plan, Router: router,
					Observers: []canary.Observer{func(context.Context, canary.Event) { seen = append(seen, w.replicas(t)) }},
				})
				require.NoError(t, err)
				state, err := runner.Run(t.Context())
				require.NoError(t, err)
				require.Equal(t, phase.Discarded, state.Phase)
				require.Contains(t, seen, int32(2))
				require.Contains(t, seen, int32(5))
				require.JSONEq(t, before[0], spec(t, w.document(t, "reviews")))
				require.JSONEq(t, before[1], spec(t, deployment()))
			})
		})
	}
}

// A step that one of the objects cannot show is refused before anything is written.
func TestWhatOneKindCannotShowNoneIsGiven(t *testing.T) {
	w := newWorld(t, twoRules, workers)
	router := routing.NewRouter(w.object(t, "reviews", "b"), w.pods(t))
	plan, err := canary.NewPlan("both").Step(canary.Step{Requires: canary.Nothing, Traffic: share(25)}).End(canary.End{Kind: canary.Discard}).Build()
	require.NoError(t, err)
	found, err := router.Check(t.Context(), plan)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Contains(t, found[0].Problem, `step "canary 25%": refused: canary 25% of ten pods`)
	reading, err := router.Read(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, router.Write(t.Context(), reading, share(25), progressing(share(25), 1)), canary.ErrRefused)
	require.Equal(t, spec(t, w.document(t, "reviews")), spec(t, newWorld(t, twoRules).document(t, "reviews")))
}

// Rights know each kind.
func TestTheRightsAreThoseOfTheKind(t *testing.T) {
	w := newWorld(t, twoRules, workers)
	var all []string
	for _, r := range routing.NewRouter(w.pods(t), w.object(t, "reviews", "b")).Rights(canary.Plan{}) {
		all = append(all, fmt.Sprintf("%s %s.%s %s/%s", r.Verb, r.Resource, r.Group, r.Namespace, r.Name))
	}
	require.Equal(t, []string{
		"get deployments.apps prod/workers-v2", "patch deployments.apps prod/workers-v2",
		"get virtualservices.networking.istio.io prod/reviews", "patch virtualservices.networking.istio.io prod/reviews",
	}, all)
}
