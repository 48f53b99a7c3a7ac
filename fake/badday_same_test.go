package fake_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestABadDayIsTheSameForTheSameSeed(t *testing.T) {
	for i, same := uint64(0), 0; same < 6; i++ {
		if drawBadDay(t, *badSeed, i, false).races() {
			continue
		}
		same++
		var runs [2]badOutcome
		for n := range runs {
			synctest.Test(t, func(t *testing.T) { runs[n] = badDay(t, drawBadDay(t, *badSeed, i, false)) })
		}
		require.Equal(t, runs[0].String(), runs[1].String(), "rollout %d", i)
	}
}

// races reports whether calls hang until their time limit, which ends at the same instant as other
// things: which of them is first is up to the scheduler.
func (s badScenario) races() bool {
	return slices.ContainsFunc(s.troubles, func(tr *badTrouble) bool { return tr.kind.name == "API hangs" || tr.kind.name == "store is away" })
}
