package canary

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/serin-go/serin/canary/phase"
)

// carryOut decides, and does what was decided. While users are on the canary, a refusal
// is one more thing to decide on.
func (r *Runner) carryOut(ctx context.Context, e Event, state State, reading Reading, o *observation) (Event, error) {
	next, d, err := r.decide(ctx, state.moved(o.Off), reading, o)
	if err != nil {
		return e, err
	}
	e.Reason, e.Wait, e.Done = d.Reason, d.After, d.Done
	if unseen := o.unseenPods(); !strings.Contains(d.Reason.Detail, unseen) {
		e.Reason.Detail = join("; ", e.Reason.Detail, unseen)
	}
	e.Reason.Detail = join("; ", e.Reason.Detail, o.Inspection.Notice)
	if told := o.clocks(&next); told != "" {
		e.Reason.Detail = join("; ", e.Reason.Detail, told)
	}
	e.Judged, e.Result, e.JudgeErr = o.Judged.Asked, o.Judged.Result, o.Judged.Err
	if d.Err != nil {
		return e, d.Err
	}
	if d.Write {
		err := r.write(ctx, reading, d.Traffic, &next)
		if errors.Is(err, ErrRefused) && o.Refused == "" && !next.leadsBack() && r.last.exposed() {
			o.RefusedSince = r.last.refuse(e.At)
			o.Refused = err.Error() // it is judged all the same, and not left so for ever
			o.Doubt = 0             // no claim can be written
			return r.carryOut(ctx, e, state, reading, o)
		}
		if err != nil {
			e.Done = false
			return e, err
		}
	}
	e.After, e.Wrote = next, d.Write
	if d.Write || o.Loss == lossless {
		r.last.keep(r.c.Plan.Digest(), next, r.now(), d.Write)
	}
	return e, nil
}

// decide lets the engine ask what it needs to know, until it has come to a decision. The State
// has times of this process's clock, and that which is returned has those to be written.
func (r *Runner) decide(ctx context.Context, state State, reading Reading, o *observation) (State, decision, error) {
	for {
		next, d := r.c.Plan.next(state, *o)
		if d.Ask == askNothing && o.Rebase && d.Write {
			return next, d, nil
		} else if d.Ask == askNothing {
			return next.moved(-o.Off), d, nil
		}
		if err := r.answer(ctx, d, state, reading, o); err != nil {
			return next, d, err
		}
		before := o.Now
		o.Now = r.now() // finding the answer may have taken long, and times are written down
		if took := o.Now.Sub(before); took > r.limit+maxSkew {
			return next, d, fmt.Errorf("canary: %w: one question took %v, so this process was suspended, or its clock was set", ErrConflict, took.Round(time.Second))
		}
	}
}

// mayDrop reports whether header routes may be what is refused, on a way to stable that
// they must not stop.
func mayDrop(t Traffic, reading Reading, s *State) bool {
	toStable := t == Traffic{HeaderRoutes: true} && s.Phase != phase.Preparing
	return t.HeaderRoutes && t != reading.Traffic && (toStable || s.leadsBack())
}

// write writes. On the way back, and where users are on the canary and no traffic moves, an object that may have no room for
// all of the State gets the smallest.
func (r *Runner) write(ctx context.Context, reading Reading, t Traffic, s *State) error {
	if t.users() {
		r.last.see(t, *s) // also if the answer is lost
	}
	try := func() error {
		return r.guard(ctx, func(ctx context.Context) error { return r.c.Router.Write(ctx, reading, t, *s) })
	}
	err := try()
	if errors.Is(err, ErrRefused) && mayDrop(t, reading, s) {
		t.HeaderRoutes, s.Traffic.HeaderRoutes = false, false
		err = try()
	}
	if errors.Is(err, ErrRefused) && (s.leadsBack() || s.Phase == phase.Retreating || t == reading.Traffic && t.users()) {
		*s = s.smallest()
		err = try()
	}
	switch {
	case err == nil:
		r.last.see(t, *s)
		r.last.accept()
	case errors.Is(err, ErrRefused):
		r.last.see(reading.Traffic, reading.State) // nothing was written
	}
	return err
}
