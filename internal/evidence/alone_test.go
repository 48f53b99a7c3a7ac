package evidence_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

// What a look of a canary alone may make good for changes nothing of what is expected.
func TestNoTestOfACanaryAloneExpectsMoreThanOne(t *testing.T) {
	for _, before := range []evidence.Count{{Bad: 1, Total: 500}, {Bad: 40, Total: 1000}, {Bad: 15, Total: 100}} {
		for _, whole := range []bool{false, true} {
			s := evidence.Settings{Block: 1, Blocks: 3, FirstShare: 0.6, LookCap: 1.1, WholeStake: whole}
			p0, known := evidence.Allowed(before, evidence.Margin{Factor: 3, Extra: 0.005}, 0.5)
			require.True(t, known)
			edge := func(int) float64 { return p0 }
			sum := 0.0
			sequences(4, 5, 0, edge, edge, func(looks []evidence.Look, weight float64) {
				test, err := evidence.NewErrorTest(s)
				require.NoError(t, err)
				test.Before(before)
				for _, l := range looks {
					l.Alone = true
					test.Update(l)
				}
				sum += weight * math.Exp(test.Evidence().Fail)
			})
			require.LessOrEqual(t, sum, 1+rounding, fmt.Sprint(before, whole))
			require.Greater(t, sum, 0.5, fmt.Sprint(before, whole))
		}
	}
}
