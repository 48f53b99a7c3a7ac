package routing

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
)

// asIstio is what Istio hands to Envoy for a percentage: a numerator over a
// million (translatePercentToFractionalPercent in its route translation).
func asIstio(percentage float64) uint32 { return uint32(percentage * float64(10000)) }

func TestEveryShareOfAMirrorReachesEnvoyExactly(t *testing.T) {
	for w := range canary.Full + 1 {
		text := string(mirrorPercentage(w))
		text = strings.TrimSuffix(strings.TrimPrefix(text, `{"value":`), "}")
		p, err := strconv.ParseFloat(text, 64)
		if err != nil || asIstio(p) != uint32(w) || ofPercentage(p) != w || p > 100 {
			t.Fatalf("%v is written as %s, read as %v, and Envoy gets %d: %v", w, text, ofPercentage(p), asIstio(p), err)
		}
	}
	require.NotEqual(t, uint32(5700), asIstio(0.57), "the trap is still there")
}

func TestAPercentageIsReadAsIstioReadsIt(t *testing.T) {
	for p, want := range map[float64]canary.Weight{
		0.57: 5699, 0: 0, -3: 0, math.NaN(): 0, 100: canary.Full, 250: canary.Full, 0.00009: 0, math.Inf(1): canary.Full,
	} {
		require.Equal(t, want, ofPercentage(p), "%v", p)
	}
}
