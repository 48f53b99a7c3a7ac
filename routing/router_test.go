package routing_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	typed "istio.io/client-go/pkg/clientset/versioned/typed/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/routing"
)

const twoRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - name: a
    route:
    - destination: {host: reviews, subset: v1}
      weight: 100
    - destination: {host: reviews, subset: v2}
      weight: 0
  - name: b
    timeout: 3s
    route:
    - destination: {host: reviews, subset: v1}
`

// world is an API server with real clients for it.
type world struct {
	*apiserver.Server
	client *typed.NetworkingV1Client
}

func newWorld(t *testing.T, manifests ...string) world {
	t.Helper()
	s := apiserver.New()
	s.ValidateIstio()
	for _, m := range manifests {
		require.NoError(t, s.Load([]byte(m)))
	}
	c, err := typed.NewForConfig(s.Config())
	require.NoError(t, err)
	return world{s, c}
}

func (w world) document(t *testing.T, name string) object {
	t.Helper()
	doc, ok := w.Get("virtualservices.networking.istio.io", "prod", name)
	require.True(t, ok)
	return object(doc)
}

func (w world) object(t *testing.T, name, rule string) routing.Object[networking.VirtualService] {
	t.Helper()
	return renderer(t, routing.Target{
		Namespace: "prod", Name: name, Rules: []routing.Rule{{Name: rule}}, Arms: subsets("reviews"), Exclusive: true,
	}).Object(w.client.VirtualServices("prod"))
}

var began = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func progressing(t canary.Traffic, serial int64) canary.State {
	s := canary.State{
		Serial: serial, Rollout: canary.Rollout{Plan: "p", Began: began},
		Place: canary.Place{Phase: phase.Progressing, Traffic: t},
	}
	s.Entered, s.Shifted = began, began
	return s
}

// write reads, and writes t with a State of that traffic.
func write(t *testing.T, r canary.Router, traffic canary.Traffic) {
	t.Helper()
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Write(t.Context(), reading, traffic, progressing(traffic, reading.State.Serial+1)))
}

func TestTrafficAndStateAreWrittenInOnePatch(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	w.ResetRequests()
	write(t, r, share(20))
	require.Equal(t, map[apiserver.Request]int{
		{Verb: "get", Resource: "virtualservices.networking.istio.io"}:   1,
		{Verb: "patch", Resource: "virtualservices.networking.istio.io"}: 1,
	}, w.Requests())
	require.Equal(t, "v1 80, v2 20", w.document(t, "reviews").weights(t, "b"))

	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, share(20), reading.Traffic)
	require.Equal(t, progressing(share(20), 1), reading.State)
}

func TestTheZeroTrafficAndStateLeaveTheObjectAsItWas(t *testing.T) {
	w := newWorld(t, twoRules)
	before := spec(t, w.document(t, "reviews"))
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	write(t, r, share(20))
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Write(t.Context(), reading, canary.Traffic{}, canary.State{}))
	after := w.document(t, "reviews")
	require.JSONEq(t, before, spec(t, after))
	require.Empty(t, after.typed(t).Annotations)
}

func TestAStaleReadingIsAConflictAndChangesNothing(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	stale, err := r.Read(t.Context())
	require.NoError(t, err)
	write(t, r, share(20))
	before := w.document(t, "reviews")
	for _, traffic := range []canary.Traffic{{}, share(20), share(50)} {
		err = r.Write(t.Context(), stale, traffic, stale.State)
		require.ErrorIs(t, err, canary.ErrConflict)
		require.NotErrorIs(t, err, canary.ErrRefused)
		require.Contains(t, err.Error(), "VirtualService prod/reviews")
	}
	require.Equal(t, before, w.document(t, "reviews"))
}

// The API server applies a patch before it compares versions, and answers one
// that does not fit any more as it answers a refusal.
func TestAPatchThatDoesNotFitTheObjectAnyMoreIsAConflict(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	write(t, r, share(20))
	stale, err := r.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Update("virtualservices.networking.istio.io", "prod", "reviews", func(o map[string]any) {
		s := o["spec"].(map[string]any)
		s["http"] = s["http"].([]any)[:1]
	}))
	err = r.Write(t.Context(), stale, canary.Traffic{}, canary.State{})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.NotErrorIs(t, err, canary.ErrRefused)
}

func TestADeletedObjectIsAConflictForWriteAndAnErrorForRead(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	stale, err := r.Read(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Delete("virtualservices.networking.istio.io", "prod", "reviews"))
	require.ErrorIs(t, r.Write(t.Context(), stale, share(5), progressing(share(5), 1)), canary.ErrConflict)
	_, err = r.Read(t.Context())
	require.ErrorContains(t, err, `VirtualService prod/reviews: virtualservices.networking.istio.io "reviews" not found`)
}

func TestARefusalIsToldInTheWordsOfTheServer(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	reading, err := r.Read(t.Context())
	require.NoError(t, err)
	for _, status := range []error{
		apierrors.NewBadRequest("weights look wrong"),
		apierrors.NewForbidden(schema.GroupResource{}, "reviews", errors.New("weights look wrong")),
		apierrors.NewInvalid(schema.GroupKind{}, "reviews", field.ErrorList{field.Invalid(nil, 1, "weights look wrong")}),
	} {
		remove := onPatch(w, apiserver.Refuse(status))
		err := r.Write(t.Context(), reading, share(5), progressing(share(5), 1))
		remove()
		require.ErrorIs(t, err, canary.ErrRefused)
		require.NotErrorIs(t, err, canary.ErrConflict)
		require.ErrorContains(t, err, "weights look wrong")
	}
}

func TestAnUnclearAnswerIsNeitherConflictNorRefusal(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	for i, fault := range []apiserver.Fault{
		apiserver.ServerError(), apiserver.LoseAnswer(), apiserver.TooManyRequests(0), apiserver.After(apiserver.Timeout()),
	} {
		reading, err := r.Read(t.Context())
		require.NoError(t, err)
		remove := onPatch(w, fault)
		err = r.Write(t.Context(), reading, share(5), progressing(share(5), int64(i)))
		remove()
		require.Error(t, err)
		require.NotErrorIs(t, err, canary.ErrRefused)
		require.NotErrorIs(t, err, canary.ErrConflict)
	}
}

func TestAStateThatCannotBeUnderstoodIsAnErrorAndNotAZeroState(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":99}`, "null"} {
		w := newWorld(t, twoRules)
		require.NoError(t, w.Update("virtualservices.networking.istio.io", "prod", "reviews", func(o map[string]any) {
			o["metadata"].(map[string]any)["annotations"] = map[string]any{routing.StateAnnotation("reviews"): text}
		}))
		r := routing.NewRouter(w.object(t, "reviews", "b"))
		reading, err := r.Read(t.Context())
		require.ErrorIs(t, err, canary.ErrBadState, text)
		require.ErrorContains(t, err, "VirtualService prod/reviews: annotation serin-go.github.io/reviews")
		require.NoError(t, r.Write(t.Context(), reading, share(0), progressing(share(0), 1)), "it can be replaced")
	}
}

func TestAReaderWithoutTheRightToReadIsRefused(t *testing.T) {
	w := newWorld(t, twoRules)
	w.Hook(func(apiserver.Call) apiserver.Fault {
		return apiserver.Refuse(apierrors.NewForbidden(schema.GroupResource{Resource: "virtualservices"}, "reviews", errors.New("no such right")))
	})
	_, err := routing.NewRouter(w.object(t, "reviews", "b")).Read(t.Context())
	require.ErrorIs(t, err, canary.ErrForbidden)
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, "no such right")
}

func TestAReadingOfAnotherRouterIsRefused(t *testing.T) {
	w := newWorld(t, twoRules)
	r := routing.NewRouter(w.object(t, "reviews", "b"))
	err := r.Write(t.Context(), canary.Reading{Version: "1"}, share(5), canary.State{})
	require.ErrorIs(t, err, routing.ErrForeignReading)
}

// onPatch lets every patch meet the fault.
func onPatch(w world, f apiserver.Fault) (remove func()) {
	return w.Hook(func(c apiserver.Call) apiserver.Fault {
		if c.Verb == "patch" {
			return f
		}
		return nil
	})
}

// spec returns the spec of an object.
func spec(t *testing.T, o object) string {
	t.Helper()
	var doc struct{ Spec json.RawMessage }
	require.NoError(t, json.Unmarshal(o, &doc))
	return string(doc.Spec)
}

func (w world) annotate(t *testing.T, name, key, value string) {
	t.Helper()
	require.NoError(t, w.Update(virtualServices, "prod", name, func(o map[string]any) {
		meta := o["metadata"].(document)
		all, _ := meta["annotations"].(document)
		if all == nil {
			all = document{}
		}
		all[key] = value
		meta["annotations"] = all
	}))
}

// A person with kubectl can always turn a rollout back.
func TestAnAbortIsOrderedByAnnotationAndTakenAwayWhenItIsObeyed(t *testing.T) {
	for value, want := range map[string]string{"orders are lost": "orders are lost", "": "no reason is given", " ": "no reason is given"} {
		w := newWorld(t, twoRules)
		r := routing.NewRouter(w.object(t, "reviews", "b"))
		write(t, r, share(5))
		for _, state := range []string{"", "{"} {
			w.annotate(t, "reviews", routing.AbortAnnotation("reviews"), value)
			if state != "" {
				w.annotate(t, "reviews", routing.StateAnnotation("reviews"), state)
			}
			reading, err := r.Read(t.Context())
			require.Equal(t, state != "", errors.Is(err, canary.ErrBadState))
			require.Equal(t, want, reading.Abort)
			require.NoError(t, r.Write(t.Context(), reading, canary.Traffic{}, progressing(canary.Traffic{}, 9)))
			reading, err = r.Read(t.Context())
			require.NoError(t, err)
			require.Empty(t, reading.Abort)
			require.EqualValues(t, 9, reading.State.Serial)
		}
		reading, err := r.Read(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.Write(t.Context(), reading, canary.Traffic{}, canary.State{}))
	}
}

// R9: a client is one for a namespace, which the target has to agree with.
func TestANamespaceThatContradictsTheClientIsRefused(t *testing.T) {
	w := newWorld(t, twoRules)
	wrong := renderer(t, routing.Target{Namespace: "test", Name: "reviews", Arms: subsets("reviews")}).Object(w.client.VirtualServices("prod"))
	_, err := routing.NewRouter(wrong).Read(t.Context())
	require.ErrorIs(t, err, canary.ErrRefused)
	require.ErrorContains(t, err, `VirtualService test/reviews: refused: the client is for namespace "prod", not "test"`)
	reading, err := routing.NewRouter(w.object(t, "reviews", "b"), wrong).Read(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, reading.Trouble, `the client is for namespace "prod"`)
}

// E18: what would panic at the first turn is told by NewRunner.
func TestARouterWithoutAClientIsRefused(t *testing.T) {
	h := renderer(t, ofB)
	plan, err := canary.NewPlan("p").Step(canary.Step{Requires: canary.Nothing, Traffic: share(5)}).End(canary.End{Kind: canary.Discard}).Build()
	require.NoError(t, err)
	var gone *memory
	for name, lead := range map[string]routing.Resource{
		"no client":             h.Object(nil),
		"a nil client":          h.Object(gone),
		"no renderer":           routing.Object[networking.VirtualService]{Client: new(memory), Namespace: "prod", Name: "reviews"},
		"nothing":               nil,
		"a follower, no client": h.Object(new(memory)),
	} {
		_, err := canary.NewRunner(canary.Config{Plan: plan, Router: routing.NewRouter(lead, h.Object(nil))})
		require.ErrorContains(t, err, "routing: VirtualService prod/reviews: client is missing", name)
	}
	_, err = canary.NewRunner(canary.Config{Plan: plan, Router: routing.NewRouter(routing.Object[networking.VirtualService]{})})
	for _, want := range []string{"client is missing", "renderer is missing", "namespace or name is missing"} {
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, routing.NewRouter(h.Object(new(memory))).Validate())
}
