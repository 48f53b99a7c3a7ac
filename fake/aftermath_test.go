package fake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
)

// The end of a rollout says how stable did after the way back, with a warm-up of the judge too.
func TestTheJudgeTellsHowStableDoesAfterAWayBack(t *testing.T) {
	for _, warmup := range []int{0, 1, 2} {
		t.Run(fmt.Sprint("warmup ", warmup), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bookinfo(t)
				setWeights(t, server, 100, 0)
				mesh := fake.NewMesh(server, fake.Config{Seed: 6, Delay: time.Second, Spread: 2 * time.Second,
					Versions: map[string]fake.Behaviour{"reviews:1": {ErrorRate: 0.02, Median: 80 * time.Millisecond, Sigma: 0.6}, "reviews:2": {ErrorRate: 0.02, Median: 80 * time.Millisecond, Sigma: 0.6}}})
				load := mesh.Load(50, client)
				defer load.Stop()
				judge := sequential.Judge{Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1,
					Metrics: []sequential.Metric{sequential.Rate{}, sequential.Latency{}}, Tuning: sequential.Tuning{Warmup: warmup}}
				state, err := rollout(t, server, looking{judge.Look(), analysis.AnalyzerFunc(func(ctx context.Context, r analysis.Request) (analysis.Result, error) {
					result, err := judge.Analyze(ctx, r)
					if r.Canary > 0 {
						result.Verdict, result.Reason = analysis.Fail, "failed"
					} else if r.Mirrored {
						result.Verdict = analysis.Pass
					}
					return result, err
				})}).Run(t.Context())
				require.ErrorIs(t, err, canary.ErrRolledBack)
				require.Less(t, time.Since(state.Shifted), 2*time.Minute)
				require.Contains(t, state.Reason, "since then: stable")
			})
		})
	}
}

type looking struct {
	look time.Duration
	analysis.Analyzer
}

func (l looking) Look() time.Duration { return l.look }
