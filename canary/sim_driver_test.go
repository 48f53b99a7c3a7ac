package canary

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/phase"
)

// driver is one process that drives the rollout. Before each of its calls it
// yields, so that anything may happen between two calls, and at each call it may
// meet a fault or be killed.
type driver struct {
	w      *world
	yield  func(time.Time) bool // until when to sleep
	dead   bool
	skew   time.Duration
	seen   any  // the version read last
	told   bool // in this turn, that the canary has no pod
	failed bool // in this turn, that the pods show that the canary is bad
	lacks  Weight
	writes bool // the call is one to write
}

// drive takes turns until the rollout is over or the process is killed.
func (w *world) drive(skew time.Duration) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		d := &driver{w: w, yield: yield, skew: skew}
		r, err := NewRunner(Config{Plan: otherDefaults(w.rng, w.sim.plan), Router: d, Analyzer: d, Workload: d, Prerequisites: []Prerequisite{d}, Verifier: d, Gates: w.sim.gates(d)})
		if err != nil {
			w.broken("%v", err)
			return
		}
		r.now, r.ran = func() time.Time { return w.now.Add(d.skew) }, func() time.Duration { return 0 }
		for !d.dead {
			calm := w.faults == 0
			d.told, d.failed, d.lacks = false, false, 0
			e, err := r.Turn(context.Background())
			told := w.sim.meddled && errors.Is(err, ErrUnexplained) || w.restored && errors.Is(err, ErrBadState)
			if err != nil && !d.dead && calm && !told {
				w.broken("a turn failed without a fault: %v", err)
				return
			}
			if errors.Is(err, ErrUnexplained) && w.stable != "moving" {
				if err := r.Reset(context.Background()); err == nil {
					w.entered = nil
				}
			}
			pause := e.Wait
			if e.Done || err != nil {
				pause = 5 * time.Second
			}
			d.sleep(max(pause, time.Millisecond))
		}
	}
}

// otherDefaults is the plan under one of two versions of the library (E31).
func otherDefaults(rng *rand.Rand, p Plan) Plan {
	s := *p.spec
	if rng.IntN(2) == 0 {
		s.interval = 3 * time.Second
	}
	if rng.IntN(2) == 0 && s.author.drift.Limit == 0 {
		s.drift.Limit = defaultDriftLimit + 2
	}
	return Plan{&s}
}

func (d *driver) sleep(pause time.Duration) {
	if !d.dead && !d.yield(d.w.now.Add(pause)) {
		d.dead = true
	}
}

// call is an API call: it takes time, and may fail before or after its effect.
func (d *driver) call(effect func() error) error {
	w := d.w
	d.sleep(time.Duration(w.rng.Int64N(int64(maxCall))))
	if d.dead {
		return errFault
	}
	if w.faults == 0 || w.rng.IntN(8) > 0 {
		return effect()
	}
	w.faults--
	switch w.rng.IntN(7) {
	case 6: // it takes long, but a write, which the settle time is to be longer than
		if !d.writes {
			d.sleep(time.Duration(w.rng.Int64N(int64(shortest))))
		}
		return effect()
	case 4: // until the call's time is over
		d.sleep(shortest)
		return context.DeadlineExceeded
	case 5:
		w.away = w.now.Add(time.Duration(w.rng.IntN(300)) * time.Second)
		return errFault
	case 0:
		err := pick(w.rng, errFault, ErrRefused, ErrForbidden, context.DeadlineExceeded)
		w.refused = w.refused || errors.Is(err, ErrRefused)
		return err
	case 1:
		if err := effect(); err != nil {
			return err
		}
		return errFault
	case 2:
		return ErrConflict
	default:
		d.dead = true
		return errFault
	}
}

func (d *driver) Read(context.Context) (r Reading, err error) {
	err = d.call(func() error {
		if d.w.faults > 0 && d.w.version > 0 && d.w.rng.IntN(16) == 0 {
			d.w.faults--
			r = d.w.old // an old cache
			return nil
		}
		r, err = d.w.read()
		return err
	})
	d.seen = r.Version
	return r, err
}

func (d *driver) Write(_ context.Context, r Reading, t Traffic, s State) error {
	if d.told && t.Canary > 0 && !s.mustStay() {
		d.w.broken("%v is written in the turn that was told that the canary has no pod", t)
	}
	if d.failed && d.seen == d.w.version && onward(&d.w.state, &s) {
		d.w.broken("%v follows %v in the turn that was told that the canary is bad", s.Phase, d.w.state.Phase)
	}
	if d.lacks > 0 && !d.told && d.seen == d.w.version {
		d.w.holdCapacity(d.w.state, s, t, d.lacks)
	}
	d.writes = true
	defer func() { d.writes = false }()
	return d.call(func() error {
		d.w.told = d.told
		return d.w.write(r, t, s)
	})
}

// Pin tells which version the rollout is about, as long as nothing was moved.
func (d *driver) Pin(ctx context.Context, q Question) (pin Pin, a Answer, err error) {
	if d.w.sim.scales {
		if err := d.raise(ctx, q, 0); err != nil {
			return pin, a, err
		}
	}
	err = d.call(func() error {
		pin, a = Pin{Version: q.Fence.Rollout}, Answer{Reply: Yes}
		if d.w.rng.IntN(4) == 0 {
			a = Wait.Because("the canary is not there yet")
		}
		return nil
	})
	return pin, a, err
}

func (d *driver) Ready(ctx context.Context, q Question) (a Answer, err error) {
	d.holdPin(q)
	if d.w.sim.scales {
		if err := d.raise(ctx, q, int((q.Traffic.Canary+Full/simPods-1)/(Full/simPods))); err != nil {
			return a, err
		}
	}
	err = d.call(func() error {
		a = Wait.Because("pods are starting")
		if d.w.rng.IntN(4) > 0 && !d.w.podless() {
			a = Answer{Reply: Yes}
			d.w.ready = true
		}
		return nil
	})
	return a, err
}

// onward reports whether a rollout goes on towards its end.
func onward(before, after *State) bool {
	enters := after.Phase == phase.CompletingShift || after.Phase == phase.PromotingStable
	return enters && after.Phase != before.Phase || after.Phase == phase.Progressing && after.Step > before.Step
}

// Inspect tells that the canary has no pod, and that its pods show that it is bad.
func (d *driver) Inspect(_ context.Context, q Question) (seen Inspection, err error) {
	d.holdPin(q)
	err = d.call(func() error {
		if d.w.podless() {
			seen.Dead = "no pod is ready"
		}
		if d.w.killed {
			seen.Failed, seen.Notice = "its pods restart", "so they do"
		}
		seen.Shortfall = d.w.lacking
		return nil
	})
	if err == nil {
		d.lacks = seen.Shortfall
	}
	d.told = err == nil && seen.Dead != ""
	d.failed = err == nil && seen.Failed != ""
	return seen, err
}

// Promote and Restore are a fenced, slow, idempotent change of the stable
// workload, which is what a Workload promises.
func (d *driver) Promote(_ context.Context, q Question) (Answer, error) {
	d.holdPin(q)
	if d.w.sim.noPromote {
		return d.move("new", q.Fence, No.Because("image cannot be pulled"))
	}
	return d.move("new", q.Fence, Answer{Reply: Yes})
}

func (d *driver) Restore(_ context.Context, q Question) (Answer, error) {
	return d.move("old", q.Fence, Answer{Reply: Yes})
}

func (d *driver) move(to string, f Fence, done Answer) (a Answer, err error) {
	w := d.w
	err = d.call(func() error {
		if err := f.After(w.fence); err != nil {
			return err
		}
		w.fence = f
		if w.stable != to && (w.stable != "moving" || w.toward != to) {
			if w.traffic.Stable() > 0 && d.seen == w.version && !w.state.Recalled && w.traffic == w.state.Traffic {
				w.broken("stable is moved to %s while it has traffic: %v in %v", to, w.traffic, w.state.Phase)
			}
			w.stable, w.toward, w.whole = "moving", to, w.now.Add(time.Minute)
		}
		a = done
		if w.stable == "moving" && done.Reply == Yes {
			a = Wait.Because("1 of 3 pods updated")
		}
		return nil
	})
	return a, err
}

// holdPin holds that what was pinned comes back with every question.
func (d *driver) holdPin(q Question) {
	if q.Pin.Version != q.Fence.Rollout {
		d.w.broken("asked of %s with the pin %q", q.Fence.Rollout, q.Pin.Version)
	}
}

func (d *driver) Ensure(ctx context.Context, q Question) (a Answer, err error) {
	f, w := q.Fence, d.w
	was, raise := 0, false
	err = d.call(func() error {
		if err := f.After(w.raised); err != nil {
			return err
		}
		was, raise = w.changed, !w.prerequisite || w.raised.Rollout != f.Rollout
		return nil
	})
	if err == nil && raise {
		if err = d.current(ctx, q); err == nil {
			err = d.call(func() error { return w.change(was, true, f) })
		}
	}
	if err == nil {
		a.Reply = Yes
	}
	return a, err
}

func (d *driver) Cleanup(_ context.Context, q Question) (a Answer, err error) {
	f, w := q.Fence, d.w
	err = d.call(func() error {
		if err := f.After(w.raised); err != nil {
			return err
		}
		if w.prerequisite && w.traffic != (Traffic{}) && d.seen == w.version {
			w.broken("the prerequisite is taken down under %v", w.traffic)
		}
		a = Answer{Reply: Yes}
		return w.change(w.changed, false, Fence{}) // nothing is remembered
	})
	return a, err
}

// current asks whether the question still stands. The turn goes by what it read before.
func (d *driver) current(ctx context.Context, q Question) error {
	defer func(seen any) { d.seen = seen }(d.seen)
	return q.Current(ctx)
}

// change puts the prerequisite up or takes it down, if nobody has changed it since.
func (w *world) change(was int, up bool, f Fence) error {
	if was != w.changed {
		return ErrConflict
	}
	w.changed++
	if up && w.state.Phase.Final() && !w.sim.meddled {
		w.broken("the prerequisite is put up when all is over")
	}
	w.prerequisite, w.raised = up, f
	return nil
}

// gates are those that the plan has and no command opens.
func (s *scenario) gates(d *driver) map[string]Gate {
	if !s.plan.spec.has("clock") {
		return nil
	}
	return map[string]Gate{"clock": d.open}
}

func (d *driver) open(context.Context) (a Answer, err error) {
	err = d.call(func() error {
		a = Wait.Because("the door is closed")
		if d.w.gateOpen() {
			a = Answer{Reply: Yes}
		}
		return nil
	})
	return a, err
}

func (d *driver) Verify(_ context.Context, t Traffic, _ time.Time) (a Answer, err error) {
	err = d.call(func() error {
		a = Wait.Because("the mesh does %v", d.w.shownFor)
		if d.w.shownFor == t {
			a = Answer{Reply: Yes}
		}
		return nil
	})
	return a, err
}

func (d *driver) Analyze(_ context.Context, r analysis.Request) (result analysis.Result, err error) {
	w := d.w
	err = d.call(func() error {
		step, traffic := w.state.Step, w.state.Traffic
		if d.seen == w.version && w.traffic == traffic {
			if from := r.Window.From.Add(-d.skew); from.Before(w.divided.Add(simLag)) && !w.sim.clockSteps && !w.restored {
				w.broken("a window begins at %v, traffic changed at %v", from, w.divided)
			}
		}
		switch {
		case w.sim.bad >= 0 && step >= w.sim.bad, w.sim.badEnd && w.state.Phase != phase.Progressing:
			result = analysis.Result{Verdict: analysis.Fail, Reason: "too many errors"}
		case w.rng.IntN(3) == 0:
			result.Verdict, result.Reason = analysis.Verdict(w.rng.IntN(2)), "not enough requests"
		default:
			result = analysis.Result{Verdict: analysis.Pass, Reason: "as good as stable"}
		}
		if w.sim.plan.spec.steps[step].Name == r.Step {
			w.passed[step] = w.passed[step] || result.Verdict == analysis.Pass
			w.sighted[step] = w.sighted[step] || result.Verdict > analysis.Blind
		}
		return nil
	})
	return result, err
}
