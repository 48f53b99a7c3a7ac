package e2e_test

import (
	"net/http"
	"path"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/canary/phase"
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

// writes is how often the object must be written: for each step, and when the
// rollout begins, puts the header routes up, promotes, returns, takes them down and ends.
func writes(t *testing.T) int {
	plan, err := newPlan()
	require.NoError(t, err)
	return plan.Len() + 6
}

func TestARolloutAsksLittleOfTheAPIServer(t *testing.T) {
	r := newRelease(t, &canarytest.Judge{})
	c := &counter{sent: map[string]int{}}
	r.config.Wrap(c.wrap)
	runner, err := newRunner(r.config, r.namespace, r.judge, r.observe)
	require.NoError(t, err)
	state, err := runner.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, phase.Promoted, state.Phase)
	t.Logf("%d turns: %v", r.turns, c.sent)
	require.LessOrEqual(t, c.sent["GET virtualservices"], r.turns+writes(t), "one look a turn")
	require.Equal(t, writes(t), c.sent["PATCH virtualservices"], "one write a change")
	require.LessOrEqual(t, c.sent["GET deployments"], 2*r.turns+writes(t), "whether the canary is alive and ready, and the preflight check")
	require.LessOrEqual(t, c.sent["PATCH deployments"], 2)
	require.Len(t, c.sent, 4, "nothing else")
}
