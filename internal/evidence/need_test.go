package evidence_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/internal/evidence"
)

var (
	above = []float64{1.2, 1.5, 2, 3, 5, 10, 30, 200}
	below = []float64{0.05, 0.2, 0.4, 0.6, 0.75, 0.9}
	worst = evidence.Margin{Factor: 1.5, Extra: 0.0005}
)

func TestTheNeedOfSomeRollouts(t *testing.T) {
	for name, c := range map[string]struct {
		rates  evidence.Rates
		margin evidence.Margin
		grid   []float64
		share  float64
		want   float64
	}{
		"errors double, plain":                    {evidence.Rates{0.002, 0.001, 19}, evidence.Margin{Factor: 1}, above, 1, 11_000},
		"errors double, with a margin and starts": {evidence.Rates{0.002, 0.001, 19}, evidence.Margin{Factor: 1.05}, above, 0.8, 13_400},
		"errors are the same":                     {evidence.Rates{0.001, 0.001, 19}, worst, below, 1, 14_600},
		"no errors at all":                        {evidence.Rates{0, 0, 19}, worst, below, 1, 8_446},
	} {
		t.Run(name, func(t *testing.T) {
			growth := evidence.SplitGrowth(c.rates, c.margin, c.grid)
			need := evidence.Forecast(growth, evidence.Missing(0.05, c.share, 0))
			require.InEpsilon(t, c.want, need.Requests, 0.03, "%v", need)
		})
	}
}

// until returns the median number of canary requests until the mean over the grid,
// with the share of it that started, reaches 1/level.
func until(runs int, size, level, share float64, grid []float64, look func(g []float64) (n float64)) float64 {
	var needed []float64
	for range runs {
		logs, n := make([]float64, len(grid)), 0.0
		for e := 0.0; e < 1/level && n < 1e6*size; {
			n += look(logs)
			sum := 0.0
			for _, l := range logs {
				sum += math.Exp(l)
			}
			e = share*sum/float64(len(logs)) + 1 - share
		}
		needed = append(needed, n)
	}
	return median(needed)
}

func TestTheNeedAgainstABaselineIsAboutTheMedianOfRollouts(t *testing.T) {
	for name, c := range map[string]struct {
		canary, baseline, ratio, share float64
		margin                         evidence.Margin
		grid                           []float64
	}{
		"fail: errors double":               {0.002, 0.001, 19, 1, evidence.Margin{Factor: 1}, above},
		"fail: errors double, with starts":  {0.002, 0.001, 19, 0.8, evidence.Margin{Factor: 1.05}, above},
		"fail: ten times the errors":        {0.01, 0.001, 19, 1, evidence.Margin{Factor: 1.05}, above},
		"fail: a baseline of equal size":    {0.02, 0.01, 1, 1, evidence.Margin{Factor: 1.05}, above},
		"pass: errors are the same":         {0.001, 0.001, 19, 1, worst, below},
		"pass: no errors at all":            {0, 0, 19, 1, worst, below},
		"pass: many errors, but not better": {0.01, 0.01, 9, 0.8, worst, below},
	} {
		t.Run(name, func(t *testing.T) {
			rates := evidence.Rates{Canary: c.canary, Baseline: c.baseline, Ratio: c.ratio}
			growth := evidence.SplitGrowth(rates, c.margin, c.grid)
			need := evidence.Forecast(growth, evidence.Missing(0.05, c.share, 0))
			r, size := rand.New(rand.NewPCG(4, 4)), math.Ceil(need.Requests/100)
			measured := until(151, size, 0.05, c.share, c.grid, func(logs []float64) float64 {
				l := counted(r, size, c.canary, c.ratio*size, c.baseline)
				for i, g := range c.grid {
					logs[i] += logSplit(l, c.margin, g)
				}
				return l.Canary.Total
			})
			t.Logf("predicted %.0f, measured %.0f", need.Requests, measured)
			require.InEpsilon(t, need.Requests, measured, 0.4)
		})
	}
}

// logSplit is the log factor of a look as the formula is printed.
func logSplit(l evidence.Look, m evidence.Margin, g float64) float64 {
	theta := m.Factor * l.Canary.Total / (m.Factor*l.Canary.Total + l.Baseline.Total)
	d := theta * (g - 1)
	a := g / (1 + d)
	return l.Canary.Bad*math.Log(g) - (l.Canary.Bad+l.Baseline.Bad)*math.Log(1+d) - l.Canary.Total*m.Extra*(a-1)
}

func TestTheNeedAgainstAnObjectiveIsAboutTheMedianOfRollouts(t *testing.T) {
	for name, c := range map[string]struct {
		p, p0, share float64
		grid         []float64
	}{
		"fail: ten times what is accepted":    {0.01, 0.001, 1, above},
		"fail: twice what is accepted":        {0.002, 0.001, 1, above},
		"fail: twice, with starts":            {0.002, 0.001, 0.8, above},
		"fail: slower than a bound":           {0.1, 0.05, 1, above},
		"pass: a fifth of what is accepted":   {0.0002, 0.001, 1, below},
		"pass: no errors at all, with starts": {0, 0.001, 0.8, below},
	} {
		t.Run(name, func(t *testing.T) {
			growth := evidence.ObjectiveGrowth(c.p, c.p0, c.grid)
			need := evidence.Forecast(growth, evidence.Missing(0.05, c.share, 0))
			r, size := rand.New(rand.NewPCG(5, 5)), math.Ceil(need.Requests/100)
			measured := until(151, size, 0.05, c.share, c.grid, func(logs []float64) float64 {
				l := counted(r, size, c.p, 0, 0).Canary
				for i, g := range c.grid {
					if g*c.p0 >= 1 {
						logs[i] = math.Inf(-1)
						continue
					}
					logs[i] += l.Bad*math.Log(g) + (l.Total-l.Bad)*(math.Log1p(-g*c.p0)-math.Log1p(-c.p0))
				}
				return l.Total
			})
			t.Logf("predicted %.0f, measured %.0f", need.Requests, measured)
			require.InEpsilon(t, need.Requests, measured, 0.4)
		})
	}
}

func TestWhatTheRatesDoNotContradictCannotBeDecided(t *testing.T) {
	for name, growth := range map[string]float64{
		"a canary on the margin never fails":      evidence.SplitGrowth(evidence.Rates{0.00105, 0.001, 19}, evidence.Margin{Factor: 1.05}, above),
		"a worse canary never passes":             evidence.SplitGrowth(evidence.Rates{0.002, 0.001, 19}, worst, below),
		"without delta, no errors say nothing":    evidence.SplitGrowth(evidence.Rates{0, 0, 19}, evidence.Margin{Factor: 1.5}, below),
		"without a baseline there is no ratio":    evidence.SplitGrowth(evidence.Rates{0.01, 0, 0}, worst, above),
		"an objective that is met does not fail":  evidence.ObjectiveGrowth(0.001, 0.001, above),
		"an objective just missed does not pass":  evidence.ObjectiveGrowth(0.001, 0.001, below),
		"no multiplier leaves room up to certain": evidence.ObjectiveGrowth(0.95, 0.9, above),
		"NaN":                    math.NaN(),
		"too little to ever see": 1e-18,
	} {
		t.Run(name, func(t *testing.T) {
			need := evidence.Forecast(growth, 4)
			require.False(t, need.Decidable())
			require.Equal(t, evidence.Need{}, need)
			require.Equal(t, "cannot be decided at this margin", need.String())
			_, ok := need.After(1000)
			require.False(t, ok)
		})
	}
}

func TestNothingIsMissingOnceTheThresholdIsReached(t *testing.T) {
	require.Zero(t, evidence.Missing(0.05, 0.8, math.Log(20)))
	require.InDelta(t, math.Log(20)+1, evidence.Missing(0.05, 1, 0), 1e-12)
	require.InDelta(t, math.Log(20)+1-math.Log(0.8)+2, evidence.Missing(0.05, 0.8, -2), 1e-12)
	done := evidence.Forecast(0.1, 0)
	require.True(t, done.Decidable())
	require.Zero(t, done.Requests)
	after, ok := done.After(10)
	require.True(t, ok)
	require.Zero(t, after)
}

func TestTheTimeOfANeed(t *testing.T) {
	need := evidence.Forecast(0.001, 4)
	after, ok := need.After(10)
	require.True(t, ok)
	require.Equal(t, 400*time.Second, after)
	for _, rate := range []float64{0, -1, math.NaN(), 1e-300} {
		_, ok = need.After(rate)
		require.False(t, ok, "at %v requests per second", rate)
	}
}

func TestTheSoonerVerdictIsAwaited(t *testing.T) {
	never, soon, late := evidence.Need{}, evidence.Forecast(1, 4), evidence.Forecast(0.1, 4)
	require.Equal(t, soon, evidence.Sooner(soon, late))
	require.Equal(t, soon, evidence.Sooner(late, soon))
	require.Equal(t, late, evidence.Sooner(never, late))
	require.Equal(t, late, evidence.Sooner(late, never))
	require.Equal(t, never, evidence.Sooner(never, never))
}

// Nothing that was counted yields NaN, and without one error no FAIL is foretold.
func TestAForecastOfWhateverWasCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := aLook.Draw(t, "total")
		p0 := rapid.SampledFrom([]float64{1e-9, 0.001, 0.1, 0.999}).Draw(t, "p0")
		fail := evidence.SplitGrowth(evidence.FailRates(total), evidence.Margin{Factor: 1.05}, above)
		pass := evidence.SplitGrowth(evidence.PassRates(total), worst, below)
		rate := evidence.FailRates(total).Canary
		limits := [2]float64{evidence.ObjectiveGrowth(rate, p0, above), evidence.ObjectiveGrowth(rate, p0, below)}
		for _, growth := range []float64{fail, pass, limits[0], limits[1]} {
			require.False(t, math.IsNaN(growth) || math.IsInf(growth, 0) || growth < 0)
			need := evidence.Forecast(growth, evidence.Missing(0.05, 0.8, 0))
			require.Equal(t, need.Decidable(), need.Requests > 0)
			require.Equal(t, math.Trunc(need.Requests), need.Requests)
		}
		require.False(t, limits[0] > 0 && limits[1] > 0, "one rate cannot speak for both verdicts")
		if total.Canary.Bad == 0 {
			require.Zero(t, fail)
		}
	})
}

func ExampleForecast() {
	total := evidence.Look{
		Canary:   evidence.Count{Bad: 1, Total: 1000},
		Baseline: evidence.Count{Bad: 19, Total: 19000},
	}
	grid := []float64{0.05, 0.2, 0.4, 0.6, 0.75, 0.9}
	margin := evidence.Margin{Factor: 1.5, Extra: 0.0005}
	growth := evidence.SplitGrowth(evidence.PassRates(total), margin, grid)
	need := evidence.Forecast(growth, evidence.Missing(0.05, 0.8, 0.3))
	after, ok := need.After(10)
	fmt.Println(need)
	fmt.Println(after.Round(time.Minute), ok)

	worse := evidence.PassRates(evidence.Look{
		Canary:   evidence.Count{Bad: 30, Total: 1000},
		Baseline: total.Baseline,
	})
	fmt.Println(evidence.Forecast(evidence.SplitGrowth(worse, margin, grid), 4))
	// Output:
	// about 14300 more requests
	// 24m0s true
	// cannot be decided at this margin
}

func ExampleObjectiveGrowth() {
	growth := evidence.ObjectiveGrowth(0.002, 0.001, []float64{1.2, 1.5, 2, 3, 5, 10, 30, 200})
	fmt.Println(evidence.Forecast(growth, evidence.Missing(0.05, 1, 0)))
	// Output: about 10300 more requests
}
