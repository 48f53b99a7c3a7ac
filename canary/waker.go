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

type wakeUps struct{}

// wakeable lets a value from wake interrupt the questions of a turn that only read.
func wakeable(ctx context.Context, wake <-chan struct{}) context.Context {
	return context.WithValue(ctx, wakeUps{}, wake)
}

// asking is the context of one question. Call rest after it.
func (a ask) asking(ctx context.Context) (_ context.Context, rest func()) {
	wake, ok := ctx.Value(wakeUps{}).(<-chan struct{})
	if reads := a == askJudge || a == askShown || a == askGate; !ok || !reads {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-wake:
			cancel(errWoken)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); <-over }
}

// restless is the least time between two turns, however often somebody wakes.
const restless = 20 * time.Millisecond

// wakes returns what merges the Wakers of the Config until ctx ends.
func (c *Config) wakes(ctx context.Context) <-chan struct{} {
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
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
