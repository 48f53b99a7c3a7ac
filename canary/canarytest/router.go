package canarytest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/serin-go/serin/canary"
)

// Router is a canary.Router in memory. The zero value sends everything to
// stable. It is safe for concurrent use; set the hooks before that.
type Router struct {
	// BeforeRead and BeforeWrite are called first, if they are set; an error ends
	// the call, and nothing was written.
	BeforeRead, BeforeWrite func() error
	// Room is how many bytes a State may have; a larger one is ErrRefused. Zero is
	// no bound.
	Room int
	// UID is Reading.Object of each Reading.
	UID string
	// AfterWrite is called after a successful write. If it returns an error, Write
	// returns that error although the write is stored, as if its answer were lost.
	AfterWrite func() error

	mu      sync.Mutex
	version int64
	traffic canary.Traffic
	state   []byte // encoded, as a real store holds it
	abort   string
	writes  int
}

// Read implements canary.Router.
func (r *Router) Read(ctx context.Context) (canary.Reading, error) {
	if err := first(ctx, r.BeforeRead); err != nil {
		return canary.Reading{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	reading := canary.Reading{Traffic: r.traffic, Object: r.UID, Abort: r.abort, Version: r.version}
	if len(r.state) > 0 {
		if err := json.Unmarshal(r.state, &reading.State); err != nil {
			reading.State = canary.State{}
			return reading, fmt.Errorf("canarytest: router: %w: %w", canary.ErrBadState, err)
		}
	}
	return reading, nil
}

// Write implements canary.Router. What no mesh would take is ErrRefused.
func (r *Router) Write(ctx context.Context, read canary.Reading, t canary.Traffic, s canary.State) error {
	if err := first(ctx, r.BeforeWrite); err != nil {
		return err
	}
	if err := t.Validate(); err != nil {
		return fmt.Errorf("canarytest: router: %w: %w", canary.ErrRefused, err)
	}
	encoded, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("canarytest: router: %w: %w", canary.ErrRefused, err)
	}
	if r.Room > 0 && len(encoded) > r.Room {
		return fmt.Errorf("canarytest: router: %w: the state has %d bytes, there is room for %d", canary.ErrRefused, len(encoded), r.Room)
	}
	if err := r.swap(read, t, encoded); err != nil {
		return err
	}
	if r.AfterWrite != nil {
		return r.AfterWrite()
	}
	return nil
}

func (r *Router) swap(read canary.Reading, t canary.Traffic, state []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if version, ok := read.Version.(int64); !ok || version != r.version {
		return fmt.Errorf("canarytest: router: %w", canary.ErrConflict)
	}
	r.traffic, r.state = t, state
	if read.Abort != "" {
		r.abort = ""
	}
	r.version++
	r.writes++
	return nil
}

// Meddle sets the traffic and leaves the State, as a person or a tool would who
// knows nothing of the rollout.
func (r *Router) Meddle(t canary.Traffic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.traffic = t
	r.version++
}

// Abort orders an Abort as a person does with an annotation.
func (r *Router) Abort(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.abort = reason
	r.version++
}

// Corrupt replaces the stored State by any text; "" is no State.
func (r *Router) Corrupt(state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = []byte(state)
	r.version++
}

// Writes returns how many writes have happened.
func (r *Router) Writes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes
}

// first returns the error of the context, or of the hook.
func first(ctx context.Context, hook func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if hook == nil {
		return nil
	}
	return hook()
}
