package rights_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/rights"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
)

// log notes which right each call to an API server needs.
type log struct {
	mu   sync.Mutex
	used []authorizationv1.ResourceAttributes
}

func (l *log) hook(c apiserver.Call) apiserver.Fault {
	r := schema.ParseGroupResource(c.Resource)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = append(l.used, authorizationv1.ResourceAttributes{
		Verb: c.Verb, Group: r.Group, Resource: r.Resource, Subresource: c.Subresource, Namespace: c.Namespace, Name: c.Name,
	})
	return nil
}

// Rights makes a log a part: one that needs what was used.
func (l *log) Rights(canary.Plan) []authorizationv1.ResourceAttributes { return l.used }

func TestTheRightsAreThoseThatARolloutUses(t *testing.T) {
	for _, end := range []canary.EndKind{canary.PromoteStable, canary.Stay, canary.Discard} {
		t.Run(end.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := apiserver.New()
				require.NoError(t, server.Load(manifests))
				fake.NewMesh(server, fake.Config{})
				plan, s := newPlan(end), newShop(server.Config())
				var calls log
				server.Hook(calls.hook)
				runner, err := s.runner(plan)
				require.NoError(t, err)
				_, err = runner.Run(t.Context())
				require.NoError(t, err)
				require.Equal(t, rights.Of(plan, &calls), rights.Of(plan, s.parts()...))
			})
		})
	}
}

func TestWhatIsMissingIsNamedBeforeTheRolloutBegins(t *testing.T) {
	server := apiserver.New()
	needed := rights.Of(newPlan(canary.PromoteStable), newShop(server.Config()).parts()...)
	api := kubernetes.NewForConfigOrDie(server.Config()).AuthorizationV1().SelfSubjectAccessReviews()
	require.NoError(t, rights.Check(t.Context(), api, needed))

	remove := server.Hook(func(c apiserver.Call) apiserver.Fault { return deny })
	err := rights.Check(t.Context(), api, needed[:3])
	remove()
	var missing *rights.MissingError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, needed[:3], missing.Rights)
	require.ErrorIs(t, err, canary.ErrRefused)
	require.EqualError(t, err, "rights: not allowed: get virtualservices.networking.istio.io front/shop, "+
		"patch virtualservices.networking.istio.io front/shop, get deployments.apps shop/shop-v1")

	server.Hook(func(apiserver.Call) apiserver.Fault {
		return apiserver.Refuse(apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("not even to ask")))
	})
	err = rights.Check(t.Context(), api, needed)
	require.ErrorContains(t, err, "not even to ask")
	require.False(t, errors.As(err, &missing))
}

// deny answers as if nothing were allowed.
func deny(context.Context, apiserver.Call, func() apiserver.Answer) apiserver.Answer {
	return apiserver.Answer{Code: 201, Body: []byte(`{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":false}}`)}
}
