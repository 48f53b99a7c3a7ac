package e2e_test

import (
	"context"
	"net/http"
	"path"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
)

// counter counts requests by method and kind of object.
type counter struct {
	mu   sync.Mutex
	sent map[string]int
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		c.mu.Lock()
		c.sent[r.Method+" "+path.Base(path.Dir(r.URL.Path))]++
		c.mu.Unlock()
		return next.RoundTrip(r)
	})
}

// writes is how often the State must be written: for each step, and when the
// rollout begins, promotes, returns, takes the doors down and ends.
func writes(t *testing.T) int {
	plan, err := newPlan()
	require.NoError(t, err)
	return plan.Len() + 5
}

// doorWrites is how often the doors must be written: when they are put up, and
// when they are taken down.
const doorWrites = 2

func TestARolloutAsksLittleOfTheAPIServer(t *testing.T) {
	r := newRelease(t, &fake.Judge{})
	c := &counter{sent: map[string]int{}}
	r.config.Wrap(c.wrap)
	waits := 0 // of which some were for the doors
	runner, err := newRunner(r.config, r.namespace, r.judge, r.observe, func(_ context.Context, e canary.Event) {
		if cause := e.Reason.Cause; cause == canary.CauseCapacity || cause == canary.CauseRemoving {
			waits++
		}
	})
	require.NoError(t, err)
	state, err := runner.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, canary.Promoted, state.Phase)
	t.Logf("%d turns, %d of them waits: %v", r.turns, waits, c.sent)
	require.LessOrEqual(t, c.sent["GET virtualservices"], r.turns+writes(t)+waits, "one look a turn, and at the doors where they are needed")
	require.Equal(t, writes(t)+doorWrites, c.sent["PATCH virtualservices"], "one write a change")
	require.LessOrEqual(t, c.sent["GET deployments"], r.turns)
	require.LessOrEqual(t, c.sent["PATCH deployments"], 2)
	require.Len(t, c.sent, 4, "nothing else")
}
