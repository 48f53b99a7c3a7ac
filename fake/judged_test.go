package fake_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// judged is a rollout with a judge of errors and latency, driven by drive, and
// what the judge said last.
func judged(t *testing.T, v2 fake.Behaviour, drive driver) (canary.State, analysis.Result, error) {
	server := bookinfo(t)
	setWeights(t, server, 100, 0)
	mesh := fake.NewMesh(server, fake.Config{
		Seed: 6, Delay: time.Second, Spread: 2 * time.Second,
		Versions: map[string]fake.Behaviour{"reviews:1": {ErrorRate: 0.002, Median: 80 * time.Millisecond, Sigma: 0.6}, "reviews:2": v2},
	})
	load := mesh.Load(50, client)
	defer load.Stop()
	var last analysis.Result
	judge := sequential.Judge{
		Provider: mesh, Canary: reviewsV2, Baseline: reviewsV1,
		Metrics: []sequential.Metric{sequential.Rate{}, sequential.Latency{}}, Tuning: sequential.Tuning{AllCopied: true}, // the client only gets
	}
	recorded := analysis.AnalyzerFunc(func(ctx context.Context, r analysis.Request) (analysis.Result, error) {
		result, err := judge.Analyze(ctx, r)
		if err == nil {
			last = result
		}
		return result, err
	})
	state, err := drive(t, func() *canary.Runner { return rollout(t, server, recorded) })
	return state, last, err
}

type driver func(t *testing.T, runner func() *canary.Runner) (canary.State, error)

func toTheEnd(t *testing.T, runner func() *canary.Runner) (canary.State, error) {
	return runner().Run(t.Context())
}

func TestARolloutIsJudgedByItsWholePast(t *testing.T) {
	for name, c := range map[string]struct {
		v2   fake.Behaviour
		want phase.Phase
		says string
	}{
		"as good as stable is promoted":     {fake.Behaviour{ErrorRate: 0.002, Median: 80 * time.Millisecond, Sigma: 0.6}, phase.Promoted, ""},
		"twenty times the errors roll back": {fake.Behaviour{ErrorRate: 0.04, Median: 80 * time.Millisecond, Sigma: 0.6}, phase.RolledBack, "server errors"},
		"half as slow again is rolled back": {fake.Behaviour{ErrorRate: 0.002, Median: 120 * time.Millisecond, Sigma: 0.6}, phase.RolledBack, "slower than"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state, result, err := judged(t, c.v2, toTheEnd)
				require.Equal(t, c.want, state.Phase, "%v: %s", err, state.Reason)
				if c.want == phase.RolledBack {
					require.ErrorIs(t, err, canary.ErrRolledBack)
					require.Regexp(t, c.says+".*not by chance", state.Reason)
					require.Equal(t, analysis.Fail, result.Verdict)
				}
			})
		})
	}
}

// Whoever drives, and however often the driver is another one, the evidence is
// that of the rollout.
func TestDriversThatComeAndGoJudgeAsOneDoes(t *testing.T) {
	behaviour := fake.Behaviour{ErrorRate: 0.04, Median: 80 * time.Millisecond, Sigma: 0.6}
	var states [2]canary.State
	var results [2]analysis.Result
	for i, drive := range []driver{toTheEnd, comingAndGoing} {
		synctest.Test(t, func(t *testing.T) {
			var err error
			states[i], results[i], err = judged(t, behaviour, drive)
			require.ErrorIs(t, err, canary.ErrRolledBack)
		})
	}
	require.Equal(t, results[0], results[1])
	require.Equal(t, states[0].Reason, states[1].Reason)
	require.Equal(t, states[0].Blocks, states[1].Blocks)
}

// comingAndGoing takes each turn by a Runner of its own, or by two at once, when
// the one before said.
func comingAndGoing(t *testing.T, runner func() *canary.Runner) (canary.State, error) {
	dice := rand.New(rand.NewPCG(1, 2))
	for {
		e, err := runner().Turn(t.Context())
		require.NoError(t, err)
		if dice.IntN(3) == 0 {
			_, err := runner().Turn(t.Context())
			require.NoError(t, err)
		}
		if e.Done {
			return e.After, canary.ErrRolledBack
		}
		time.Sleep(e.Wait)
	}
}
