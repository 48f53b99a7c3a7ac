package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/internal/e2e/traffic"
	"github.com/serin-go/serin/mirror"
)

// like is a step that waits for metrics.
var like = canary.Step{Hold: time.Second, Deadline: time.Minute}

func quick(name string) canary.Builder {
	return canary.NewPlan(name).Settle(200 * time.Millisecond).ScrapeLag(400 * time.Millisecond).Interval(200 * time.Millisecond)
}

// S2 and S7.
func TestARolloutJudgedByRealMetricsIsPromoted(t *testing.T) {
	b := newBookinfo(t)
	before := b.spec(t)
	plan, err := quick("reviews").
		Step(mirror.Steps(like, canary.Full)...).
		Weights(canary.List(20*canary.Percent, 60*canary.Percent, canary.Full), like).
		End(canary.End{Kind: canary.PromoteStable, Deadline: time.Minute}).Build()
	require.NoError(t, err)

	load := traffic.Start(b.gateway, 300)
	state, err := b.runner(t, plan, func(e canary.Event) { t.Log(e.After.Phase, e.Traffic, e.Decision.Reason, e.Err) }).Run(t.Context())
	tally := load.Stop()

	t.Log(tally)
	require.NoError(t, err)
	require.Equal(t, canary.Promoted, state.Phase)
	require.Zero(t, tally.Lost, tally)
	require.JSONEq(t, before, b.spec(t))
}
