package fake_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

// E36, E10: an autoscaler has shrunk stable, which was idle, to one pod of ten when the canary
// begins to fail, or when stable is promoted. It gets one tenth of the traffic, and the rest when
// its pods are there. If the canary has no pod, it gets everything.
func TestAShrunkStableGetsBackWhatItsPodsCarry(t *testing.T) {
	for name, c := range map[string]struct {
		at     phase.Phase // in which everything returns
		breaks func(*testing.T, *fake.Mesh, *canarytest.Judge)
		least  int // of 1000 requests go to the canary in the first minute of the return
	}{
		"the canary fails": {phase.RollingBack, func(_ *testing.T, _ *fake.Mesh, j *canarytest.Judge) {
			j.Script = []canarytest.Ruling{{Verdict: analysis.Fail, Reason: "too many errors"}}
		}, 750},
		"stable is promoted":     {phase.Returning, func(*testing.T, *fake.Mesh, *canarytest.Judge) {}, 750},
		"the canary has no pods": {phase.Retreating, func(t *testing.T, mesh *fake.Mesh, _ *canarytest.Judge) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bookinfo(t)
				setWeights(t, server, 100, 0)
				setSpec(t, server, "reviews-v1", "replicas", 10)
				mesh := fake.NewMesh(server, fake.Config{Seed: 6, Delay: time.Second})
				judge := new(canarytest.Judge)
				runner := rolloutWith(t, server, judge, polled)
				setSpec(t, server, "reviews-v2", "replicas", 10)
				run := func(until func(canary.State) bool) canary.State {
					for {
						ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
						state, err := runner.Run(ctx)
						stop()
						require.ErrorIs(t, err, context.DeadlineExceeded)
						if until(state) {
							return state
						}
					}
				}
				run(func(s canary.State) bool { return s.Traffic.Canary == canary.Full })
				setSpec(t, server, "reviews-v1", "replicas", 1)
				if c.least == 0 {
					setSpec(t, server, "reviews-v2", "replicas", 0)
				}
				c.breaks(t, mesh, judge)
				state := run(func(s canary.State) bool { return s.Phase == c.at })
				<-time.After(5 * time.Second) // the push
				sent := mesh.Send(1000, client)
				require.GreaterOrEqual(t, int(sent.To("reviews-v2")), c.least, "%v", state.Traffic)
				require.Zero(t, sent.Broken())
				if c.least == 0 {
					require.EqualValues(t, 1000, sent.To("reviews-v1"))
					return
				}
				setSpec(t, server, "reviews-v1", "replicas", 10)
				end, err := runner.Run(t.Context())
				require.Equal(t, c.at == phase.RollingBack, errors.Is(err, canary.ErrRolledBack), err)
				require.True(t, end.Phase.Final())
				require.Less(t, end.Shifted.Sub(state.Entered), time.Minute)
				require.EqualValues(t, 1000, mesh.Send(1000, client).To("reviews-v1"))
			})
		})
	}
}
