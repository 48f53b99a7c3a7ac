package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// world is what drivers act on in a simulated run: one object, a stable
// workload, a prerequisite and a judge. All that is random comes from one seed, and
// one driver moves at a time, so a seed is a run.
type world struct {
	rng *rand.Rand
	now time.Time
	sim scenario

	version   int
	traffic   Traffic
	state     State
	old       Reading   // one write ago, for stale reads
	backup    Reading   // some writes ago, to be put back by somebody
	shifted   time.Time // when the traffic last changed
	wrote     time.Time // when a driver last changed it
	divided   time.Time // when a driver last changed its shares
	shownFor  Traffic   // what the mesh does, since shown
	shown     time.Time
	faults    int       // faults still to come
	refused   bool      // something was, since the object was written
	deaths    int       // of the canary's pods, still to come
	podsBack  time.Time // when they are there again
	killed    bool      // its pods show that it is bad
	shrinks   int       // of stable, still to come
	lacking   Weight    // what stable has no pods for, until grown
	grown     time.Time
	meddlings int // changes by somebody else still to come

	stable       string // "old", "moving", "new"
	toward       string
	whole        time.Time // when a moving stable is whole
	fence        Fence
	prerequisite bool
	floor        floor
	raised       Fence
	changed      int            // how often the prerequisite was
	passed       map[int]bool   // the steps that a judge has passed since the traffic was written
	sighted      map[int]bool   // and those in which it has seen something
	away         time.Time      // until when a part of the Router is unreachable
	ready        bool           // was said since the object was last written
	entered      []int          // the steps that were entered
	begun        map[int64]bool // when the rollouts so far began
	greatest     int64          // serial so far
	// restored: somebody put an older object back. Who does not remember a later one
	// goes on from there, as only the Workload's record could tell otherwise.
	restored bool
	told     bool  // whoever writes, that the canary has no pod
	law      error // the first law that was broken
}

// scenario is what is fixed for a whole run.
type scenario struct {
	plan       Plan
	bad        int  // the step from which on the judge fails; -1: never
	badEnd     bool // the judge fails after the steps, if it is asked
	noPromote  bool // stable cannot run the new version
	meddled    bool // somebody else changes the object
	commanded  bool
	clockSteps bool
	scales     bool // the Workload scales the canary
	deaths     int  // how often the canary loses its pods
	shrinks    int  // how often stable loses some of its own
}

const (
	simSettle  = 5 * time.Second
	simLag     = 2 * time.Second
	maxLatency = 2 * time.Second // of the mesh, after a write
	maxCall    = time.Second     // of an API call
	simSkew    = 2 * time.Second // between the clocks of two drivers
	simSlack   = maxCall + simSkew
)

// everything is all live requests to the canary.
var everything = Traffic{Canary: Full}

func (w *world) broken(format string, args ...any) {
	if w.law == nil {
		w.law = fmt.Errorf(format, args...)
	}
}

// podless reports whether the canary has no pod.
func (w *world) podless() bool { return w.now.Before(w.podsBack) }

// lapse lets time pass.
func (w *world) lapse(d time.Duration) {
	w.now = w.now.Add(d)
	if w.deaths > 0 && w.traffic.Canary > 0 && w.rng.IntN(32) == 0 {
		w.deaths--
		w.podsBack = w.now.Add(pick(w.rng, 0, 10*time.Second, 3*time.Minute, 20*time.Minute))
		w.killed = w.killed || w.rng.IntN(4) == 0
	}
	if w.shrinks > 0 && w.traffic.Canary > 0 && w.rng.IntN(32) == 0 {
		w.shrinks--
		w.lacking, w.grown = Weight(w.rng.IntN(101))*Percent, w.now.Add(pick(w.rng, 30*time.Second, 5*time.Minute, 20*time.Minute))
	}
	if !w.now.Before(w.grown) {
		w.lacking = 0
	}
	if w.stable == "moving" && !w.now.Before(w.whole) {
		w.stable = w.toward
	}
	if w.shownFor != w.traffic && w.now.Sub(w.shifted) >= maxLatency {
		w.shownFor, w.shown = w.traffic, w.now
	}
}

func (w *world) read() (Reading, error) {
	if w.rng.IntN(32) > 0 {
		return Reading{Traffic: w.traffic, State: w.state, Version: w.version, Trouble: w.trouble()}, nil
	}
	data, err := json.Marshal(w.state)
	if err != nil {
		return Reading{}, err
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return Reading{}, err
	}
	return Reading{Traffic: w.traffic, State: s, Version: w.version, Trouble: w.trouble()}, nil
}

// trouble is that of a Reading.
func (w *world) trouble() error {
	if w.now.Before(w.away) {
		return errAway
	}
	return nil
}

// write is an engine's write. Every law that can be told from two States in a
// row is held here.
func (w *world) write(r Reading, t Traffic, s State) error {
	if r.Version != w.version {
		return ErrConflict
	}
	w.holdLaws(w.state, s, t)
	if r.Trouble != nil {
		w.holdTrouble(w.state, s, t)
	}
	if err := w.sim.plan.CheckState(s); err != nil {
		w.broken("%v", err)
	}
	w.begun[s.Began.UnixNano()] = true
	w.greatest = max(w.greatest, s.Serial)
	if t != w.traffic {
		w.wrote = w.now
	}
	if shares(t) != shares(w.traffic) {
		w.divided = w.now
	}
	w.commit(t, s)
	return nil
}

// shares is traffic without header routes, which may be made anew in the middle of a step.
func shares(t Traffic) Traffic {
	t.HeaderRoutes = false
	return t
}

func (w *world) commit(t Traffic, s State) {
	w.old = Reading{Traffic: w.traffic, State: w.state, Version: w.version}
	if w.rng.IntN(8) == 0 {
		w.backup = w.old
	}
	w.version++
	w.ready, w.refused = false, false
	if t != w.traffic {
		w.shifted = w.now
	}
	if shares(t) != shares(w.traffic) {
		w.passed, w.sighted = map[int]bool{}, map[int]bool{}
	}
	w.traffic, w.state = t, s
	w.lapse(0)
}

// holdCapacity holds that stable gets no more than what it was told to have pods for, and a
// part of the rest that grows with the time.
func (w *world) holdCapacity(before, after State, t Traffic, lacking Weight) {
	since := w.now
	if !before.Giving.IsZero() {
		since = before.Giving
	}
	left := 1 - float64(w.now.Sub(since)+simSlack)/float64(giving)
	least := min(before.Traffic.Canary, w.traffic.Canary, Weight(float64(lacking)*left)-2*Percent)
	if gradual(after.Phase) && t.Canary < least && !w.sim.clockSteps && !after.Recalled {
		w.broken("stable has no pods for %v of the traffic, and gets %v in %v", lacking, t, after.Phase)
	}
}

// holdTrouble holds that nothing goes further, and nothing is over, while a part of
// the Router is unreachable.
func (w *world) holdTrouble(before, after State, t Traffic) {
	if after.Serial != before.Serial+1 {
		return // a State that somebody removed or replaced is put back
	}
	further := after.Phase == phase.Progressing && (before.Phase != phase.Progressing || after.Step > before.Step)
	if over := after.Phase.Final() && !before.Phase.Final(); further && t != (Traffic{}) || over {
		w.broken("%v, step %d, is followed by %v, step %d, while a part is unreachable", before.Phase, before.Step, after.Phase, after.Step)
	}
}

func (w *world) holdLaws(before, after State, t Traffic) {
	if after.Phase == phase.Returning && after.Serial == before.Serial+1 && !w.restored {
		w.holdReturn(before, after, t)
	}
	if !w.sim.meddled && !w.restored {
		w.holdHeaderRoutes(before, after, t)
	}
	if w.sim.scales && t.Canary > w.traffic.Canary && t.Canary > w.floor.carried() && !w.restored && !w.sim.meddled {
		w.broken("%v is given, and the canary keeps the pods for %v", t, w.floor.carried())
	}
	if t.exceeds(w.traffic) && !w.prerequisite && !w.restored {
		w.broken("%v is shifted to what no prerequisite holds: %v", after.Phase, t)
	}
	if t.Canary > 0 && !after.Phase.Final() && after.LookBy.IsZero() && after.Command.Order == order.None {
		w.broken("users are on the canary in %v, and nobody has to look", after.Phase)
	}
	if err := t.Validate(); err != nil {
		w.broken("invalid traffic was written: %v", err)
	}
	reset := after.Phase == phase.Idle && after.Serial > 0
	if !reset && !after.Recalled && !w.restored && t.Stable() > 0 && t.Canary != w.traffic.Canary && w.stable == "moving" {
		w.broken("traffic %v goes to a stable workload that is between two versions", t)
	}
	putBack := before.Serial < w.greatest && after.Serial != before.Serial+1 // an older State was there, and somebody remembers
	if before.Phase.Final() && after.Phase != before.Phase && before.Command.Order != order.Retry && !reset && !putBack {
		w.broken("final phase %v was left for %v", before.Phase, after.Phase)
	}
	if after.Phase.Final() && after.Phase != before.Phase && before.Phase != phase.Idle && !putBack && !w.restored {
		w.holdEnd(after, t)
	}
	if before.Phase == phase.Idle && before.Serial == 0 && w.version > 0 { // somebody removed the state
		if w.begun[after.Began.UnixNano()] {
			return // it was put back
		}
		w.entered, w.stable = nil, "old" // nobody remembered it: another rollout, of what stable is now
	}
	if putBack {
		return
	}
	moved := after.Phase == phase.Progressing && (before.Phase != phase.Progressing || before.Step != after.Step)
	if moved {
		if n := len(w.entered); before.Phase != phase.Retreating || n == 0 || w.entered[n-1] != after.Step { // a Retreat enters its step again
			w.entered = append(w.entered, after.Step)
		}
		if !w.ready {
			w.broken("step %d was entered while the canary was not ready", after.Step)
		}
	}
	ordered := before.Command.Order == order.Abort || before.Command.Order == order.StepBack
	if back := after.Phase == phase.Retreating && before.Phase != phase.Retreating || after.leadsBack() && after.Outcome == phase.RolledBack; back && before.mustStay() && !ordered && !w.restored && !w.sim.meddled {
		w.broken("%v follows %v behind the point of no return, and nobody ordered it", after.Phase, before.Phase)
	}
	if moved && before.Phase == phase.Progressing && !before.PromoteNow && !w.restored {
		w.holdStep(before, after)
	}
}

// holdHeaderRoutes holds that header routes are there, and known to the mesh, before
// any share is given and until the last one is taken and that is known as well.
func (w *world) holdHeaderRoutes(before, after State, t Traffic) {
	moved := t != w.traffic
	unsettled := w.now.Sub(w.wrote) < simSettle-simSlack && !w.sim.clockSteps
	was, reset := w.traffic.HeaderRoutes, after.Phase == phase.Idle
	shares := t
	shares.HeaderRoutes = was
	switch {
	case !moved || reset:
	case w.refused && !t.HeaderRoutes: // what may be refused for them goes back without them
	case t.HeaderRoutes != was && shares != w.traffic:
		w.broken("header routes come or go with %v, which was %v", t, w.traffic)
	case t.HeaderRoutes && !was && after.Phase != phase.Preparing && after.Phase != phase.Retreating, !t.HeaderRoutes && was && after.Phase != phase.CleaningUp:
		w.broken("header routes come or go in %v", after.Phase)
	case !t.HeaderRoutes && w.sim.plan.spec.headerRoutes && after.Phase == phase.Progressing:
		w.broken("no header routes in a step")
	case was && (before.Phase == phase.Preparing || !t.HeaderRoutes) && unsettled:
		w.broken("%v was written %v after %v", t, w.now.Sub(w.wrote), w.traffic)
	}
}

// holdStep holds the laws of leaving a step for the next.
func (w *world) holdStep(before, after State) {
	step := w.sim.plan.spec.steps[before.Step]
	if after.Step != before.Step+1 {
		w.broken("step %d follows step %d", after.Step, before.Step)
	}
	since := w.divided.Add(simSettle - simSlack)
	if w.sim.plan.spec.verify {
		if !w.sim.meddled { // a change there and back between two looks is seen by nobody
			since = w.shown
		}
		if shares(w.shownFor) != shares(w.traffic) {
			w.broken("step %d was left before its traffic was seen", before.Step)
		}
	}
	if w.now.Add(2*simSlack).Sub(since) < step.Hold && !before.Skipped && !w.sim.clockSteps {
		w.broken("step %d was held for %v, want %v", before.Step, w.now.Sub(since), step.Hold)
	}
	late := step.OnDeadline == DeadlineAdvance && step.Deadline > 0 && w.now.Add(2*simSlack).Sub(before.Entered) >= step.Deadline
	if step.Requires == Pass && !w.passed[before.Step] && !late {
		w.broken("step %d was left without a pass", before.Step)
	}
	if step.Requires == NoFailure && !w.sighted[before.Step] {
		w.broken("step %d was left blindly", before.Step)
	}
	for _, gate := range slices.Concat(step.LeaveGates, w.sim.plan.spec.steps[after.Step].EnterGates) {
		if slices.Contains(before.Approved, gate) || gate == "clock" && w.gateOpen() {
			continue
		}
		w.broken("step %d was left through a closed gate", before.Step)
	}
}

// holdEnd holds the laws of a final phase.
func (w *world) holdEnd(s State, t Traffic) {
	since := w.shifted
	if w.sim.meddled {
		since = w.wrote // a change there and back between two looks is seen by nobody
	}
	if unsettled := w.now.Sub(since) < simSettle-simSlack; w.traffic != t || unsettled && !w.sim.clockSteps {
		w.broken("%v was said before the mesh could show %v", s.Phase, t)
	}
	switch end := w.sim.plan.End().Kind; {
	case s.Phase == phase.Promoted && end == Stay && t != everything,
		s.Phase == phase.Promoted && end == PromoteStable && (t != Traffic{} || w.stable != "new"),
		s.Phase == phase.Discarded && t != Traffic{},
		s.Phase == phase.RolledBack && (t != Traffic{} || w.stable != "old"):
		w.broken("%v with traffic %v and stable %s", s.Phase, t, w.stable)
	}
	if w.prerequisite != (t == everything) && !w.sim.meddled {
		w.broken("%v with %v, and the prerequisite is up: %v", s.Phase, t, w.prerequisite)
	}
	if s.Reason == "" {
		w.broken("%v without a reason", s.Phase)
	}
}

func (w *world) gateOpen() bool { return w.now.Sub(epoch) > 3*time.Minute }

var (
	epoch    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	errFault = errors.New("injected fault")
	errAway  = errors.New("a follower is away")
)

// meddle is somebody else changing the object.
func (w *world) meddle() {
	w.meddlings--
	switch t, s := w.traffic, w.state; w.rng.IntN(5) {
	case 4:
		t.HeaderRoutes = !t.HeaderRoutes
		w.commit(t, s)
	case 0:
		t.Canary = Weight(w.rng.IntN(101)) * Percent
		w.commit(t, s)
	case 1:
		w.commit(Traffic{}, s)
	case 2:
		w.commit(t, State{})
	case 3:
		w.restored = true
		w.commit(w.backup.Traffic, w.backup.State)
	}
}

// command sends a random command, and a Retry no more than once.
func (w *world) command() {
	w.meddlings--
	orders := []order.Order{order.Pause, order.Resume, order.Resume, order.Abort, order.Promote, order.Skip, order.Approve, order.StepBack}
	c := Command{Order: orders[w.rng.IntN(len(orders))], Gate: "door", By: "operator", Why: "test"}
	if w.state.Phase == phase.RolledBack {
		c.Order = order.Retry
		w.sim.bad, w.entered = -1, nil
	}
	w.order(c)
}

func (w *world) order(c Command) {
	err := Send(context.Background(), unfaulted{w}, c)
	if err != nil && !errors.Is(err, ErrNotNow) {
		w.broken("%v was answered with %v", c.Order, err)
	}
}

// unfaulted is a Router onto the world without faults.
type unfaulted struct{ w *world }

func (u unfaulted) Read(context.Context) (Reading, error) { return u.w.read() }
func (u unfaulted) Write(_ context.Context, r Reading, t Traffic, s State) error {
	return u.w.write(r, t, s)
}
