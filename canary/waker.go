package canary

import (
	"context"
	"errors"
	"time"
)

// Waker is an optional interface of a part of a [Config]. With a Waker, Run takes its
// next turn as soon as something has changed, and not after the interval.
type Waker interface {
	// Wake returns a channel that receives a value for each change, until ctx ends.
	// Changes may be merged while a value waits. The channel may be closed when no more
	// changes can be reported.
	Wake(ctx context.Context) <-chan struct{}
}

// errWoken ends a turn whose question a Waker has interrupted: the next one begins with the pods.
var errWoken = errors.New("something has changed")

// wakeUps are what may interrupt the questions of a turn that only read.
type wakeUps struct {
	from chan struct{}
	// patience is how long a question is left in peace. It grows with each interruption, so
	// that changes without an end keep nobody from an answer.
	patience time.Duration
}

type wakeUpsKey struct{}

// wakeable lets a value from wake interrupt the questions of a turn, which comes after so many
// turns that were interrupted.
func wakeable(ctx context.Context, wake chan struct{}, interrupted int) context.Context {
	w := wakeUps{from: wake}
	if interrupted > 0 {
		w.patience = shortPause << min(interrupted-1, 5)
	}
	return context.WithValue(ctx, wakeUpsKey{}, w)
}

// asking is the context of one question. Call rest after it: it reports whether something has
// woken meanwhile.
func (a ask) asking(ctx context.Context) (_ context.Context, rest func() (woken bool)) {
	w, ok := ctx.Value(wakeUpsKey{}).(wakeUps)
	if reads := a == askJudge || a == askShown || a == askGate; !ok || !reads {
		return ctx, func() bool { return false }
	}
	ctx, cancel := context.WithCancelCause(ctx)
	woken := make(chan bool)
	go func() {
		if !pause(ctx, w.patience, nil) {
			woken <- false
			return
		}
		select {
		case <-w.from:
			cancel(errWoken)
			woken <- true
		case <-ctx.Done():
			woken <- false
		}
	}()
	return ctx, func() bool { cancel(nil); return <-woken }
}

// restless is the least time between two turns, however often somebody wakes.
const restless = 20 * time.Millisecond

// wakes returns what merges the Wakers of the Config until ctx ends.
func (c *Config) wakes(ctx context.Context) chan struct{} {
	merged := make(chan struct{}, 1)
	for _, p := range c.parts() {
		if w, ok := p.part.(Waker); ok {
			go forward(ctx, w.Wake(ctx), merged)
		}
	}
	return merged
}

func forward(ctx context.Context, from <-chan struct{}, to chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, more := <-from:
			if !more {
				return
			}
		}
		select {
		case to <- struct{}{}:
		default: // the next turn sees this change as well
		}
	}
}

// sleep waits for d, or until something wakes, and reports whether ctx lasted as
// long.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	short := min(d, restless)
	if !pause(ctx, short, nil) {
		return false
	}
	return pause(ctx, d-short, wake)
}

func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
