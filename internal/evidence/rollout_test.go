package evidence_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/draw"
	"github.com/serin-go/serin/internal/evidence"
)

// arms draws a look of both arms, of which the canary has a 20th of the
// requests.
func arms(r *rand.Rand, n, pc, pb float64) evidence.Look {
	arm := func(n, p float64) evidence.Count {
		total := draw.Poisson(r, n)
		return evidence.Count{Bad: min(draw.Poisson(r, n*p), total), Total: total}
	}
	return evidence.Look{Canary: arm(n, pc), Baseline: arm(19*n, pb)}
}

// decided returns after how many looks the evidence is enough, 0 if never.
func decided(looks int, logE func() float64) int {
	for k := range looks {
		if logE() >= math.Log(20) {
			return k + 1
		}
	}
	return 0
}

// rollouts returns the share of rollouts that are decided, and the median look
// of those.
func rollouts(t *testing.T, times, looks int, begin func(r *rand.Rand) func() float64) (share float64, median int) {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 11))
	at := make([]int, looks+1)
	for range times {
		at[decided(looks, begin(r))]++
	}
	found := times - at[0]
	for seen := 0; seen*2 < found; median++ {
		seen += at[median+1]
	}
	return float64(found) / float64(times), median
}

// errorTests begins rollouts of a test of errors, at so many requests a look.
func errorTests(t *testing.T, s evidence.Settings, n float64, rate func(look int) (pc, pb float64)) func(r *rand.Rand) func() float64 {
	fresh, err := evidence.NewErrorTest(s)
	require.NoError(t, err)
	return func(r *rand.Rand) func() float64 {
		test, k := fresh, 0
		return func() float64 {
			pc, pb := rate(k)
			k++
			test.Update(arms(r, n, pc, pb))
			return test.Evidence().Fail
		}
	}
}

const times = 2000

// tolerated is alpha with three standard deviations of a simulation.
var tolerated = 0.05 + 3*math.Sqrt(0.05*0.95/times)

func TestHealthyCanariesAreHardlyEverRolledBack(t *testing.T) {
	drift := func(k int) (pc, pb float64) { p := 0.001 + 0.01*float64(k%60)/60; return p, p }
	for name, begin := range map[string]func(r *rand.Rand) func() float64{
		"errors": errorTests(t, evidence.Settings{}, 150, drift),
		"errors on a margin of 1, without noise or cap": errorTests(t, evidence.Settings{
			Fail: evidence.Margin{Factor: 1}, Noise: evidence.None, FirstShare: 1, LookCap: math.Inf(1)}, 150, drift),
		"errors on the margin": errorTests(t, evidence.Settings{}, 150, func(k int) (pc, pb float64) {
			_, pb = drift(k)
			return 1.05 * pb, pb
		}),
		"an SLO, on it":                sloTests(t),
		"latency":                      latencyTests(t),
		"a gauge, on the tolerance":    gaugeTests(t),
		"a split within its tolerance": splitTests(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks := 120
			if name == "latency" {
				looks = 40
			}
			share, _ := rollouts(t, times, looks, begin)
			require.LessOrEqual(t, share, tolerated)
		})
	}
}

func sloTests(t *testing.T) func(r *rand.Rand) func() float64 {
	fresh, err := evidence.NewSLOTest(0.999, evidence.Settings{})
	require.NoError(t, err)
	return func(r *rand.Rand) func() float64 {
		test := fresh
		return func() float64 {
			test.Update(arms(r, 1500, 0.001, 0))
			return test.Evidence().Fail
		}
	}
}

func latencyTests(t *testing.T) func(r *rand.Rand) func() float64 {
	fresh, err := evidence.NewLatencyTest(make([]evidence.Count, 2), evidence.Settings{})
	require.NoError(t, err)
	return func(r *rand.Rand) func() float64 {
		test := fresh
		return func() float64 {
			l := arms(r, 150, 0.4, 0.4)
			s := slow(l)
			s.Canary.Over[1], s.Baseline.Over[1] = math.Floor(l.Canary.Bad/20), math.Floor(l.Baseline.Bad/20)
			test.Update(s)
			return test.Evidence().Fail
		}
	}
}

func gaugeTests(t *testing.T) func(r *rand.Rand) func() float64 {
	fresh, err := evidence.NewGaugeTest(evidence.Settings{})
	require.NoError(t, err)
	return func(r *rand.Rand) func() float64 {
		test := fresh
		return func() float64 {
			test.Update(evidence.GaugeLook{Canary: 1.1 * math.Exp(0.2*r.NormFloat64()), Baseline: 1})
			return test.Evidence().Fail
		}
	}
}

func splitTests(t *testing.T) func(r *rand.Rand) func() float64 {
	fresh, err := evidence.NewTrafficTest(evidence.Settings{})
	require.NoError(t, err)
	return func(r *rand.Rand) func() float64 {
		test := fresh
		return func() float64 {
			test.Update(evidence.TrafficLook{Share: 0.05, Canary: draw.Poisson(r, 5.4), Others: draw.Poisson(r, 95)})
			return test.LogE()
		}
	}
}

// The figures are medians of looks of 15 seconds.
func TestBadCanariesAreFound(t *testing.T) {
	constant := func(pc, pb float64) func(int) (float64, float64) {
		return func(int) (float64, float64) { return pc, pb }
	}
	for _, c := range []struct {
		name           string
		perLook        float64
		rate           func(int) (float64, float64)
		share          float64
		earliest, last int
	}{
		{"twice the errors at 10 requests a second", 150, constant(0.002, 0.001), 0.9, 60, 110},
		{"twice the errors at 100 requests a second", 1500, constant(0.002, 0.001), 1, 9, 18},
		{"ten times the errors at 10 requests a second", 150, constant(0.01, 0.001), 1, 3, 7},
		{"ten times the errors at 1000 requests a second: three looks, for the cap", 15000, constant(0.01, 0.001), 1, 3, 3},
		{"ten times the errors from minute 30 on", 150, func(k int) (float64, float64) {
			if k < 120 {
				return 0.001, 0.001
			}
			return 0.01, 0.001
		}, 1, 121, 136},
	} {
		share, median := rollouts(t, 200, 240, errorTests(t, evidence.Settings{}, c.perLook, c.rate))
		require.GreaterOrEqual(t, share, c.share, c.name)
		require.GreaterOrEqual(t, median, c.earliest, c.name)
		require.LessOrEqual(t, median, c.last, c.name)
	}
}

func TestNoiseOfAnArmIsLearnedAndTempered(t *testing.T) {
	test, err := evidence.NewErrorTest(evidence.Settings{})
	require.NoError(t, err)
	fixed, err := evidence.NewErrorTest(evidence.Settings{FixedNoise: true})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 1))
	for k := range 240 {
		rate := 0.005
		if k/4%2 == 0 {
			rate = 0.01
		}
		l := arms(r, 1500, rate, 0.0075)
		test.Update(l)
		fixed.Update(l)
	}
	require.InDelta(t, 0.33, test.Tau(), 0.1)
	require.InDelta(t, 0.15, fixed.Tau(), 1e-12)
	require.Less(t, test.Evidence().Fail, math.Log(20))
}

func TestAQuantileBetweenTwoBoundsIsJudgedOnBoth(t *testing.T) {
	test, err := evidence.NewQuantileTest(0.99, evidence.Settings{})
	require.NoError(t, err)
	good, bad := test, test
	require.False(t, test.Coarse(), "without requests")
	for range 60 {
		test.Update(evidence.QuantileLook{Total: 1000, AboveLow: 30, AboveHigh: 3})
		good.Update(evidence.QuantileLook{Total: 1000, AboveLow: 3, AboveHigh: 1})
		bad.Update(evidence.QuantileLook{Total: 1000, AboveLow: 60, AboveHigh: 30})
	}
	require.True(t, test.Coarse(), "the 99th percentile lies between the bounds")
	require.Less(t, test.Evidence().Fail, 0.0)
	require.Less(t, test.Evidence().Pass, 0.0)
	require.False(t, good.Coarse())
	require.Greater(t, good.Evidence().Pass, math.Log(20))
	require.False(t, bad.Coarse())
	require.Greater(t, bad.Evidence().Fail, math.Log(20))
}

func TestHalfOfThePlannedTrafficIsSeenAtOnce(t *testing.T) {
	test, err := evidence.NewTrafficTest(evidence.Settings{})
	require.NoError(t, err)
	within := test
	test.Update(evidence.TrafficLook{Share: 0.05, Canary: 75, Others: 2925}) // 200 a second
	require.Greater(t, test.LogE(), math.Log(1000))
	for range 240 {
		within.Update(evidence.TrafficLook{Share: 0.05, Canary: 159, Others: 2841}) // 5.3 %
	}
	require.Less(t, within.LogE(), 0.0)
	for range 8 { // and what begins to go wrong after an hour is seen as well
		within.Update(evidence.TrafficLook{Share: 0.05, Canary: 75, Others: 2925, Step: true})
	}
	require.Greater(t, within.LogE(), math.Log(1000))
}

func TestAGaugeIsJudgedByBatches(t *testing.T) {
	gauge, err := evidence.NewGaugeTest(evidence.Settings{})
	require.NoError(t, err)
	same, high, holes := gauge, gauge, gauge
	r := rand.New(rand.NewPCG(5, 5))
	for k := range 80 {
		noise := math.Exp(0.05 * r.NormFloat64())
		same.Update(evidence.GaugeLook{Canary: noise, Baseline: 1})
		high.Update(evidence.GaugeLook{Canary: 1.5 * noise, Baseline: 1})
		l := evidence.GaugeLook{Canary: 1.5 * noise, Baseline: 1, Step: k%16 == 2}
		if k%4 == 1 {
			l.Baseline = 0
		}
		holes.Update(l)
	}
	require.Greater(t, same.Evidence().Pass, math.Log(20))
	require.Less(t, same.Evidence().Fail, 0.0)
	require.Greater(t, high.Evidence().Fail, math.Log(20))
	require.Less(t, high.Evidence().Pass, 0.0)
	require.Less(t, holes.Evidence().Fail, high.Evidence().Fail, "batches with a gap are left out")

	still := gauge
	for range 20 {
		still.Update(evidence.GaugeLook{Canary: 1, Baseline: 1})
	}
	require.Greater(t, still.Evidence().Pass, 0.0, "no spread at all")
	require.Less(t, still.Evidence().Fail, 0.0)

	drift := gauge
	for k := range 80 {
		drift.Update(evidence.GaugeLook{Canary: 1.3 + 0.01*float64(k), Baseline: 1})
	}
	require.Less(t, drift.Evidence().Fail, high.Evidence().Fail, "batches that persist count for fewer")
}

func TestUsefulBoundsAreChosenByTheBaselineBefore(t *testing.T) {
	var before []evidence.Count
	for _, bad := range []float64{1000, 901, 900, 400, 300, 250, 200, 100, 50, 20, 10, 1, 0.9, 0} {
		before = append(before, evidence.Count{Bad: bad, Total: 1000})
	}
	require.Equal(t, []int{2, 3, 4, 5, 7, 8, 9, 11}, evidence.UsefulBounds(before))
	require.Equal(t, []int{2, 3}, evidence.UsefulBounds(before[:4]))
	require.Empty(t, evidence.UsefulBounds(make([]evidence.Count, 3)), "nothing is known")
}

func TestABoundThatNearlyAllRequestsExceedLearnsNothing(t *testing.T) {
	test, err := evidence.NewLatencyTest([]evidence.Count{{Bad: 999, Total: 1000}}, evidence.Settings{})
	require.NoError(t, err)
	for range 20 {
		test.Update(slow(look(150, 150, 2840, 2850)))
	}
	require.InDelta(t, 0, test.Evidence().Fail, 1e-12, "rho q + delta is above 1")
	require.Equal(t, evidence.Evidence{}, test.Bound(1))
	require.Equal(t, test.Evidence(), test.Bound(0))
}

func TestAGaugeIsEstimatedAndForecast(t *testing.T) {
	const alpha = 0.05
	gauge, err := evidence.NewGaugeTest(evidence.Settings{})
	require.NoError(t, err)
	_, known := gauge.Ratio(alpha)
	require.False(t, known, "nothing was seen")
	_, known = gauge.Looks()
	require.False(t, known)
	missed, rollouts := 0, 300
	var first, took []float64
	r := rand.New(rand.NewPCG(3, 3))
	for range rollouts {
		test, wrong, forecast := gauge, false, 0.0
		for k := 1; k <= 400; k++ {
			test.Update(evidence.GaugeLook{Canary: 1.02 * math.Exp(0.15*r.NormFloat64()), Baseline: 1})
			if is, ok := test.Ratio(alpha); ok {
				require.LessOrEqual(t, is.Lower, is.Estimate)
				require.LessOrEqual(t, is.Estimate, is.Upper)
				wrong = wrong || is.Lower > 1.02 || is.Upper < 1.02
			}
			if k == 40 {
				forecast, _ = test.Looks()
				forecast += 40
			}
			if test.Evidence().Pass >= math.Log(20) {
				if k > 40 {
					first, took = append(first, forecast), append(took, float64(k))
				}
				break
			}
		}
		if wrong {
			missed++
		}
	}
	require.LessOrEqual(t, float64(missed)/float64(rollouts), bound(alpha, rollouts))
	require.NotEmpty(t, took)
	require.InEpsilon(t, median(took), median(first), 0.5, "the forecast is about right")

	high := gauge
	for k := range 40 {
		high.Update(evidence.GaugeLook{Canary: 1.5, Baseline: 1})
		if k == 7 {
			_, known = high.Ratio(alpha)
			require.False(t, known, "two batches bound nothing")
		}
	}
	_, known = high.Looks()
	require.False(t, known, "a value that is too high is no way to a pass")
	is, known := high.Ratio(alpha)
	require.True(t, known)
	require.InDelta(t, 1.5, is.Estimate, 1e-12)
}
