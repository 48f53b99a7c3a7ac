package fake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// Stable is promoted, without a bake time, by a judge whose counts are late: what fails at the end of
// the last step, or after it, is seen before stable gets the traffic.
func TestAFaultAtTheEndIsFoundAlsoIfCountsAreLate(t *testing.T) {
	for _, tuning := range []sequential.Tuning{{}, {Lag: time.Minute}, {Warmup: 2}} {
		for seconds := -30; seconds <= 10; seconds += 20 { // since the end of the last step
			t.Run(fmt.Sprint("lag ", tuning.Lag, ", warm-up ", tuning.Warmup, ", at ", seconds), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server, mesh := called(t, 100)
					const settle, hold = 5 * time.Second, 5 * time.Minute
					plan, err := canary.NewPlan("reviews").Settle(settle).ScrapeLag(5*time.Second).Interval(5*time.Second).
						Weights(canary.List(50*canary.Percent, 95*canary.Percent), canary.Step{Hold: hold}).
						End(canary.End{Kind: canary.PromoteStable, Deadline: 10 * time.Minute}).Build()
					require.NoError(t, err)
					var fault *time.Timer
					breaks := func(c *canary.Config) {
						c.Plan = plan
						c.Observers = append(c.Observers, func(_ context.Context, e canary.Event) {
							if fault == nil && e.After.Phase == phase.Progressing && e.After.Step == 1 {
								fault = time.AfterFunc(settle+hold+time.Duration(seconds)*time.Second, func() {
									mesh.Behave("reviews:2", fake.Behaviour{ErrorRate: 1})
								})
							}
						})
					}
					judge := sequential.Judge{Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1, Tuning: tuning}
					state, err := rolloutWith(t, server, judge, polled, breaks).Run(t.Context())
					require.ErrorIs(t, err, canary.ErrRolledBack, state.Reason)
				})
			})
		}
	}
}
