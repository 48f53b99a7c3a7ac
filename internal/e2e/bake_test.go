package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// S20. The driver, who also sends the order, has the Role of its plan and no other right.
func TestAnAbortInTheBakeTimeBringsTheOldVersionBack(t *testing.T) {
	t.Parallel()
	d, ended := promoted(t)
	require.EqualValues(t, 2, d.deployment(t, "reviews-v2").Status.ReadyReplicas, "they take the traffic while stable is restored")

	d.failed = time.Now() // or so somebody says
	router, _ := d.looking(t, d.config, polled)
	require.NoError(t, canary.Send(t.Context(), router, canary.Command{Order: order.Abort, By: "ann", Why: "orders are lost"}))
	d.back(t, 20*time.Second)

	end := <-ended
	tally := d.load.Stop()
	t.Logf("%.1f s to the old version only; %v\n%v", d.took.Seconds(), tally, &d.said)
	require.ErrorIs(t, end.err, canary.ErrRolledBack)
	require.Equal(t, phase.RolledBack, end.state.Phase)
	require.Contains(t, end.state.Reason, "abort by ann: orders are lost")
	require.Zero(t, int64(tally.Lost)+d.gateway.Failed(), tally)
	d.requireOld(t)
}

// V4, g: errors of a version that stable runs already, and that has no old version beside it.
func TestAVersionThatFailsInTheBakeTimeIsTurnedBack(t *testing.T) {
	t.Parallel()
	d, ended := promoted(t)
	d.scraped(t) // Prometheus looks for new pods every five seconds
	d.fail()
	d.back(t, 10*time.Second)

	end := <-ended
	tally := d.load.Stop()
	found, restored := d.phases.at(phase.RestoringStable).Sub(d.failed), d.phases.restored()
	t.Logf("found in %.1f s, restored in %.1f s, %d failed; %v\n%v", found.Seconds(), restored.Seconds(), d.gateway.Failed(), tally, &d.said)
	require.ErrorIs(t, end.err, canary.ErrRolledBack)
	require.Contains(t, end.state.Reason, "not by chance")
	require.LessOrEqual(t, found, 5*time.Second, "the rest of a look, three looks, the lag, and the interval: 2.6 s, and a busy machine")
	require.Zero(t, tally.Lost, tally)
	require.LessOrEqual(t, d.took, found+restored+time.Second)
	d.requireOld(t)
}

// promoted is a rollout under load in its bake time. Both Deployments run the new version.
func promoted(t *testing.T) (d *badDay, ended <-chan ending) {
	d = &badDay{harmed: newHarmed(t), metrics: controlPlane(t).Prometheus()}
	d.users.HTTP = d.gateway
	d.load = traffic.Start(&d.users, 300)
	step := canary.Step{Hold: time.Second, Requires: canary.NoFailure}
	ended, _ = d.start(t, build(t, begin("reviews").
		Weights(canary.List(50*canary.Percent, canary.Full), step).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).Bake(time.Minute)))
	d.seen.wait(t, share(100))
	d.said.await(t, "waits for the end of the bake time")
	require.Equal(t, "reviews:2", d.image(t))
	return d, ended
}

// requireOld requires that all is as it was before the rollout.
func (d *badDay) requireOld(t *testing.T) {
	stable := d.deployment(t, "reviews-v1")
	require.Equal(t, "reviews:1", stable.Spec.Template.Spec.Containers[0].Image)
	require.EqualValues(t, 2, stable.Status.AvailableReplicas)
	require.EqualValues(t, 2, stable.Status.UpdatedReplicas)
	require.JSONEq(t, d.before, d.spec(t))
}

func (b *bookinfo) deployment(t *testing.T, name string) *appsv1.Deployment {
	_, kube := clients(t)
	d, err := kube.AppsV1().Deployments(b.namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return d
}
