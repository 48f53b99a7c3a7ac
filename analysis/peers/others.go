package peers

import (
	"fmt"
	"math"
	"slices"
)

// CLES returns the common language effect size: the probability that a value drawn from x
// is greater than one drawn from y, where equal values count half. It is U/(n m), and 0.5
// for arms that are alike (Vargha and Delaney, 2000). The error is ErrEmpty or
// ErrNotFinite.
func CLES(x, y []float64) (float64, error) {
	p, err := pool(x, y)
	if err != nil {
		return 0, err
	}
	return p.u() / p.pairs(), nil
}

// MeanRatio returns the mean of x divided by the mean of y. ok is false if there is no
// ratio: if either mean is zero, as in Kayenta, or if the ratio overflows. The error is
// ErrEmpty or ErrNotFinite.
func MeanRatio(x, y []float64) (ratio float64, ok bool, err error) {
	if _, err := pool(x, y); err != nil {
		return 0, false, err
	}
	above, below := mean(x), mean(y)
	ratio = above / below
	if above == 0 || below == 0 || math.IsInf(ratio, 0) {
		return 0, false, nil
	}
	return ratio, true, nil
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v / float64(len(values))
	}
	return sum
}

// Percentile returns the value below which p percent of the values are, with linear
// interpolation between neighbours, for p from 0 to 100. This is rule R-7 of Hyndman and
// Fan, 1996, as in Kayenta, R and numpy. The error is ErrEmpty, ErrNotFinite or ErrLevel.
func Percentile(values []float64, p float64) (float64, error) {
	if err := checkValues("values", values); err != nil {
		return 0, err
	}
	if !(0 <= p && p <= 100) {
		return 0, fmt.Errorf("%w: percentile %v", ErrLevel, p)
	}
	sorted := slices.Sorted(slices.Values(values))
	whole, part := math.Modf(float64(len(sorted)-1) * p / 100)
	low := sorted[int(whole)]
	high := sorted[min(int(whole)+1, len(sorted)-1)]
	return low + part*(high-low), nil
}

// PooledZ compares two shares at one look: x of n with y of m. z is the difference in
// units of its standard deviation if both shares are equal. p is the probability of a
// difference this large or larger in that case. If nothing can be said (an arm without
// requests, no bad requests, only bad ones, invalid counts), z is 0 and p is 0.5.
func PooledZ(x, n, y, m float64) (z, p float64) {
	ok := 0 <= x && x <= n && 0 <= y && y <= m && n > 0 && m > 0 && !math.IsInf(n+m, 1)
	share := (x + y) / (n + m)
	variance := share * (1 - share) * (1/n + 1/m)
	if !ok || !(variance > 0) || math.IsInf(variance, 1) {
		return 0, 0.5
	}
	z = (x/n - y/m) / math.Sqrt(variance)
	return z, upper(z)
}

// MSPRT returns the logarithm of the evidence for a difference of two means, after n
// pairs whose mean difference is diff. It is the mixture sequential probability ratio
// test (Johari, Koomen, Pekelis and Walsh, 2017). sigma2 is the known variance of one
// value, and tau2 the variance of the expected differences.
//
//	ln E = -ln(1 + n tau2/(2 sigma2))/2 + n^2 tau2 diff^2/(4 sigma2 (2 sigma2 + n tau2))
//
// It is valid at any number of looks: the probability that it ever passes ln(1/alpha)
// without a difference is at most alpha. It is 0, no evidence, if n, sigma2 or tau2 is
// not above zero.
func MSPRT(n, diff, sigma2, tau2 float64) float64 {
	if !(n > 0 && sigma2 > 0 && tau2 > 0) {
		return 0
	}
	signal := n * tau2 / (2 * sigma2)
	shrink := 1 / (1 + 1/signal) // n tau2/(2 sigma2 + n tau2)
	logE := shrink*n/(4*sigma2)*diff*diff - math.Log1p(signal)/2
	if math.IsNaN(logE) {
		return 0
	}
	return logE
}

// AsymptoticCS returns half the width of an asymptotic confidence sequence for a mean,
// after n observations with standard deviation sd. The sequence is narrowest at tStar
// observations (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, arXiv 2103.06476,
// eq. 9):
//
//	sd sqrt( 2 (n rho^2 + 1) / (n rho)^2 ln( sqrt(n rho^2 + 1) / alpha ) )
//	rho^2 = (2 ln(1/alpha) + ln(1 + 2 ln(1/alpha))) / tStar
//
// It is valid at any number of looks, but only for large n.
func AsymptoticCS(n, sd, tStar, alpha float64) float64 {
	l := -2 * math.Log(alpha)
	rho2 := (l + math.Log1p(l)) / tStar
	return sd / n * math.Sqrt((n+1/rho2)*(math.Log1p(n*rho2)+l))
}
