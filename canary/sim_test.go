package canary

import (
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

var (
	simRuns = flag.Uint64("canary.runs", 2_000, "simulated rollouts")
	simSeed = flag.Uint64("canary.seed", 1, "seed of the first simulated rollout")
)

// Two drivers, faults at every call, crashes, stale reads, people who meddle and
// people who command: the laws of the engine hold in every run, and without
// people a run ends as its plan and its canary say.
func TestEveryRolloutEndsAsItsPlanSaysWhateverGoesWrong(t *testing.T) {
	ends := map[phase.Phase]int{}
	for seed := *simSeed; seed < *simSeed+*simRuns; seed++ {
		w, err := simulate(seed)
		require.NoError(t, err, "-canary.seed=%d -canary.runs=1: %+v\nplan %+v", seed, w.state, *w.sim.plan.spec)
		ends[w.state.Phase]++
	}
	t.Logf("%d rollouts: %v", *simRuns, ends)
	for _, end := range []phase.Phase{phase.Promoted, phase.Discarded, phase.RolledBack} {
		require.NotZero(t, ends[end], "no run ended %v", end)
	}
}

func TestTheSameSeedIsTheSameRun(t *testing.T) {
	for seed := range uint64(50) {
		a, errA := simulate(seed)
		b, errB := simulate(seed)
		require.Equal(t, errA, errB)
		require.Equal(t, a.state, b.state)
		require.Equal(t, a.version, b.version)
	}
}

// simulate runs one rollout to its end and returns the first law it broke.
func simulate(seed uint64) (*world, error) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := &world{rng: rng, now: epoch, stable: "old", passed: map[int]bool{}, sighted: map[int]bool{}, begun: map[int64]bool{}, faults: rng.IntN(12), floor: floor{least: 1}}
	w.sim = randomScenario(rng)
	w.deaths, w.shrinks = w.sim.deaths, w.sim.shrinks
	if w.sim.meddled || w.sim.commanded {
		w.meddlings = 1 + rng.IntN(6)
	}
	w.schedule()
	if w.law == nil {
		w.law = w.floorEnded()
	}
	if w.law == nil {
		w.law = w.ended()
	}
	return w, w.law
}

// schedule lets two drivers move in turn until the rollout is over, and starts
// one anew when it was killed.
func (w *world) schedule() {
	type process struct {
		next func() (time.Time, bool)
		stop func()
		wake time.Time
	}
	start := func() process {
		next, stop := iter.Pull(w.drive(time.Duration(w.rng.Int64N(int64(simSkew))) - simSkew/2))
		return process{next, stop, w.now}
	}
	drivers := [2]process{start(), start()}
	defer func() {
		for _, d := range drivers {
			d.stop()
		}
	}()
	after := 0 // calls when all is over, by a driver that slept as well
	for calls := 0; w.law == nil; calls++ {
		if w.over() {
			if after++; after > 30 {
				return
			}
		}
		if calls > 150_000 { // a Retreat waits a day for a person, with two drivers
			// Both may remember a rollout that is over and whose record somebody
			// removes again and again: they have said so and leave it alone.
			if !w.sim.meddled || w.state.Phase != phase.Idle {
				w.broken("no end after %d calls", calls)
			}
			return
		}
		d := &drivers[0]
		if drivers[1].wake.Before(d.wake) {
			d = &drivers[1]
		}
		w.lapse(max(0, d.wake.Sub(w.now)))
		w.interfere()
		wake, alive := d.next()
		if !alive {
			d.stop()
			*d = start()
			continue
		}
		d.wake = wake
	}
}

func (w *world) over() bool {
	return w.state.Phase.Final() && w.meddlings == 0 && w.state.Command.Order == order.None
}

// interfere is what people and clocks do between two calls.
func (w *world) interfere() {
	if w.meddlings > 0 && w.rng.IntN(40) == 0 && w.state.Phase != phase.Idle {
		if w.sim.meddled && !w.state.Phase.Final() {
			w.meddle()
		} else {
			w.command()
		}
	}
	if stuck := w.state.Drifting || !w.state.Paused.IsZero() || w.state.Phase == phase.Retreating; stuck && w.meddlings == 0 && w.rng.IntN(40) == 0 {
		w.order(Command{Order: order.Resume})
	}
	if w.state.mustStay() && strings.HasPrefix(w.state.Reason, behind) && w.rng.IntN(200) == 0 {
		w.order(Command{Order: order.Abort})
	}
	if w.sim.commanded && w.meddlings == 0 && gated(w.state.Phase) && w.sim.plan.spec.has("door") && w.rng.IntN(40) == 0 {
		w.order(Command{Order: order.Approve, Gate: "door"})
	}
	if w.sim.clockSteps && w.rng.IntN(200) == 0 {
		w.lapse(time.Hour) // forwards
	}
}

// ended compares the end with the one that plan and canary ask for.
func (w *world) ended() error {
	if w.sim.meddled || w.sim.commanded || w.sim.badEnd || w.sim.deaths > 0 {
		return nil
	}
	want := w.sim.plan.spec.goal()
	if w.state.Phase == phase.RolledBack && (strings.HasPrefix(w.state.Reason, "unreachable for") || w.state.NoReturn && strings.HasPrefix(w.state.Reason, "abort")) {
		return nil // nobody looked in between, or it was behind a point of no return
	}
	failing := w.sim.bad >= 0 && w.sim.bad < w.sim.plan.Len()
	if failing || w.sim.noPromote && w.sim.plan.End().Kind == PromoteStable {
		want = phase.RolledBack
	}
	if w.state.Phase != want {
		return fmt.Errorf("ended %v, want %v", w.state.Phase, want)
	}
	for i, step := range w.entered {
		if i != step {
			return fmt.Errorf("entered the steps %v", w.entered)
		}
	}
	if want != phase.RolledBack && len(w.entered) != w.sim.plan.Len() {
		return fmt.Errorf("entered only the steps %v of %d", w.entered, w.sim.plan.Len())
	}
	return nil
}

func randomScenario(rng *rand.Rand) scenario {
	s := scenario{bad: rng.IntN(8) - 2, badEnd: rng.IntN(8) == 0, noPromote: rng.IntN(6) == 0}
	switch rng.IntN(6) {
	case 0:
		s.meddled = true
	case 1:
		s.commanded = true
	case 2:
		s.clockSteps = true
	}
	if rng.IntN(4) == 0 {
		s.deaths = 1 + rng.IntN(6)
	}
	if rng.IntN(3) == 0 {
		s.shrinks = 1 + rng.IntN(3)
	}
	s.scales = rng.IntN(2) == 0
	b := NewPlan("random").Settle(simSettle).ScrapeLag(simLag).Interval(10 * time.Second)
	if rng.IntN(2) == 0 {
		b = b.Verify()
	}
	if rng.IntN(2) == 0 {
		b = b.HeaderRoutes()
	}
	b = b.OnDrift(DriftPolicy(rng.IntN(len(driftNames)))).DriftLimit(rng.IntN(3))
	end := End{Kind: EndKind(rng.IntN(len(endNames)))}
	w, noReturn := Weight(0), false
	for i := range 1 + rng.IntN(4) {
		step := Step{Name: fmt.Sprint(i), Hold: time.Duration(rng.IntN(90)) * time.Second}
		w = min(Full, w+Weight(1+rng.IntN(40))*Percent)
		step.Traffic = Traffic{Canary: w}
		if rng.IntN(4) == 0 && !noReturn {
			step.Traffic = Traffic{Mirror: Full}
		}
		step.NoReturn = end.Kind != Discard && step.Traffic.users() && rng.IntN(12) == 0
		noReturn = noReturn || step.NoReturn
		step.Requires = Requirement(rng.IntN(len(requirementNames) - 1)) // a bad canary must be seen
		if step.Traffic.Mirror > 0 {
			step.Requires = NoFailure
		}
		for _, gates := range []*[]string{&step.EnterGates, &step.LeaveGates} {
			if rng.IntN(5) == 0 {
				*gates = append(*gates, "clock")
			}
			if s.commanded && rng.IntN(5) == 0 {
				*gates = append(*gates, "door")
			}
		}
		if rng.IntN(4) == 0 && !s.clockSteps {
			step.Deadline, step.OnDeadline = 24*time.Hour, OnDeadline(rng.IntN(len(onDeadlineNames)))
		}
		b = b.Step(step)
	}
	if end.Kind != Discard && rng.IntN(2) == 0 {
		b = b.Bake(time.Duration(rng.IntN(4)) * time.Minute)
	}
	if end.Kind == Stay || end.Kind == PromoteStable && rng.IntN(2) == 0 {
		b = b.Step(Step{Name: "all", Traffic: everything, Hold: 30 * time.Second})
	}
	if end.Kind == PromoteStable && rng.IntN(2) == 0 {
		var stable []Weight
		for w := Weight(0); w < 70*Percent; {
			w += Weight(1+rng.IntN(60)) * Percent / 2
			stable = append(stable, w)
		}
		b = b.ReturnInSteps(time.Duration(rng.IntN(90))*time.Second, stable...)
	}
	plan, err := b.End(end).Build()
	if err != nil {
		panic(err)
	}
	s.plan = plan
	return s
}
