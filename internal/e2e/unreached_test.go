package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	istioapi "istio.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/internal/e2e/envoy"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/metrics"
	"github.com/serin-go/serin/routing"
)

// V3, E9, R6: users cannot reach the canary. Their requests fail in their proxies, and belong to no
// version.
func TestACanaryThatUsersCannotReachIsTurnedBack(t *testing.T) {
	for name, c := range map[string]struct {
		before, at40 func(*badDay, *testing.T)
	}{
		"its subset is removed":              {at40: (*badDay).removeSubset},
		"its subset has no pod":              {at40: (*badDay).emptySubset},
		"a private DestinationRule hides it": {before: (*badDay).callFromElsewhere, at40: (*badDay).hideElsewhere},
		"a port that it does not have":       {before: (*badDay).mistakePort},
		"a host that there is not":           {before: (*badDay).mistakeHost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spend(t, name, func(d *badDay, t *testing.T) {
				d.also = []sequential.Metric{sequential.Reach{}}
				from := share(40)
				if c.before != nil {
					c.before(d, t)
				}
				found, err := d.paths(t).Check(t.Context(), canary.Plan{})
				require.NoError(t, err)
				if c.at40 == nil { // a rollout with this check would not begin
					from = share(20)
					require.True(t, found[0].Refuses, found)
				} else {
					require.Empty(t, found)
				}
				d.scraped(t)
				d.servedWell(t)
				ended, _ := d.start(t, d.plan(t, time.Minute))
				d.seen.wait(t, from)
				d.failed = time.Now()
				if c.at40 != nil {
					c.at40(d, t)
				}
				d.said.await(t, "RolledBack: ")
				d.back(t, 8*time.Second)
				end := <-ended
				require.Contains(t, end.state.Reason, "of the requests reach no pod, and canary has", &d.said)
			})
		})
	}
}

// servedWell waits until what failed while the mesh began is a small part of the past.
func (d *badDay) servedWell(t *testing.T) {
	reading, err := d.router(t).Read(t.Context())
	require.NoError(t, err)
	require.True(t, poll(t, func() bool {
		past, err := d.counts(t).Reach(t.Context(), reading.Hosts, nil, []metrics.Window{{From: time.Now().Add(-10 * time.Minute), To: time.Now()}})
		return err == nil && past[0].Requests > 500 && past[0].Unreached < 0.01*past[0].Requests
	}))
}

func (d *badDay) paths(t *testing.T) *routing.Paths {
	mesh, kube := clients(t)
	paths, err := routing.NewPaths(routing.PathsConfig{
		Target: d.target, Services: kube.CoreV1().Services(d.namespace), DestinationRules: mesh.NetworkingV1().DestinationRules(""),
		Deployments: kube.AppsV1().Deployments(d.namespace), Stable: "reviews-v1", Canary: "reviews-v2",
	})
	require.NoError(t, err)
	return paths
}

// setSubsets changes the subsets of reviews.
func (b *bookinfo) setSubsets(t *testing.T, change func(subset *istioapi.Subset) (keep bool)) {
	mesh, _ := clients(t)
	rules := mesh.NetworkingV1().DestinationRules(b.namespace)
	rule, err := rules.Get(t.Context(), "reviews", metav1.GetOptions{})
	require.NoError(t, err)
	var left []*istioapi.Subset
	for _, s := range rule.Spec.Subsets {
		if change(s) {
			left = append(left, s)
		}
	}
	rule.Spec.Subsets = left
	_, err = rules.Update(t.Context(), rule, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func (d *badDay) removeSubset(t *testing.T) {
	d.setSubsets(t, func(s *istioapi.Subset) bool { return s.Name != "v2" })
}

func (d *badDay) emptySubset(t *testing.T) {
	d.setSubsets(t, func(s *istioapi.Subset) bool {
		if s.Name == "v2" {
			s.Labels = map[string]string{"version": "v9"}
		}
		return true
	})
}

// callFromElsewhere has users come from another namespace.
func (d *badDay) callFromElsewhere(t *testing.T) {
	d.load.Stop()
	d.elsewhere = d.plane.Namespace(t)
	d.plane.Serve(d.elsewhere, "client:1", envoy.Proxy{Plane: d.plane}.Run)
	d.plane.Apply(t, d.elsewhere, podOf(d.elsewhere, "web", "client:1", "app: web"))
	d.users.HTTP = traffic.NewHTTP(d.plane, d.elsewhere, "web", "reviews."+d.namespace+":9080", "/reviews/1")
	t.Cleanup(d.users.HTTP.Close)
	_, err := traffic.Wait(t.Context(), d.users.HTTP)
	require.NoError(t, err)
	d.load = traffic.Start(&d.users, 100)
}

// hideElsewhere has the proxies there know one subset only.
func (d *badDay) hideElsewhere(t *testing.T) {
	d.plane.Apply(t, d.elsewhere, fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: private, namespace: %s}
spec: {host: reviews.%s.svc.cluster.local, subsets: [{name: v1, labels: {version: v1}}]}
`, d.elsewhere, d.namespace))
}

func (d *badDay) mistakePort(*testing.T) { d.target.Arms.Canary.Port = 9999 }

func (d *badDay) mistakeHost(*testing.T) { d.target.Arms.Canary.Host = "reviews-two" }
