package e2e_test

import (
	"cmp"
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
	for _, row := range []besideRow{
		{name: "a, polled once a second", holds: (*harmed).requirePatches},
		{name: "a, read by informers", looks: listed, holds: (*harmed).requireNothingButPatches},
		{name: "b", bad: 30, at: share(20), most: 60, ends: phase.RolledBack},
		{name: "b, with a dark launch", dark: true, bad: 30, at: mirrored, ends: phase.RolledBack},
		{name: "c", at: share(60), harm: failing(50), most: 160, ends: phase.RolledBack},
		{name: "c, with looks of 10 s", look: 10 * time.Second, at: share(60), harm: failing(50), most: 1100, ends: phase.RolledBack},
		{name: "d, watched", looks: watched, harm: (*harmed).losePods, most: 10, ends: phase.Retreating},
		{name: "d, polled once a second", harm: (*harmed).losePods, most: 60, ends: phase.Retreating},
		{name: "h, watched", looks: watched, harm: (*harmed).scaleToZero, most: 10, ends: phase.Retreating},
		{name: "h, polled once a second", harm: (*harmed).scaleToZero, most: 60, ends: phase.Retreating},
		{name: "e", harm: (*harmed).loseReadings, most: 1600, ends: phase.Retreating},
		{name: "e, with a blind limit of 5 s", limit: 5 * time.Second, harm: (*harmed).loseReadings, most: 300, ends: phase.Retreating},
		{name: "f", harm: (*harmed).edit, holds: (*harmed).requireEdit},
		{name: "g", at: share(100), harm: failing(100), most: 450, ends: phase.RolledBack},
		{name: "g, 8 s into the hold", at: share(100), after: 9 * time.Second, harm: failing(100), most: 450, ends: phase.RolledBack},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.looks != watched { // where milliseconds count
				t.Parallel()
			}
			row.run(t)
		})
	}
}

// besideRow is a row of the comparison.
type besideRow struct {
	name  string
	looks looks
	limit time.Duration                 // blind
	look  time.Duration                 // of the judge; zero is a second
	dark  bool                          // begins with copies
	bad   int64                         // of 100 answers of the canary, from the start
	at    canary.Traffic                // that something goes wrong in; zero is 40 %
	after time.Duration                 // this was written; zero is 2 s
	harm  func(b *harmed, t *testing.T) // what goes wrong
	most  int64                         // requests, but for those that fail while stable is restored
	ends  phase.Phase                   // zero is Promoted
	holds func(b *harmed, t *testing.T) // in the end
}

const besideRate = 100 // requests a second

func (row besideRow) run(t *testing.T) {
	b := newHarmed(t)
	b.scraped(t) // Prometheus may look for new pods seconds later
	b.v2.Fails.Store(row.bad)
	ended, kill := runs(t, b.besideRunner(t, row))
	b.load = traffic.Start(b.gateway, besideRate)
	b.seen.wait(t, cmp.Or(row.at, share(40)))
	if row.harm != nil {
		<-time.After(cmp.Or(row.after, 2*time.Second))
		row.harm(b, t)
	}
	b.seen.wait(t, canary.Traffic{})
	<-time.After(time.Second) // what is under way
	ends := cmp.Or(row.ends, phase.Promoted)
	if !ends.Final() {
		kill()
	}
	state := (<-ended).state
	tally := b.load.Stop()
	failed, restored := int64(tally.Lost)+b.gateway.Failed(), b.phases.restored()
	fmt.Printf("beside: %s, %d failed, %.1f s to restore stable\n", row.name, failed, restored.Seconds())
	t.Log(tally, state.Reason)
	require.Equal(t, ends, state.Phase, state.Reason)
	require.LessOrEqual(t, failed, row.most+int64(besideRate*restored.Seconds()))
	if row.holds != nil {
		row.holds(b, t)
	}
}

// failing makes so many of 100 requests to the canary fail.
func failing(percent int64) func(b *harmed, t *testing.T) {
	return func(b *harmed, _ *testing.T) { b.v2.Fails.Store(percent) }
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
	time.AfterFunc(5*time.Second, func() { b.v2.Fails.Store(100) })
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
