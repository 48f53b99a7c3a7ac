package sequential_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// gates is a store of a service of 50 requests a second, of which half go to a canary that has lost a
// part of its own since a time.
type gates struct {
	metrics.Sequencer
	since time.Time
	lost  float64
	asked *[][]metrics.Window
	fail  func(ctx context.Context) error
}

func (g gates) Reach(ctx context.Context, _ metrics.Hosts, _ []metrics.Arm, windows []metrics.Window) ([]metrics.Reached, error) {
	if g.asked != nil {
		*g.asked = append(*g.asked, windows)
	}
	if g.fail != nil {
		if err := g.fail(ctx); err != nil {
			return nil, err
		}
	}
	reached := make([]metrics.Reached, len(windows))
	for i, w := range windows {
		half, lost := 25*w.Length().Seconds(), 0.0
		if !w.From.Before(g.since) {
			lost = g.lost * half
		}
		reached[i] = metrics.Reached{Requests: 2 * half, Unreached: lost, Answered: []float64{half - lost, half}}
	}
	return reached, nil
}

func unreachable(lost float64) (g gates, r analysis.Request) {
	began := time.Unix(1e9, 0)
	g.since, g.lost = began.Add(20*time.Minute), lost
	usual := arm{25, 0.004, 20 * time.Millisecond}
	arms := map[metrics.Arm]arm{shopV1: usual}
	if lost < 1 {
		arms[shopV2] = arm{25 * (1 - lost), 0.004, 20 * time.Millisecond}
	}
	g.Sequencer = novel{drawn: draws{}, chapters: []chapter{
		{began.Add(-time.Hour), map[metrics.Arm]arm{shopV1: usual}},
		{began, map[metrics.Arm]arm{shopV1: usual, shopV2: usual}},
		{g.since, arms},
	}}
	hosts := metrics.Hosts{"shop.shop.svc.cluster.local"}
	return g, analysis.Request{Canary: 0.5, Began: began, Hosts: hosts, Window: metrics.Window{From: began, To: g.since.Add(95 * time.Second)}}
}

func TestACanaryThatCannotBeReachedFails(t *testing.T) {
	for lost, want := range map[float64]analysis.Verdict{1: analysis.Fail, 0.5: analysis.Fail, 0: analysis.Pass} {
		g, r := unreachable(lost)
		judge := sequential.Judge{Provider: g, Canary: shopV2, Baseline: shopV1}
		result, err := judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, want, result.Verdict, result.Reason)
		if want == analysis.Fail {
			require.Contains(t, result.Reason, "of the requests reach no pod, and canary has")
		}
		r.Hosts = nil
		result, err = judge.Analyze(t.Context(), r)
		require.NoError(t, err)
		require.NotEqual(t, analysis.Fail, result.Verdict, result.Reason)
	}
}

// One question that the store cannot answer, or not in time, does not blind the judge for what the
// others show. It is said.
func TestAReachThatCannotBeCountedIsLeftOut(t *testing.T) {
	for name, fail := range map[string]func(context.Context) error{
		"too many samples": func(context.Context) error { return errors.New("too many samples") },
		"too slow":         func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, r := unreachable(0)
				g.fail = fail
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				result, err := sequential.Judge{Provider: g, Canary: shopV2, Baseline: shopV1}.Analyze(ctx, r)
				require.NoError(t, err)
				require.Equal(t, analysis.Pass, result.Verdict, result.Reason)
				require.Contains(t, result.Reason, "; requests that reach no pod are not judged: ")
			})
		})
	}
	g, r := unreachable(0)
	g.fail = func(context.Context) error { return metrics.ErrNoSeries }
	result, err := sequential.Judge{Provider: g, Canary: shopV2, Baseline: shopV1}.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.NotContains(t, result.Reason, "not judged", "a waypoint reports none")
	findings := report(result).Findings
	require.Equal(t, "no client's proxy reports them", findings[len(findings)-1].Note)
}

// What was usual before the rollout is asked for by itself if live traffic begins much later.
func TestTheTimeOfCopiesIsNotReadForReach(t *testing.T) {
	g, r := unreachable(0)
	var asked [][]metrics.Window
	g.asked = &asked
	judge := sequential.Judge{Provider: g, Canary: shopV2, Baseline: shopV1}
	_, err := judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, asked, 1)
	require.Equal(t, metrics.Window{From: r.Began.Add(-10 * time.Minute), To: r.Began}, asked[0][0])
	r.Began = r.Window.From.Add(-24 * time.Hour)
	r.Earlier = []analysis.Block{{Window: metrics.Window{From: r.Began, To: r.Window.From}, Mirrored: true}}
	asked = nil
	_, err = judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, asked, 2)
	require.Len(t, asked[0], 1)
}

func TestAReachNeedsAStoreThatCountsForIt(t *testing.T) {
	judge := judgeOf(newShop(arm{}, arm{}))
	judge.Metrics = []sequential.Metric{sequential.Rate{}, sequential.Reach{}}
	require.ErrorContains(t, judge.Validate(), "metric 1 (requests that reach no pod): the Provider does not count them")
}
