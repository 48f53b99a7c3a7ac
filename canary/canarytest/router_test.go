package canarytest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
)

func open(wrap func(canary.Router) canary.Router) canarytest.Open {
	return func(context.Context) (one, two canary.Router, err error) {
		r := wrap(new(canarytest.Router))
		return r, r, nil
	}
}

func TestARouterInMemoryKeepsTheContract(t *testing.T) {
	require.NoError(t, canarytest.TestRouter(t.Context(), open(func(r canary.Router) canary.Router { return r })))
}

// broken is a Router with one fault.
type broken struct {
	canary.Router
	read  func(canary.Reading, error) (canary.Reading, error)
	write func(ctx context.Context, r canary.Reading, t canary.Traffic, s canary.State) error
}

func (b broken) Read(ctx context.Context) (canary.Reading, error) {
	r, err := b.Router.Read(ctx)
	if b.read != nil {
		return b.read(r, err)
	}
	return r, err
}

func (b broken) Write(ctx context.Context, r canary.Reading, t canary.Traffic, s canary.State) error {
	if b.write != nil {
		return b.write(ctx, r, t, s)
	}
	return b.Router.Write(ctx, r, t, s)
}

func TestEveryBrokenRouterIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		wrap func(canary.Router) canary.Router
		want string
	}{
		"rounds to whole percents": {func(r canary.Router) canary.Router {
			return broken{Router: r, read: func(r canary.Reading, err error) (canary.Reading, error) {
				r.Traffic.Canary = r.Traffic.Canary / canary.Percent * canary.Percent
				return r, err
			}}
		}, "every share comes back exactly"},
		"forgets the mirror": {func(r canary.Router) canary.Router {
			return broken{Router: r, read: func(r canary.Reading, err error) (canary.Reading, error) {
				r.Traffic.Mirror = 0
				return r, err
			}}
		}, "every share comes back exactly"},
		"loses the trace": {func(r canary.Router) canary.Router {
			return broken{Router: r, read: func(r canary.Reading, err error) (canary.Reading, error) {
				r.State.Trace = nil
				return r, err
			}}
		}, "the state comes back exactly"},
		"takes the last writer": {func(r canary.Router) canary.Router {
			return broken{Router: r, write: func(ctx context.Context, _ canary.Reading, t canary.Traffic, s canary.State) error {
				now, err := r.Read(ctx)
				if err != nil {
					return err
				}
				if err := r.Write(ctx, now, t, s); errors.Is(err, canary.ErrConflict) {
					return nil
				}
				return err
			}}
		}, "a write from an old reading changes nothing"},
		"heeds no context": {func(r canary.Router) canary.Router {
			return broken{Router: r, write: func(_ context.Context, read canary.Reading, t canary.Traffic, s canary.State) error {
				return r.Write(context.Background(), read, t, s)
			}}
		}, "a context that has ended"},
		"cannot read": {func(r canary.Router) canary.Router {
			return broken{Router: r, read: func(canary.Reading, error) (canary.Reading, error) {
				return canary.Reading{}, errors.New("no API server")
			}}
		}, "no API server"},
		"writes nothing after a while": {func(r canary.Router) canary.Router {
			var mu sync.Mutex
			writes := 0
			return broken{Router: r, write: func(ctx context.Context, read canary.Reading, t canary.Traffic, s canary.State) error {
				mu.Lock()
				defer mu.Unlock()
				if writes++; writes > 1 {
					return nil
				}
				return r.Write(ctx, read, t, s)
			}}
		}, "the state comes back exactly"},
	} {
		require.ErrorContains(t, canarytest.TestRouter(t.Context(), open(c.wrap)), c.want, name)
	}
	failing := errors.New("no cluster")
	err := canarytest.TestRouter(t.Context(), func(context.Context) (one, two canary.Router, err error) { return nil, nil, failing })
	require.ErrorIs(t, err, failing)
}
