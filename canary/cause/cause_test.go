package cause_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/cause"
)

func TestEachValueHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for v := cause.Over; ; v-- {
		text, err := v.MarshalText()
		require.NoError(t, err)
		require.Equal(t, v.String(), string(text))
		require.False(t, seen[v.String()], v)
		seen[v.String()] = true
		var again cause.Cause
		require.NoError(t, again.UnmarshalText(text))
		require.Equal(t, v, again)
		if v == 0 {
			break
		}
	}
	_, err := (cause.Over + 1).MarshalText()
	require.Error(t, err)
	require.ErrorContains(t, new(cause.Cause).UnmarshalText([]byte("nothing like it")), "want one of ")
}
