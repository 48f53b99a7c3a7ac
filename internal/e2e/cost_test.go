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

// counter counts requests by what they ask, and apart those that lost a race.
type counter struct {
	mu   sync.Mutex
	sent map[string]int
}

const conflict = ", conflict"

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		asked := asks(r)
		if err == nil && answer.StatusCode == http.StatusConflict {
			asked += conflict
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent[asked]++
		return answer, err
	})
}

// asks is the verb of a request, and the kind of object that it is about.
func asks(r *http.Request) string {
	kind := path.Dir(r.URL.Path)
	if path.Base(path.Dir(kind)) != "namespaces" {
		return r.Method + " " + path.Base(kind)
	}
	verb := map[bool]string{true: "WATCH", false: "LIST"}[r.URL.Query().Has("watch")]
	return verb + " " + path.Base(r.URL.Path)
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
	require.LessOrEqual(t, c.sent["GET deployments"], 3*r.turns, "both in each turn, and again for each change")
	require.LessOrEqual(t, c.sent["PATCH deployments"], 3, "the record, the promotion, and what follows")
	delete(c.sent, "PATCH deployments"+conflict) // with the Deployment controller, which writes its status
	require.Len(t, c.sent, 4, "nothing else")
}
