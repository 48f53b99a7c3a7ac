package canary

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// answer finds out what d asks and notes it in o. What cannot be found out is a
// reason to wait, so that it keeps nothing else from being decided. The turn ends
// only with ctx, and with a refusal before the canary has any traffic.
func (r *Runner) answer(ctx context.Context, d decision, s State, reading Reading, o *observation) error {
	var a Answer
	at := r.now()
	asking, rest := d.Ask.asking(ctx)
	err := r.within(asking, r.limitOf(d.Ask, &s, at), func(ctx context.Context) (err error) {
		if d.Ask == askJudge {
			o.Judged.Result, err = r.judge(ctx, d.Request, s.Phase == phase.Retreating)
		} else {
			a, err = r.ask(ctx, d, s, reading, o)
		}
		return err
	})
	if rest() && ctx.Err() == nil {
		return errWoken
	}
	if d.Ask == askJudge {
		o.Judged.Asked, o.Judged.Err = true, err
		o.Judged.Unread, o.Judged.Anew = r.last.judged(o.Judged.unread(), o.Judged.undivided(), at)
		return ctx.Err()
	}
	var fenced FencedError
	switch {
	case errors.As(err, &fenced) && s.Serial <= fenced.Serial && fenced.Serial < maxSerial:
		o.Fence = fenced.Serial
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case s.Phase == phase.Preparing && errors.Is(err, ErrRefused):
		return err
	}
	o.note(d, a, err)
	return nil
}

// judge asks the Analyzer. What it wants to carry is kept in a State, which has its
// bounds; the verdict stands whether that can be or not.
func (r *Runner) judge(ctx context.Context, q analysis.Request, away bool) (analysis.Result, error) {
	result, err := r.analyze(ctx, q, away)
	if n := len(result.Carry); n > maxCarry {
		result.Carry = q.Carry
		result.Reason += fmt.Sprintf(" (the judge wants to carry %d bytes, and at most %d can be)", n, maxCarry)
	}
	return result, err
}

// analyze asks about the times of the clock that is ahead: such a window never begins before a
// change of traffic. If the store has nothing there, it may have the time of the clock that is
// behind, and is asked about what is in the window by both clocks.
func (r *Runner) analyze(ctx context.Context, q analysis.Request, away bool) (analysis.Result, error) {
	first, second, off, proven := r.last.windows()
	var j, other judgement
	j.Result, j.Err = r.c.Analyzer.Analyze(ctx, moved(q, first, off))
	if j.sees() {
		r.last.prove(false)
	}
	if first == second || proven || !j.unread() {
		return j.Result, j.Err
	}
	both := moved(q, first, off)
	both.Window.To = q.Window.To.Add(second)
	switch empty := !both.Window.To.After(both.Window.From); {
	case empty && away: // nobody is hurt
		return j.Result, j.Err
	case empty:
		return analysis.Result{Reason: "the store has no readings by the clock of this process, which differs from that of another driver"}, nil
	}
	other.Result, other.Err = r.c.Analyzer.Analyze(ctx, both)
	if other.sees() {
		r.last.prove(true)
	}
	if other.unread() {
		return j.Result, j.Err
	}
	return other.Result, other.Err
}

// sees reports whether the judge has seen enough to tell something.
func (j *judgement) sees() bool { return j.Err == nil && j.Result.Verdict != analysis.Blind }

// note keeps an answer. An error is none, and one that was left zero means nothing.
func (o *observation) note(d decision, a Answer, err error) {
	if err != nil {
		a = Wait.Because("no answer: %v", err)
		o.Erred[d.Ask] = true
	} else if a.Reply == unasked {
		a = Wait.Because("%s", a.Reason)
	}
	if d.Ask != askGate {
		o.Answers[d.Ask] = a
		return
	}
	if o.Opened == nil {
		o.Opened = map[string]Answer{}
	}
	o.Opened[d.Gate] = a
}

// shortest and longestCall bound the time that one call may take.
const (
	shortest    = 10 * time.Second
	longestCall = time.Minute
)

// guard calls something that is not the engine's. It gets a time limit of its own,
// which is the plan's interval within the bounds above, and a panic is an error
// like others, so that nothing keeps the turn from coming to a decision.
func (r *Runner) guard(ctx context.Context, call func(context.Context) error) error {
	return r.within(ctx, r.limit, call)
}

// limitOf is the time limit of a call. The judge's is not longer than users may be on the
// canary without readings.
func (r *Runner) limitOf(a ask, s *State, now time.Time) time.Duration {
	blind := r.c.Plan.spec.blind
	steps := s.Phase == phase.Progressing || s.Phase == phase.CompletingShift
	if a != askJudge || blind == 0 || !steps {
		return r.limit
	}
	if !s.Blind.IsZero() {
		blind = max(time.Second, s.Blind.Add(blind).Sub(now))
	}
	return min(r.limit, blind)
}

// within is guard with another limit.
func (r *Runner) within(ctx context.Context, limit time.Duration, call func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		} else if cause := context.Cause(ctx); err != nil && cause != nil && cause != ctx.Err() {
			err = fmt.Errorf("%w: %w", cause, err)
		}
	}()
	return call(ctx)
}

// question is what a part is asked with.
func (r *Runner) question(s State, reading Reading) Question {
	current := func(ctx context.Context) error {
		now, err := r.c.Router.Read(ctx)
		if err == nil && (now.State.Serial != reading.State.Serial || now.Object != reading.Object) {
			err = fmt.Errorf("%w: the serial was %d and is %d", ErrConflict, reading.State.Serial, now.State.Serial)
		}
		return err
	}
	promotes := r.c.Plan.End().Kind == PromoteStable
	moved := rowOf(s.Phase).moved
	return Question{
		Fence: s.Fence(), Began: s.Began, Traffic: s.Traffic, Shifted: s.Shifted, Pin: s.Pin, Current: current,
		Promotes: promotes && !moved, Promoted: promotes && moved && s.Phase != phase.PromotingStable,
	}
}

func (r *Runner) ask(ctx context.Context, d decision, s State, reading Reading, o *observation) (Answer, error) {
	q := r.question(s, reading)
	switch d.Ask {
	case askChecked:
		return r.checked(ctx)
	case askPinned:
		pin, a, err := r.c.Workload.Pin(ctx, q)
		o.Pin = pin
		return a, err
	case askShown:
		since := s.Shifted
		if s.Phase == phase.Preparing && d.Traffic == (Traffic{}) {
			since = time.Time{} // nothing was written yet
		}
		return r.c.Verifier.Verify(ctx, d.Traffic, since)
	case askReady:
		q.Traffic, q.Pin = d.Traffic, d.Pin
		return r.ready(ctx, q)
	case askInspected:
		seen, err := r.c.Workload.Inspect(ctx, q)
		o.Inspection = seen
		return Answer{Reply: Yes}, err
	case askGate:
		return r.gate(ctx, d.Gate)
	case askPromoted:
		return r.c.Workload.Promote(ctx, q)
	case askRestored:
		return r.c.Workload.Restore(ctx, q)
	case askRemoved:
		return r.cleanup(ctx, q, s.canaryServes())
	}
	return Answer{}, fmt.Errorf("canary: the question %v has no answer", d.Ask)
}

// cleanup takes down what no traffic needs any more, and has the Workload give back what it scaled.
func (r *Runner) cleanup(ctx context.Context, q Question, serves bool) (Answer, error) {
	if !serves {
		if a, err := prerequisites(r.c.Prerequisites).cleanup(ctx, q); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	if scaler := r.scaler(); scaler != nil {
		return scaler.Release(ctx, q)
	}
	return Answer{Reply: Yes}, nil
}

// scaler returns the Workload if it scales, and nil if it does not.
func (r *Runner) scaler() Scaler {
	if s, ok := r.c.Workload.(Scaler); ok && s.Scales() {
		return s
	}
	return nil
}

func (r *Runner) gate(ctx context.Context, name string) (Answer, error) {
	if gate := r.c.Gates[name]; gate != nil {
		return gate(ctx)
	}
	return Wait.Because("%s (order %q to open it)", name, order.Approve), nil
}

// ready asks the Workload first, so that nothing is put up for a canary that is
// not there.
func (r *Runner) ready(ctx context.Context, q Question) (Answer, error) {
	if r.c.Workload != nil {
		if a, err := r.c.Workload.Ready(ctx, q); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	return prerequisites(r.c.Prerequisites).ensure(ctx, q)
}
