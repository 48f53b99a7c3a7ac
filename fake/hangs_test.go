package fake_test

import (
	"context"
	"fmt"
	"math"
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

// hanging is a store that counts no answer of an arm that was to come after a time, or only a part
// of them.
type hanging struct {
	metrics.Sequencer
	since func() time.Time
	arm   metrics.Arm
	left  float64
}

func (h hanging) cut(q metrics.Query, windows []metrics.Window, all [][]metrics.Counts) {
	since := h.since()
	for i, w := range windows {
		for j := range all {
			if q.Arm == h.arm && q.Reporter == metrics.Source && !since.IsZero() && w.To.After(since) {
				all[j][i] = metrics.Counts{Total: math.Floor(h.left * all[j][i].Total), Bad: math.Floor(h.left * all[j][i].Bad)}
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
// step, and at any time of it: the requests that are missing are a want of readings. Where some of them
// are answered, they are not divided as planned, which has other causes too, so it takes the error limit.
func TestACanaryThatHangsGivesItsUsersBack(t *testing.T) {
	for name, c := range map[string]struct {
		arm    metrics.Arm
		left   float64
		cause  cause.Cause
		within time.Duration
		says   string
	}{
		"all":                {reviewsV2, 0, cause.NoCanaryReadings, 4 * time.Minute, "the canary hangs, or its readings are missing"},
		"nine of ten":        {reviewsV2, 0.1, cause.Undivided, 22 * time.Minute, "the requests are not divided as planned"},
		"stable is not read": {reviewsV1, 0, cause.NoReadings, 4 * time.Minute, "stable hangs, or its readings are missing"},
	} {
		for _, after := range []time.Duration{0, time.Minute} { // since the step is judged
			for step := 1; step <= 3; step++ {
				t.Run(fmt.Sprintf("%s, step %d, after %v", name, step, after), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						server, mesh := called(t, 50)
						var since, back time.Time
						var why string
						watch := func(config *canary.Config) {
							config.Observers = append(config.Observers, func(_ context.Context, e canary.Event) {
								switch exposed := e.After.Traffic.Canary > 0; {
								case since.IsZero() && exposed && e.After.Step == step:
									since = e.At.Add(35*time.Second + after)
								case back.IsZero() && !since.IsZero() && !exposed:
									back, why = e.At, e.After.Reason
									require.Equal(t, c.cause, e.After.Retreat.Cause, why)
								}
							})
						}
						store := hanging{mesh, func() time.Time { return since }, c.arm, c.left}
						judge := sequential.Judge{Provider: store, Canary: reviewsV2, Baseline: reviewsV1}
						ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
						defer cancel()
						state, _ := rolloutWith(t, server, judge, polled, watch).Run(ctx)
						require.Equal(t, phase.Retreating, state.Phase, state.Reason)
						require.Contains(t, why, c.says)
						require.Less(t, back.Sub(since), c.within)
					})
				})
			}
		}
	}
}
