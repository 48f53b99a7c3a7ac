package canary

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/phase"
)

// clockWorld is a rollout that drivers with different clocks drive. Its time is that of the
// metric store.
type clockWorld struct {
	t       *testing.T
	plan    Plan
	now     time.Time
	reading Reading
	version int
	writes  int
	divided time.Time // when the traffic changed last
	users   time.Time // when the canary got its first
	shortest,
	longest time.Duration // that the traffic of a step lasted, beyond the hold
	early  int           // windows that began before the traffic changed
	told   bool          // an Event named the difference of the clocks
	phases []phase.Phase // that were entered
	pods   Workload      // nil if there is none
	actors []*clockDriver
}

// clockDriver is a driver whose clock is ahead by skew, and which lives from a time on.
type clockDriver struct {
	w          *clockWorld
	skew       time.Duration
	jumps      []clockJump
	from, till time.Duration // since epoch; till 0 is for good
	cron       time.Duration // it is a new process each time; 0 if it is not
	r          *Runner
	wake       time.Time
}

// clockJump is a change of a clock at a time.
type clockJump struct{ at, by time.Duration }

const clockHold = 10 * time.Minute

// clockPlan has three steps and a bake time.
func clockPlan(t *testing.T) Plan {
	plan, err := NewPlan("clocks").Settle(5*time.Second).ScrapeLag(15*time.Second).
		Weights(List(10*Percent, 50*Percent, Full), Step{Hold: clockHold, Requires: NoFailure}).
		Bake(clockHold).End(End{Kind: Stay}).Build()
	require.NoError(t, err)
	return plan
}

func newClockWorld(t *testing.T, drivers ...clockDriver) *clockWorld {
	w := &clockWorld{t: t, plan: clockPlan(t), now: epoch, shortest: longest}
	for _, d := range drivers {
		d.w, d.wake = w, epoch.Add(d.from)
		w.actors = append(w.actors, &d)
	}
	return w
}

// run lets the drivers move in turn until the rollout is over, or for at most so long.
func (w *clockWorld) run(most time.Duration) {
	for w.now.Before(epoch.Add(most)) && !w.reading.State.Phase.Final() {
		next := w.actors[0]
		for _, d := range w.actors {
			if d.wake.Before(next.wake) {
				next = d
			}
		}
		w.now = later(w.now, next.wake)
		next.turn()
	}
}

func (d *clockDriver) clock() time.Time {
	at := d.w.now.Add(d.skew)
	for _, j := range d.jumps {
		if !d.w.now.Before(epoch.Add(j.at)) {
			at = at.Add(j.by)
		}
	}
	return at
}

func (d *clockDriver) turn() {
	w := d.w
	if d.till > 0 && !w.now.Before(epoch.Add(d.till)) {
		d.wake = w.now.Add(longest)
		return
	}
	if d.r == nil || d.cron > 0 {
		r, err := NewRunner(Config{Plan: w.plan, Router: w, Analyzer: d, Workload: w.pods})
		require.NoError(w.t, err)
		r.now, r.ran = d.clock, func() time.Duration { return w.now.Sub(epoch) + time.Second }
		d.r = r
	}
	e, err := d.r.Turn(context.Background())
	require.NoError(w.t, err)
	w.told = w.told || strings.Contains(e.Reason.Detail, "the clock of this process")
	d.wake = w.now.Add(max(e.Wait, 100*time.Millisecond))
	if d.cron > 0 {
		d.wake = w.now.Add(d.cron)
	}
}

func (w *clockWorld) Read(context.Context) (Reading, error) { return w.reading, nil }

func (w *clockWorld) Write(_ context.Context, r Reading, t Traffic, s State) error {
	if r.Version != w.reading.Version {
		return ErrConflict
	}
	before := w.reading
	w.writes++
	w.version++
	w.reading = Reading{Traffic: t, State: s, Version: w.version}
	if s.Phase != before.State.Phase {
		w.phases = append(w.phases, s.Phase)
	}
	left := s.Phase != before.State.Phase || s.Step != before.State.Step
	held := left && (before.State.Phase == phase.Progressing || before.State.Phase == phase.Baking) && s.Phase != phase.Retreating
	if held || before.State.Phase == phase.Returning && t.Canary < before.Traffic.Canary {
		beyond := w.now.Sub(w.divided) - clockHold
		w.shortest, w.longest = min(w.shortest, beyond), max(w.longest, beyond)
	}
	if left || t != before.Traffic {
		w.divided = w.now
	}
	if t.Canary > 0 && w.users.IsZero() {
		w.users = w.now
	}
	return nil
}

// Analyze passes what the store has readings of, by the clock of the store.
func (d *clockDriver) Analyze(_ context.Context, r analysis.Request) (analysis.Result, error) {
	w, look := d.w, 30*time.Second
	switch from := r.Window.To.Add(-look); {
	case r.Window.Length() < look:
		return analysis.Result{Reason: "the first look is not over", Blindness: analysis.FewRequests}, nil
	case from.Before(w.users), r.Window.To.After(w.now.Add(look)):
		return analysis.Result{Reason: "no readings", Blindness: analysis.NoReadings}, nil
	}
	if r.Window.From.Before(w.divided) && w.reading.State.Phase == phase.Progressing {
		w.early++
	}
	return analysis.Result{Verdict: analysis.Pass, Reason: "as good as stable"}, nil
}

func (*clockDriver) Look() time.Duration { return 30 * time.Second }
