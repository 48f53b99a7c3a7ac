package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	api "istio.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// TestBesideTheOthers counts the requests that users lose until stable has everything, and
// holds them against what is to be reached beside Flagger and Argo Rollouts.
func TestBesideTheOthers(t *testing.T) {
	for _, row := range []struct {
		name  string
		looks looks
		limit time.Duration // blind
		harm  func(b *harmed, t *testing.T)
		most  int64
		ends  phase.Phase
		holds func(b *harmed, t *testing.T) // in the end
	}{
		{"a, polled once a second", polled, 0, nil, 0, phase.Promoted, (*harmed).requirePatches},
		{"a, read by informers", listed, 0, nil, 0, phase.Promoted, (*harmed).requireNothingButPatches},
		{"d, watched", watched, 0, (*harmed).losePods, 10, phase.Retreating, nil},
		{"d, polled once a second", polled, 0, (*harmed).losePods, 60, phase.Retreating, nil},
		{"h, watched", watched, 0, (*harmed).scaleToZero, 10, phase.Retreating, nil},
		{"h, polled once a second", polled, 0, (*harmed).scaleToZero, 60, phase.Retreating, nil},
		{"e", polled, 0, (*harmed).loseReadings, 1600, phase.Retreating, nil},
		{"e, with a blind limit of 5 s", polled, 5 * time.Second, (*harmed).loseReadings, 300, phase.Retreating, nil},
		{"f", polled, 0, (*harmed).edit, 0, phase.Promoted, (*harmed).requireEdit},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.looks != watched { // where milliseconds count
				t.Parallel()
			}
			b := newHarmed(t)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan canary.State)
			runner := b.besideRunner(t, row.limit, row.looks)
			b.load = traffic.Start(b.gateway, 100)
			go func() {
				state, _ := runner.Run(ctx)
				ended <- state
			}()
			b.seen.wait(t, share(40))
			if row.harm != nil {
				<-time.After(2 * time.Second)
				row.harm(b, t)
			}
			b.seen.wait(t, canary.Traffic{})
			<-time.After(time.Second) // what is under way
			if !row.ends.Final() {
				cancel()
			}
			state := <-ended
			cancel()
			tally := b.load.Stop()
			failed := int64(tally.Lost) + b.gateway.Failed()
			fmt.Printf("beside: %s, %d failed\n", row.name, failed)
			t.Log(tally, state.Reason)
			require.Equal(t, row.ends, state.Phase, state.Reason)
			require.LessOrEqual(t, failed, row.most)
			if row.holds != nil {
				row.holds(b, t)
			}
		})
	}
}

// losePods deletes the pods of the canary. The new ones never become ready.
func (b *harmed) losePods(t *testing.T) {
	b.plane.Serve(b.namespace, "reviews:2", func(plane.Pod) (func(), error) { return nil, plane.ErrUnready })
	b.deletePods(t)
}

// scaleToZero leaves the canary without pods.
func (b *harmed) scaleToZero(t *testing.T) {
	_, kube := clients(t)
	_, err := kube.AppsV1().Deployments(b.namespace).Patch(t.Context(), "reviews-v2", types.MergePatchType,
		[]byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
	require.NoError(t, err)
}

// loseReadings has the canary fail five seconds after the metric store went away.
func (b *harmed) loseReadings(*testing.T) {
	b.away.Store(true)
	time.AfterFunc(5*time.Second, func() { b.v2.Broken.Store(true) })
}

// edited puts a rule to another host first, and a policy on the main rule.
func edited(spec *api.VirtualService) {
	spec.Http[0].CorsPolicy = &api.CorsPolicy{AllowMethods: []string{"GET"}}
	spec.Http = slices.Insert(spec.Http, 0, &api.HTTPRoute{
		Name:  "testers",
		Match: []*api.HTTPMatchRequest{{Headers: map[string]*api.StringMatch{"x-tester": {MatchType: &api.StringMatch_Exact{Exact: "yes"}}}}},
		Route: []*api.HTTPRouteDestination{{Destination: &api.Destination{Host: "reviews-of-testers"}}},
	})
}

// edit is what a person does by hand.
func (b *harmed) edit(t *testing.T) {
	mesh, _ := clients(t)
	client := mesh.NetworkingV1().VirtualServices(b.namespace)
	require.NoError(t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		vs, err := client.Get(t.Context(), "reviews", metav1.GetOptions{})
		if err != nil {
			return err
		}
		edited(&vs.Spec)
		_, err = client.Update(t.Context(), vs, metav1.UpdateOptions{})
		return err
	}))
}

// requireEdit holds the object against what it was before, with the edit.
func (b *harmed) requireEdit(t *testing.T) {
	want := &api.VirtualService{}
	require.NoError(t, want.UnmarshalJSON([]byte(b.before)))
	edited(want)
	text, err := want.MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, string(text), b.spec(t))
}

// requirePatches holds the writes to the API server against one for each change, and one for
// the record on stable without which nothing is promoted.
func (b *harmed) requirePatches(t *testing.T) {
	fmt.Printf("beside: a, requests to the API server: %v\n", b.api.sent)
	require.Equal(t, 11, b.api.sent["PATCH virtualservices"]+b.api.sent["PATCH deployments"])
}

// requireNothingButPatches does that where informers read. One that is behind by the write
// that begins the rollout costs a conflict.
func (b *harmed) requireNothingButPatches(t *testing.T) {
	b.requirePatches(t)
	delete(b.api.sent, "PATCH virtualservices")
	delete(b.api.sent, "PATCH deployments")
	for asked, n := range b.api.sent {
		require.Contains(t, []string{"LIST deployments", "WATCH deployments", "LIST virtualservices", "WATCH virtualservices", "PATCH virtualservices" + conflict}, asked)
		require.LessOrEqual(t, n, 2, asked)
	}
}
