package routing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake/apiserver"
)

func TestADriverThatSleptThroughTheEndOpensAndShutsNoDoors(t *testing.T) {
	for name, begun := range map[string]bool{"after a raise": true, "though nothing was raised": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, twoRules)
			d := w.doors(t, 0, "b")
			if begun {
				raise(t, d, 3)
			}
			first(d.Cleanup(t.Context(), canary.Question{Fence: at(5)}))
			_, err := d.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(4)})
			require.ErrorIs(t, err, canary.FencedError{Serial: 5})
			require.EqualError(t, err, "routing: VirtualService prod/reviews: serial 5 was acted on already")
			require.Equal(t, "a, b", names(t, w.document(t, "reviews")))
			raise(t, d, 6)
			_, err = d.Cleanup(t.Context(), canary.Question{Fence: at(5)})
			require.ErrorIs(t, err, canary.ErrConflict)
			require.Equal(t, "a, serin-door-stable-b, serin-door-canary-b, b", names(t, w.document(t, "reviews")))
		})
	}
}

func TestARolloutTakesOverTheDoorsThatAnotherLeftStanding(t *testing.T) {
	w := newWorld(t, twoRules)
	d := w.doors(t, 0, "b")
	second := canary.Fence{Rollout: "second", Serial: 10}
	raise(t, d, 3)
	require.Equal(t, canary.Wait, first(d.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: second})).Reply)
	require.Equal(t, canary.Yes, first(d.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: second})).Reply)
	require.Equal(t, 2, w.patches(), "once is enough")
	_, err := d.Cleanup(t.Context(), canary.Question{Fence: at(9)})
	require.ErrorIs(t, err, canary.FencedError{Serial: 10}, "a late driver of the first rollout takes nothing from the second")
}

func TestTwoDriversOpenTheDoorsOnce(t *testing.T) {
	w := newWorld(t, twoRules)
	d := w.doors(t, 0, "b")
	once := true
	defer w.Hook(func(c apiserver.Call) apiserver.Fault {
		if c.Verb == "patch" && once {
			once = false
			raise(t, d, 1) // the other driver gets through before
		}
		return nil
	})()
	_, err := d.Ensure(t.Context(), canary.Question{Traffic: share(5), Fence: at(1)})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.Equal(t, "a, serin-door-stable-b, serin-door-canary-b, b", names(t, w.document(t, "reviews")))
}
