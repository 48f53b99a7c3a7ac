package e2e_test

import (
	"context"
	_ "embed"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/routing"
)

//go:embed testdata/reviews.yaml
var reviews string

// release is reviews v1 with v2 beside it, and a rollout of v2.
type release struct {
	namespace string
	judge     *canarytest.Judge
	config    *rest.Config     // of the driver, who has the rights that it needs
	seen      []canary.Traffic // in their order
	turns     int
}

func newRelease(t *testing.T, judge *canarytest.Judge) *release {
	return newReleaseOf(t, judge, reviews, map[string]plane.Program{
		"reviews:1": traffic.Version("v1"), "reviews:2": traffic.Version("v2"),
	})
}

// newReleaseOf has other objects, and other programs by the images that run them.
func newReleaseOf(t *testing.T, judge *canarytest.Judge, objects string, programs map[string]plane.Program) *release {
	p := controlPlane(t)
	r := &release{namespace: p.Namespace(t), judge: judge}
	for image, program := range programs {
		p.Serve(r.namespace, image, program)
	}
	p.Apply(t, r.namespace, objects)
	r.config = driver(t, needed(t, r.namespace))
	return r
}

func (r *release) router(t *testing.T) *routing.Router {
	router, err := newRouter(r.config, r.namespace)
	require.NoError(t, err)
	return router
}

func (r *release) runner(t *testing.T) *canary.Runner {
	runner, err := newRunner(r.config, r.namespace, r.judge, r.observe)
	require.NoError(t, err)
	return runner
}

func (r *release) observe(_ context.Context, e canary.Event) {
	r.turns++
	if len(r.seen) == 0 || r.seen[len(r.seen)-1] != e.Traffic {
		r.seen = append(r.seen, e.Traffic)
	}
}

// spec is the VirtualService's spec as the API server has it, in JSON.
func (r *release) spec(t *testing.T) string {
	mesh, _ := clients(t)
	vs, err := mesh.NetworkingV1().VirtualServices(r.namespace).Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	b, err := vs.Spec.MarshalJSON()
	require.NoError(t, err)
	return string(b)
}

func (r *release) stable(t *testing.T) *appsv1.Deployment {
	_, kube := clients(t)
	d, err := kube.AppsV1().Deployments(r.namespace).Get(t.Context(), "reviews-v1", metav1.GetOptions{})
	require.NoError(t, err)
	return d
}

func share(percent canary.Weight) canary.Traffic {
	return canary.Traffic{Canary: percent * canary.Percent}
}

// course is the traffic of a rollout by newPlan: header routes come first and go last.
func course() []canary.Traffic {
	all := []canary.Traffic{{}, {}, {Mirror: canary.Full}, share(20), share(60), share(100), {}, {}}
	for i := range all[1 : len(all)-1] {
		all[1+i].HeaderRoutes = true
	}
	return all
}

func TestAMirroredVersionTakesOverStepByStepAndIsPromoted(t *testing.T) {
	r := newRelease(t, &canarytest.Judge{})
	before := r.spec(t)

	state, err := r.runner(t).Run(t.Context())

	require.NoError(t, err)
	require.Equal(t, phase.Promoted, state.Phase)
	require.Equal(t, course(), r.seen)
	require.JSONEq(t, before, r.spec(t))
	stable := r.stable(t)
	require.Equal(t, "reviews:2", stable.Spec.Template.Spec.Containers[0].Image)
	require.EqualValues(t, 3, stable.Status.UpdatedReplicas)
	require.EqualValues(t, 3, stable.Status.AvailableReplicas)
}

// badVerdict passes some looks and then fails.
func badVerdict() *canarytest.Judge {
	pass := canarytest.Ruling{Verdict: analysis.Pass}
	return &canarytest.Judge{Script: []canarytest.Ruling{pass, pass, pass, pass, pass, pass, pass, pass, {Verdict: analysis.Fail, Reason: "too many errors"}}}
}

func TestABadVerdictRollsBackAndLeavesNothingBehind(t *testing.T) {
	r := newRelease(t, badVerdict())
	before := r.spec(t)

	state, err := r.runner(t).Run(t.Context())

	require.ErrorIs(t, err, canary.ErrRolledBack)
	require.ErrorContains(t, err, "too many errors")
	require.Equal(t, phase.RolledBack, state.Phase)
	require.Contains(t, r.seen, canary.Traffic{Mirror: canary.Full, HeaderRoutes: true})
	require.Equal(t, canary.Traffic{}, r.seen[len(r.seen)-1])
	require.JSONEq(t, before, r.spec(t))
	require.Equal(t, "reviews:1", r.stable(t).Spec.Template.Spec.Containers[0].Image)
}
