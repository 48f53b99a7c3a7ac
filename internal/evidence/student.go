package evidence

import "math"

// LogT returns the log evidence of a Student statistic t of n values against
// their mean being zero, with a normal mixture whose prior is worth g values
// (section 6 of the package documentation):
//
//	r    = g/(g+n)    nu = n-1
//	ln E = ln(r)/2 + (nu+1)/2 (ln(1 + t^2/nu) - ln(1 + r t^2/nu))
//
// It is exact at any time for independent normal values of unknown variance
// (Wang and Ramdas, arXiv 2310.03722; Lindon et al., arXiv 2210.08589). It is 0
// for n of 1 or less. An infinite t has its finite limit.
func LogT(t, n, g float64) float64 {
	nu := n - 1
	if !(nu > 0) {
		return 0
	}
	logR := math.Log(g / (g + n))
	square := t * t / nu
	gain := -logR
	if !math.IsInf(square, 1) {
		gain = math.Log1p(square) - math.Log1p(square*g/(g+n))
	}
	return logR/2 + (nu+1)/2*gain
}
