package canary_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
)

// What a judge is told of the rollout so far: the steps in which something could
// be counted, without the moments in which traffic was being moved.
func TestAJudgeIsToldOfTheStepsBefore(t *testing.T) {
	like := canary.Step{Hold: 10 * time.Minute}
	dark := like
	dark.Traffic.Mirror, dark.Requires = canary.Full, canary.NoFailure
	unjudged := like
	unjudged.Traffic.Canary, unjudged.Requires = canary.Percent, canary.Nothing
	judge := &canarytest.Judge{}
	plan := canary.NewPlan("reviews").Settle(10*time.Second).ScrapeLag(30*time.Second).Step(dark, unjudged).
		Weights(canary.List(20*canary.Percent, 50*canary.Percent, canary.Full), like)
	story(t, plan, func(t *testing.T, s *stage) {
		begin := time.Now()
		_, err := s.run()
		require.NoError(t, err)
		asked := judge.Asked()
		last := asked[len(asked)-1]
		require.Len(t, last.Earlier, 3)
		require.InDelta(t, 1, last.Canary, 0)
		for i, b := range last.Earlier {
			require.Equal(t, []bool{true, false, false}[i], b.Mirrored)
			require.InDelta(t, []float64{0, 0.2, 0.5}[i], b.Canary, 0)
			require.InDelta(t, 10*time.Minute, b.Window.Length(), float64(time.Minute))
			require.True(t, b.Window.From.Sub(begin) >= 40*time.Second)
			if i > 0 {
				require.GreaterOrEqual(t, b.Window.From.Sub(last.Earlier[i-1].Window.To), 40*time.Second)
			}
		}
		require.GreaterOrEqual(t, last.Window.From.Sub(last.Earlier[2].Window.To), 40*time.Second)
	}, func(c *canary.Config) { c.Analyzer = judge })
}

// A fault that begins while stable is promoted goes on when stable has its traffic again: what was
// seen of it counts.
func TestAJudgeIsToldOfTheTimeInWhichStableWasPromoted(t *testing.T) {
	judge := &counting{look: 15 * time.Second}
	plan := canary.NewPlan("reviews").Settle(10*time.Second).ScrapeLag(30*time.Second).
		Weights(canary.List(50*canary.Percent), canary.Step{Hold: 10 * time.Minute}).
		End(canary.End{Kind: canary.PromoteStable}).Bake(10 * time.Minute)
	story(t, plan, func(t *testing.T, s *stage) {
		_, err := s.run()
		require.NoError(t, err)
		asked := judge.Asked()
		last := asked[len(asked)-1]
		require.True(t, last.Promoted)
		require.NotEmpty(t, last.Earlier)
		all := last.Earlier[len(last.Earlier)-1]
		require.InDelta(t, 1, all.Canary, 0)
		require.GreaterOrEqual(t, all.Window.Length(), 3*judge.look)
		require.InDelta(t, 40*time.Second, last.Window.From.Sub(all.Window.To), float64(30*time.Second), "the traffic returns to stable")
	}, func(c *canary.Config) { c.Analyzer = judge })
}

// Whoever drives, from whatever reading of the State, tells the same.
func TestBlocksSurviveBeingWritten(t *testing.T) {
	var s canary.State
	s.Blocks = canary.Blocks{
		{time.UnixMilli(1e12).UTC(), time.UnixMilli(1e12 + 5000).UTC(), canary.Traffic{Mirror: canary.Full}},
		{time.UnixMilli(1e12 + 7000).UTC(), time.UnixMilli(1e12 + 9000).UTC(), canary.Traffic{Canary: 5 * canary.Percent}},
	}
	text, err := s.MarshalJSON()
	require.NoError(t, err)
	require.Contains(t, string(text), `"blocks":"cre66i9s.3uw.0.0.lfls 1jk.1jk.12kw.0.0"`)
	var again canary.State
	require.NoError(t, again.UnmarshalJSON(text))
	require.Equal(t, s, again)

	for _, bad := range []string{"1.2.3", "1.2.3.4.5.6", "-1.1.0.0.0", "0.0.lfls.1.0", "zzzzzzzzzzzzzzz.0.0.0.0", "ä.0.0.0.0"} {
		var b canary.Blocks
		require.ErrorContains(t, b.UnmarshalText([]byte(bad)), "block 0", bad)
	}
}
