package canary

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Observer receives the Events of a Runner, in order and one at a time, in a goroutine of
// its own. A slow Observer does not delay the rollout: at most 64 Events wait, older ones
// are dropped, and Event.Missed counts them. Each State that was written appears as After
// of an Event; State.Serial tells repetitions apart. A panic is logged.
//
// The ctx of a call ends after a minute, independently of the turn.
type Observer func(ctx context.Context, e Event)

const (
	maxWaiting   = 64 // events for one Observer
	observeLimit = time.Minute
	lastWords    = 10 * time.Second // that Run waits for Observers in the end
)

// audience is one Observer and what it is still to be told. It is safe for
// concurrent use.
type audience struct {
	observe Observer

	mu      sync.Mutex
	waiting []Event
	done    chan struct{} // of the goroutine that tells; nil if there is none
}

// tell has the event told, and returns at once.
func (a *audience) tell(ctx context.Context, e Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, e)
	if len(a.waiting) > maxWaiting {
		a.waiting[1].Missed += a.waiting[0].Missed + 1
		a.waiting = a.waiting[1:]
	}
	if a.done == nil {
		a.done = make(chan struct{})
		go a.drain(context.WithoutCancel(ctx))
	}
}

// drain tells until nothing is waiting.
func (a *audience) drain(ctx context.Context) {
	for e, more := a.next(); more; e, more = a.next() {
		a.call(ctx, e)
	}
}

func (a *audience) next() (e Event, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		close(a.done)
		a.done, a.waiting = nil, nil
		return e, false
	}
	e = a.waiting[0]
	a.waiting = a.waiting[1:]
	return e, true
}

func (a *audience) call(ctx context.Context, e Event) {
	ctx, cancel := context.WithTimeout(ctx, observeLimit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "canary: an observer panicked", "panic", p, "rollout", e.After.Name)
		}
	}()
	a.observe(ctx, e)
}

// wait waits until all was told, but not for long.
func (a *audience) wait(limit <-chan time.Time) {
	a.mu.Lock()
	done := a.done
	a.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-limit:
	}
}
