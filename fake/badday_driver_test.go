package fake_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
)

// badCrew is everybody who looks after a rollout: drivers, a Sweep each minute, and a person
// who starts a driver when Sweep cannot help.
type badCrew struct {
	w    *badWorld
	run  bool
	done chan struct{} // the rollout is over
	all  sync.WaitGroup

	mu     sync.Mutex
	kill   []context.CancelFunc
	thaw   chan struct{} // closed unless the drivers are frozen
	end    canary.State
	told   phase.Phase // the end that an Observer was told
	called bool        // somebody was, because Sweep could not help
	// started is when the last driver was.
	started time.Time
	last    canary.Event
	latest  canary.State // that a driver has seen
	early   string       // why a Run gave up with users on the canary
	// restored: stable was, and the traffic did not go back because a part was away.
	restored bool
	refused  bool      // stable was to be restored, and was not yet
	left     time.Time // when nothing was left to judge, if it is promoted
	badLog
}

func newBadCrew(w *badWorld, run bool) *badCrew {
	c := &badCrew{w: w, run: run, done: make(chan struct{}), thaw: make(chan struct{})}
	close(c.thaw)
	return c
}

// start starts a driver whose clock is behind by skew.
func (c *badCrew) start(skew time.Duration) {
	ctx, kill := context.WithCancel(c.w.t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kill, c.started = append(c.kill, kill), time.Now()
	c.all.Go(func() { c.drive(ctx, skew) })
}

// stop kills all drivers.
func (c *badCrew) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, kill := range c.kill {
		kill()
	}
	c.kill = nil
}

// freeze stops the time of controllers between two turns; drivers by Run are killed.
func (c *badCrew) freeze() (thaw func()) {
	if c.run {
		c.stop()
		return func() { c.start(0) }
	}
	frozen := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.thaw = frozen
	return func() { close(frozen) }
}

// drive is one process. If it gives up before the end, a supervisor starts it again.
func (c *badCrew) drive(ctx context.Context, skew time.Duration) {
	for ctx.Err() == nil {
		r := c.w.runner(skew, c.observe)
		drive := c.turns
		if c.run {
			drive = func(ctx context.Context, r *canary.Runner) canary.State {
				s, err := r.Run(ctx)
				c.gaveUp(ctx, s, err)
				return s
			}
		}
		if s := drive(ctx, r); s.Phase.Final() {
			c.finish(s)
			return
		}
		nap(ctx, badRestart)
	}
}

// gaveUp notes a Run that ended with an error although its users are on the canary.
func (c *badCrew) gaveUp(ctx context.Context, s canary.State, err error) {
	now := c.w.state()
	others := errors.Is(err, canary.ErrUnexplained) || errors.Is(err, canary.ErrOtherPlan) || errors.Is(err, canary.ErrOtherOwner)
	if ctx.Err() != nil || s.Phase.Final() || now.Phase.Final() || now.Traffic.Canary == 0 || others {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.early = fmt.Sprintf("Run gave up in %v with %v: %v", now.Phase, now.Traffic, err)
}

// badRestart is when a supervisor starts a process again that ended with an error.
const badRestart = time.Minute

// turns is a controller.
func (c *badCrew) turns(ctx context.Context, r *canary.Runner) (s canary.State) {
	backoff := time.Second
	for ctx.Err() == nil {
		e, err := r.Turn(ctx)
		switch {
		case err != nil:
			nap(ctx, backoff)
			backoff = min(2*backoff, 30*time.Second)
		case e.Done:
			return e.After
		default:
			backoff = time.Second
			nap(ctx, max(e.Wait, 10*time.Millisecond))
		}
		c.mu.Lock()
		thaw := c.thaw
		c.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-thaw:
		}
	}
	return s
}

func nap(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// finish notes the first end that a driver reported.
func (c *badCrew) finish(s canary.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end.Phase.Final() {
		return
	}
	c.end = s
	c.w.ledger.over(s.Phase)
	close(c.done)
}

func (c *badCrew) observe(_ context.Context, e canary.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Done && e.After.Phase.Final() {
		c.told = e.After.Phase
	}
	if c.last = e; e.After.Serial > c.latest.Serial {
		c.latest = e.After
	}
	c.refused = c.refused || e.After.Phase == phase.RestoringStable && e.Reason.Cause == cause.Restoring
	c.restored = c.restored || e.After.Phase == phase.RestoringStable && e.Reason.Cause == cause.Unreachable
	if s := e.After; (s.Phase == phase.Promoted || s.Phase == phase.CleaningUp && s.Outcome == phase.Promoted) && c.left.IsZero() {
		c.left = e.At
	}
	c.note(e)
}

// badLog is the last events that differ.
type badLog struct{ events []string }

func (l *badLog) note(e canary.Event) {
	line := fmt.Sprintf("%v %v, %v, %s", e.After.Phase, e.After.Traffic, e.Traffic, e.Reason)
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	if n := len(l.events); n > 0 && l.events[n-1][9:] == line {
		return
	}
	l.events = append(l.events, e.At.Format("15:04:05 ")+line)
	l.events = l.events[max(0, len(l.events)-*badEvents):]
}

// newest returns the newer one of the State that is stored, which may be an old one that came
// back, and that which a driver wrote last.
func (c *badCrew) newest(s canary.State) canary.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latest.Serial > s.Serial {
		return c.latest
	}
	return s
}

// sweep looks after abandoned rollouts, and calls a person where it cannot help: one who starts a
// driver, or sends canary traffic to stable that nobody explains.
func (c *badCrew) sweep(ctx context.Context) {
	router := c.w.router()
	for {
		if nap(ctx, badSweep); ctx.Err() != nil {
			return
		}
		one, cancel := context.WithTimeout(ctx, badSweep/2)
		err := canary.Sweep(one, router)
		cancel()
		unexplained := errors.Is(err, canary.ErrUnexplained)
		c.mu.Lock()
		calls := err != nil && (len(c.kill) == 0 || unexplained) && !c.called
		c.called = c.called || calls
		c.mu.Unlock()
		if calls {
			time.AfterFunc(badHelp, func() { c.help(ctx, unexplained) })
		}
	}
}

// help is what the person does. Somebody else may have helped meanwhile.
func (c *badCrew) help(ctx context.Context, unexplained bool) {
	switch {
	case ctx.Err() != nil:
	case !unexplained:
		c.start(0)
	case errors.Is(canary.Sweep(ctx, c.w.router()), canary.ErrUnexplained):
		if err := c.w.runner(0, func(context.Context, canary.Event) {}).Reset(ctx); err != nil {
			c.w.t.Logf("the person could not reset: %v", err)
		}
	}
}
