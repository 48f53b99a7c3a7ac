package e2e_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/e2e/plane"
	"github.com/serin-go/serin/internal/e2e/traffic"
)

// V18: a canary that refuses everybody, or hangs until its clients leave, has no server errors.
// Proxies report clients that left with the status 0.
func TestACanaryThatSendsItsClientsAwayIsRolledBack(t *testing.T) {
	for name, c := range map[string]struct {
		bad  func(*traffic.Server)
		want phase.Phase
	}{
		"403":          {func(v2 *traffic.Server) { v2.FailEvery, v2.Status = 1, http.StatusForbidden }, phase.RolledBack},
		"it hangs":     {func(v2 *traffic.Server) { v2.Takes = func(int64) time.Duration { return 10 * time.Second } }, phase.RolledBack},
		"as stable is": {func(v2 *traffic.Server) { v2.FailEvery, v2.Status = 10, http.StatusNotFound }, phase.Discarded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBookinfo(t)
			b.v1.FailEvery, b.v1.Status = 10, http.StatusNotFound
			c.bad(b.v2)
			judge := b.sequential(t)
			judge.Tuning.Look, judge.Tuning.Lag = 2*plane.Scrape, 2*plane.Scrape
			all := sequential.Defaults()
			judge.Metrics = []sequential.Metric{all[0], all[2]} // latency sees a canary that hangs as well
			b.analyzer = judge
			load := traffic.Start(impatient{b.gateway}, 200)

			state, _ := b.runner(t, build(t, begin("reviews").
				Weights(canary.List(20*canary.Percent), canary.Step{Hold: 4 * time.Second, Deadline: time.Minute, Requires: canary.NoFailure}).
				End(canary.End{Kind: canary.Discard}))).Run(t.Context())

			t.Log(load.Stop(), state.Reason)
			require.Equal(t, c.want, state.Phase, state.Reason)
			if c.want == phase.RolledBack {
				require.Contains(t, state.Reason, "client errors (4xx, or the client left)")
			}
		})
	}
}

// impatient leaves before most answers that are late.
type impatient struct{ traffic.Caller }

func (c impatient) Call(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 150*time.Millisecond)
	defer cancel()
	return c.Caller.Call(ctx)
}
