package evidence_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBetaBinomialMixtureIsAnEValueOfCoins(t *testing.T) {
	for _, oneSided := range []bool{false, true} {
		for _, p := range []float64{0.02, 0.3, 0.8} {
			for _, n := range []float64{1, 40, 300} {
				mean := 0.0
				for x := 0.0; x <= n; x++ {
					log := betaBinomialMixture(x-n*p, n*p*(1-p), 50, p, 1-p, 0.05, oneSided)
					mean += math.Exp(logBinomial(x, n, p) + log)
				}
				require.InDelta(t, 1, mean, 1e-9, "p %v, n %v, one-sided %v", p, n, oneSided)
			}
		}
	}
}

func TestTheGammaPoissonMixtureIsAnEValueOfCounts(t *testing.T) {
	for _, mean := range []float64{0.5, 10, 200} {
		sum := 0.0
		for x := 0.0; x < 10*mean+60; x++ {
			factorial, _ := math.Lgamma(x + 1)
			sum += math.Exp(x*math.Log(mean) - mean - factorial +
				gammaPoissonMixture(x-mean, mean, 30, 1, 0.05))
		}
		require.InDelta(t, 1, sum, 1e-6, "mean %v", mean)
	}
}

func TestTheNormalMixturesAreEValuesOfASum(t *testing.T) {
	const v, step = 40.0, 0.01
	rho := normalRho(100, 0.05)
	two, one := 0.0, 0.0
	for s := -150.0; s <= 150; s += step {
		density := math.Exp(-s*s/(2*v)) / math.Sqrt(2*math.Pi*v) * step
		two += density * math.Exp(normalMixture(s, v, rho))
		one += density * math.Exp(oneSidedNormalMixture(s, v, rho))
	}
	require.InDelta(t, 1, two, 1e-6)
	require.InDelta(t, 1, one, 1e-6)
	require.InDelta(t, -math.Log(0.05), normalMixture(normalBound(v, rho, 0.05), v, rho), 1e-12)
}

func TestBettingOnAFairMeanGainsNothing(t *testing.T) {
	r, sum := rand.New(rand.NewPCG(1, 1)), 0.0
	const runs = 20000
	for range runs {
		x := make([]float64, 8)
		for i := range x {
			if r.Float64() < 0.4 {
				x[i] = 1
			}
		}
		sum += bets(x, 0.4, 0.05, 0.5)[7]
	}
	require.InDelta(t, 1, sum/runs, 0.1)
	require.Empty(t, bets(nil, 0.4, 0.05, 0.5))
}

func TestABandForAllLooksIsWiderThanOneForASingleLook(t *testing.T) {
	for _, alpha := range []float64{0.01, 0.05, 0.2} {
		for _, n := range []float64{100, 1000, 1e6} {
			fixed := fixedDKW(n, alpha)
			tuned, c := tunedDKW(n, 100, alpha, 0.85)
			require.Greater(t, tuned, fixed)
			require.Greater(t, closedDKW(n, alpha), fixed)
			require.Positive(t, c)
		}
	}
	early, _ := tunedDKW(99, 100, 0.05, 0.85)
	require.Equal(t, math.Inf(1), early)
}

func TestAConfidenceSequenceOfAShareHoldsIt(t *testing.T) {
	for _, x := range []float64{0, 1, 25, 49, 50} {
		lower, upper := howardCS(x, 50, 0.05, 50)
		require.LessOrEqual(t, lower, x/50)
		require.GreaterOrEqual(t, upper, x/50)
		mirroredLower, mirroredUpper := howardCS(50-x, 50, 0.05, 50)
		require.InDelta(t, lower, 1-mirroredUpper, 1e-9)
		require.InDelta(t, upper, 1-mirroredLower, 1e-9)
		wideLower, wideUpper := howardCS(x, 50, 0.001, 50)
		require.LessOrEqual(t, wideLower, lower)
		require.GreaterOrEqual(t, wideUpper, upper)
	}
}
