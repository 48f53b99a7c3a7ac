package enum_test

import (
	"encoding"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

func TestEachValueHasANameOfItsOwn(t *testing.T) {
	t.Run("cause", names(cause.Over))
	t.Run("order", names(order.StepBack))
	t.Run("phase", names(phase.RolledBack))
	t.Run("onDeadline", names(canary.DeadlinePause))
	t.Run("onChange", names(canary.ChangeHold))
	t.Run("requirement", names(canary.Nothing))
	t.Run("drift", names(canary.RollBackOnDrift))
	t.Run("end", names(canary.Discard))
}

// names is the test of the values up to the last one.
func names[E interface {
	~uint8
	fmt.Stringer
	encoding.TextMarshaler
}, P interface {
	*E
	encoding.TextUnmarshaler
}](last E) func(*testing.T) {
	return func(t *testing.T) {
		seen := map[string]bool{}
		for n := range int(last) + 1 {
			v := E(n)
			text, err := v.MarshalText()
			require.NoError(t, err)
			require.Equal(t, v.String(), string(text))
			require.False(t, seen[v.String()], v)
			seen[v.String()] = true
			var again E
			require.NoError(t, P(&again).UnmarshalText(text))
			require.Equal(t, v, again)
		}
		_, err := (last + 1).MarshalText()
		require.Error(t, err, "%v is the last value", last)
		require.ErrorContains(t, P(new(E)).UnmarshalText([]byte("nothing like it")), "want one of ")
	}
}
