package fake_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/metrics"
)

// silent is a store that counts nothing of the new version, wherever it runs, after a time.
type silent struct {
	hanging
	promoted func() bool
}

func (s silent) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts, err := s.hanging.Sequence(ctx, q, windows)
	if err == nil && s.promoted() {
		for i, w := range windows {
			if since := s.since(); !since.IsZero() && w.To.After(since) {
				counts[i] = metrics.Counts{}
			}
		}
	}
	return counts, err
}

// A canary hangs when it has everything, or shortly before: nothing is counted any more, of a service
// that had 50 requests a second. Users should not be left on it without end, or on a stable that was
// promoted to it.
func TestAVersionThatHangsWithEverythingGivesItsUsersBack(t *testing.T) {
	for name, at := range map[string]time.Duration{"at the end of the last share": -30 * time.Second, "with everything": time.Minute} {
		for _, end := range []canary.EndKind{canary.Stay, canary.PromoteStable} {
			t.Run(name+", "+end.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server, mesh := called(t, 50)
					plan, err := canary.NewPlan("reviews").Settle(5*time.Second).ScrapeLag(30*time.Second).Interval(10*time.Second).
						Weights(canary.List(50*canary.Percent, canary.Full), canary.Step{Hold: 5 * time.Minute}).
						End(canary.End{Kind: end}).Bake(10 * time.Minute).Build()
					require.NoError(t, err)
					var from atomic.Int64
					var promoted atomic.Bool
					since := func() time.Time {
						if at := from.Load(); at != 0 {
							return time.Unix(0, at)
						}
						return time.Time{}
					}
					watch := func(c *canary.Config) {
						c.Plan = plan
						c.Observers = append(c.Observers, func(_ context.Context, e canary.Event) {
							if e.After.Phase == phase.Returning {
								promoted.Store(true)
							}
							if since().IsZero() && e.After.Phase == phase.Progressing && e.After.Step == 0 {
								from.Store(e.At.Add(5*time.Minute + 35*time.Second + at).UnixNano())
							}
							if e.Before.Phase != e.After.Phase || e.Before.Step != e.After.Step {
								t.Log(e.At.Sub(since()), e.After.Phase, e.After.Step, e.After.Reason)
							}
						})
					}
					store := silent{hanging{mesh, since, reviewsV2, 0}, promoted.Load}
					judge := sequential.Judge{Provider: store, Canary: reviewsV2, Baseline: reviewsV1}
					ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
					defer cancel()
					state, _ := rolloutWith(t, server, judge, polled, watch).Run(ctx)
					require.NotEqual(t, phase.Promoted, state.Phase, state.Reason)
					require.Zero(t, state.Traffic.Canary, "%v: %s", state.Phase, state.Reason)
				})
			})
		}
	}
}
