package canary_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/order"
)

// asking keeps what it was asked with.
type asking struct {
	standing
	last canary.Question
}

func (a *asking) Ensure(ctx context.Context, q canary.Question) (canary.Answer, error) {
	a.last = q
	return a.standing.Ensure(ctx, q)
}

// A part can ask whether the decision by which it is asked still is the last one.
func TestAQuestionIsCurrentUntilSomebodyWrites(t *testing.T) {
	p := new(asking)
	story(t, twoSteps(), func(t *testing.T, s *stage) {
		s.turns(30 * time.Second)
		require.ErrorIs(t, p.last.Current(t.Context()), canary.ErrConflict, "the step was entered since")

		// Nothing is written while the canary is not ready.
		s.workload.ReadyScript = []canary.Answer{{Reply: canary.Yes}}
		p.wait = true
		s.turns(time.Hour)
		require.NoError(t, p.last.Current(t.Context()))
		s.send(canary.Command{Order: order.Pause})
		require.ErrorIs(t, p.last.Current(t.Context()), canary.ErrConflict)

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, p.last.Current(gone), context.Canceled, "what cannot be read is not known")
	}, func(c *canary.Config) { c.Prerequisites = []canary.Prerequisite{p} })
}
