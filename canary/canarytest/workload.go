package canarytest

import (
	"context"
	"fmt"
	"sync"

	"github.com/serin-go/serin/canary"
)

// Workload is a canary.Workload that answers by scripts. The zero value is ready
// and promotes and restores at once. It is safe for concurrent use; set the
// fields before that.
type Workload struct {
	// Pinned is what Pin says.
	Pinned canary.Pin
	// ReadyScript, PromoteScript and RestoreScript are the answers in their order; when one
	// is used up, its last answer is repeated. Empty is Yes.
	ReadyScript, AliveScript, PromoteScript, RestoreScript []canary.Answer
	// Inspection is what each Inspect says. A No of the AliveScript is Dead.
	canary.Inspection
	// Scaling makes the Workload one that scales, and ReleaseScript has its answers.
	Scaling       bool
	ReleaseScript []canary.Answer
	// Before is called first with the name of the method, if it is set; an error
	// ends the call, and nothing has happened.
	Before func(method string) error

	mu       sync.Mutex
	last     canary.Fence
	promoted bool
	promoter string // the rollout that promoted
	calls    map[string]int
}

// Pin implements canary.Workload.
func (w *Workload) Pin(ctx context.Context, _ canary.Question) (canary.Pin, canary.Answer, error) {
	if err := w.enter(ctx, "Pin", canary.Fence{}); err != nil {
		return canary.Pin{}, canary.Answer{}, err
	}
	return w.Pinned, canary.Answer{Reply: canary.Yes}, nil
}

// Ready implements canary.Workload.
func (w *Workload) Ready(ctx context.Context, _ canary.Question) (canary.Answer, error) {
	if err := w.enter(ctx, "Ready", canary.Fence{}); err != nil {
		return canary.Answer{}, err
	}
	return w.answer("Ready", w.ReadyScript), nil
}

// Inspect implements canary.Workload.
func (w *Workload) Inspect(ctx context.Context, _ canary.Question) (canary.Inspection, error) {
	if err := w.enter(ctx, "Inspect", canary.Fence{}); err != nil {
		return canary.Inspection{}, err
	}
	seen := w.Inspection
	if a := w.answer("Inspect", w.AliveScript); a.Reply == canary.No {
		seen.Dead = a.Reason
	}
	return seen, nil
}

// Promote implements canary.Workload.
func (w *Workload) Promote(ctx context.Context, q canary.Question) (canary.Answer, error) {
	f := q.Fence
	if err := w.enter(ctx, "Promote", f); err != nil {
		return canary.Answer{}, err
	}
	w.set(true, f)
	return w.answer("Promote", w.PromoteScript), nil
}

// Restore implements canary.Workload.
func (w *Workload) Restore(ctx context.Context, q canary.Question) (canary.Answer, error) {
	f := q.Fence
	if err := w.enter(ctx, "Restore", f); err != nil {
		return canary.Answer{}, err
	}
	if !w.promotedBy(f) {
		return canary.Answer{Reply: canary.Yes, Reason: "stable was not promoted by this rollout"}, nil
	}
	a := w.answer("Restore", w.RestoreScript)
	if a.Reply == canary.Yes {
		w.set(false, f)
	}
	return a, nil
}

// Scales implements canary.Scaler.
func (w *Workload) Scales() bool { return w.Scaling }

// Release implements canary.Scaler.
func (w *Workload) Release(ctx context.Context, q canary.Question) (canary.Answer, error) {
	if err := w.enter(ctx, "Release", q.Fence); err != nil {
		return canary.Answer{}, err
	}
	return w.answer("Release", w.ReleaseScript), nil
}

// Promoted reports whether stable has been told to become the canary's version
// and has not been restored.
func (w *Workload) Promoted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.promoted
}

// Calls returns how often a method was called and not refused.
func (w *Workload) Calls(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

// enter refuses a Fence that does not come after the last one; Pin and Ready need none.
func (w *Workload) enter(ctx context.Context, method string, f canary.Fence) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.Before != nil {
		if err := w.Before(method); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if method == "Promote" || method == "Restore" {
		if err := f.After(w.last); err != nil {
			return fmt.Errorf("canarytest: workload: %w", err)
		}
		w.last = f
	}
	if w.calls == nil {
		w.calls = map[string]int{}
	}
	w.calls[method]++
	return nil
}

func (w *Workload) promotedBy(f canary.Fence) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.promoted && w.promoter == f.Rollout
}

func (w *Workload) set(promoted bool, f canary.Fence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.promoted, w.promoter = promoted, f.Rollout
}

// answer returns the answer of the call that is being served.
func (w *Workload) answer(method string, script []canary.Answer) canary.Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return scripted(script, w.calls[method])
}
