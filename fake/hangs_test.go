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
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/metrics"
)

// called is a service with so many requests a second until the test ends, all of them to stable.
func called(t *testing.T, perSecond float64) (*apiserver.Server, *fake.Mesh) {
	server := bookinfo(t)
	setWeights(t, server, 100, 0)
	mesh := fake.NewMesh(server, fake.Config{Seed: 3})
	load := mesh.Load(perSecond, client)
	t.Cleanup(func() { load.Stop() })
	return server, mesh
}

// hanging is a store that counts no answer of the canary that was to come after a time.
type hanging struct {
	metrics.Sequencer
	since func() time.Time
}

func (h hanging) cut(q metrics.Query, windows []metrics.Window, all [][]metrics.Counts) {
	since := h.since()
	for i, w := range windows {
		for j := range all {
			if q.Arm == reviewsV2 && q.Reporter == metrics.Source && !since.IsZero() && w.To.After(since) {
				all[j][i] = metrics.Counts{}
			}
		}
	}
}

func (h hanging) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	counts, err := h.Sequencer.Sequence(ctx, q, windows)
	if err == nil {
		h.cut(q, windows, [][]metrics.Counts{counts})
	}
	return counts, err
}

func (h hanging) SlowerThan(ctx context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window) ([][]metrics.Counts, error) {
	all, err := h.Sequencer.SlowerThan(ctx, q, bounds, windows)
	if err == nil {
		h.cut(q, windows, all)
	}
	return all, err
}

// A canary that hangs answers nothing, and where clients wait, nothing is counted. It is found in any
// step, and at any time of it: the requests that are missing are a want of readings, not a wrong
// division that people have to look at while users wait.
func TestACanaryThatHangsGivesItsUsersBack(t *testing.T) {
	for _, after := range []time.Duration{0, time.Minute} { // since the step is judged
		for step := 1; step <= 3; step++ {
			t.Run(fmt.Sprintf("step %d, after %v", step, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server, mesh := called(t, 50)
					var since, back time.Time
					watch := func(c *canary.Config) {
						c.Observers = append(c.Observers, func(_ context.Context, e canary.Event) {
							switch exposed := e.After.Traffic.Canary > 0; {
							case since.IsZero() && exposed && e.After.Step == step:
								since = e.At.Add(35*time.Second + after)
							case back.IsZero() && !since.IsZero() && !exposed:
								back = e.At
							}
						})
					}
					store := hanging{mesh, func() time.Time { return since }}
					judge := sequential.Judge{Provider: store, Canary: reviewsV2, Baseline: reviewsV1}
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					state, _ := rolloutWith(t, server, judge, polled, watch).Run(ctx)
					require.Equal(t, phase.Retreating, state.Phase, state.Reason)
					require.Equal(t, cause.NoCanaryReadings, state.Retreat.Cause)
					require.Contains(t, state.Reason, "the canary hangs, or its readings are missing")
					require.Less(t, back.Sub(since), 4*time.Minute)
				})
			})
		}
	}
}
