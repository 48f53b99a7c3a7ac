package fake_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestABadDayIsTheSameForTheSameSeed(t *testing.T) {
	for i := range uint64(6) {
		var runs [2]badOutcome
		for n := range runs {
			synctest.Test(t, func(t *testing.T) { runs[n] = badDay(t, drawBadDay(t, *badSeed, i)) })
		}
		require.Equal(t, runs[0].String(), runs[1].String())
	}
}
