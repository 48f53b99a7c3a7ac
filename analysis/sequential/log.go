package sequential

import "math"

// near is how far from 0 the series of 2 artanh(z) is exact: quotients between
// 0.9 and 1.1, as most of them are.
const near = 0.05

// logQuotient returns ln(a/b). Near 1 it takes the series, which is faster, and
// more exact as the quotient is not rounded: that matters with millions of
// requests.
func logQuotient(a, b float64) float64 {
	z := (a - b) / (a + b)
	if z > near || z < -near {
		return math.Log(a / b)
	}
	return artanh2(z)
}

// log1p returns ln(1+d).
func log1p(d float64) float64 {
	z := d / (2 + d)
	if z > near || z < -near {
		return math.Log(1 + d) // far enough from 1 for the rounding of the sum not to matter
	}
	return artanh2(z)
}

// artanh2 returns 2 artanh(z), which is ln((1+z)/(1-z)).
func artanh2(z float64) float64 {
	s := z * z
	return 2 * z * (1 + s*(1./3+s*(1./5+s*(1./7+s*(1./9+s*(1./11+s*(1./13)))))))
}
