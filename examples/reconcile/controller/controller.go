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

// Reconciler drives any number of rollouts, one for each service, as a controller does: it
// has no goroutine for a rollout, it does not sleep, and a restart loses nothing.
type Reconciler struct {
	// NewRunner makes the Runner of one service.
	NewRunner func(service string) (*canary.Runner, error)
	// Done is called when a rollout is over.
	Done func(service string, s canary.State)

	runners sync.Map // service -> *canary.Runner
}

// Reconcile takes one look at a service and makes at most one change. It returns when to
// look again; zero is never.
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

// runner keeps one Runner for each service. A new Runner would work as well, but only a
// Runner that has seen a rollout restores a State that somebody removes.
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

// Work takes services from the queue until the queue is shut down. Any number of goroutines
// may call it, and any number of processes with their own queues.
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
