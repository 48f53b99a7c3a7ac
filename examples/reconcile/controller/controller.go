// Package controller shows how rollouts are driven inside a controller.
package controller

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/serin-go/serin/canary"
)

// Reconciler drives any number of rollouts, one per service. It is what stands
// in somebody's controller: no goroutine per rollout, no sleeping, and nothing in
// memory that a restart would lose.
type Reconciler struct {
	// NewRunner makes the Runner of one service.
	NewRunner func(service string) (*canary.Runner, error)
	// Done is told of every rollout that is over.
	Done func(service string, s canary.State)

	runners sync.Map // service -> *canary.Runner
}

// Reconcile takes one look at a service and changes at most one thing. It
// returns when to look again; zero is never.
func (r *Reconciler) Reconcile(ctx context.Context, service string) (time.Duration, error) {
	runner, err := r.runner(service)
	if err != nil {
		return 0, err
	}
	e, err := runner.Turn(ctx)
	switch {
	case err != nil:
		return 0, err
	case e.Done:
		r.Done(service, e.After)
		return 0, nil
	}
	return max(e.Wait, time.Millisecond), nil
}

// runner keeps one Runner per service. Making it anew each time would work as
// well; it only remembers, so that a State that somebody removes is put back.
func (r *Reconciler) runner(service string) (*canary.Runner, error) {
	if kept, ok := r.runners.Load(service); ok {
		return kept.(*canary.Runner), nil
	}
	made, err := r.NewRunner(service)
	if err != nil {
		return nil, err
	}
	kept, _ := r.runners.LoadOrStore(service, made)
	return kept.(*canary.Runner), nil
}

// Work takes services from the queue until it is shut down. Any number of
// goroutines, and of processes with queues of their own, may do that at once.
func (r *Reconciler) Work(ctx context.Context, queue workqueue.TypedRateLimitingInterface[string]) {
	for {
		service, shutdown := queue.Get()
		if shutdown {
			return
		}
		again, err := r.Reconcile(ctx, service)
		switch {
		case errors.Is(err, canary.ErrRefused) && !errors.Is(err, canary.ErrForbidden) && !errors.Is(err, canary.ErrNotFound):
			queue.Forget(service) // a person is needed; a watch on the object would add it again
		case err != nil:
			queue.AddRateLimited(service)
		default:
			queue.Forget(service)
			if again > 0 {
				queue.AddAfter(service, again)
			}
		}
		queue.Done(service)
	}
}
