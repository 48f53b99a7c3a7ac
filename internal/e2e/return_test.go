package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// S21. The driver has the Role of its plan and no other right.
func TestAPromotedStableGetsItsTrafficInSteps(t *testing.T) {
	t.Parallel()
	d := &badDay{harmed: newHarmed(t), metrics: controlPlane(t).Prometheus()}
	d.users.HTTP = d.gateway
	d.load = traffic.Start(&d.users, 300)
	step := canary.Step{Hold: time.Second, Requires: canary.NoFailure}
	ended, _ := d.start(t, build(t, begin("reviews").
		Weights(canary.List(50*canary.Percent, canary.Full), step).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).
		ReturnInSteps(2*time.Second, 10*canary.Percent, 50*canary.Percent)))
	for _, canaryHas := range []canary.Weight{100, 90, 50, 0} {
		d.seen.wait(t, share(canaryHas))
	}
	end := <-ended
	tally := d.load.Stop()
	t.Logf("%v\n%v", tally, &d.said)
	require.NoError(t, end.err)
	require.Equal(t, phase.Promoted, end.state.Phase)
	require.Zero(t, int64(tally.Lost)+d.gateway.Failed(), tally)
	require.Equal(t, "reviews:2", d.image(t))
	require.JSONEq(t, d.before, d.spec(t))
}
