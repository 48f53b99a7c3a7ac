package canary

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/phase"
)

// A driver that joins reads an old State twice, because its cache is behind. That the State
// after it is older than these looks says nothing of the clocks, if a write has shown it to be
// an old one.
func TestAnOldStateThatWasReadTwiceTellsNothingOfTheClocks(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return began.Add(d) }
	state := func(serial int64, written time.Duration) *State {
		at := after(written)
		return &State{Serial: serial, Place: Place{Phase: phase.Progressing}, clock: clock{Entered: at, Shifted: at, Written: at}}
	}
	off := func(conflict bool) time.Duration {
		var m memory
		for _, at := range []time.Duration{100 * time.Second, 110 * time.Second} {
			m.look(state(1, 0), after(at), at, time.Minute)
			if conflict {
				m.backOff(ErrConflict)
			}
		}
		return m.look(state(2, 10*time.Second), after(120*time.Second), 120*time.Second, time.Minute).off
	}
	require.Zero(t, off(true))
	require.Equal(t, 110*time.Second, off(false), "that of a driver whose clock is behind")
}
