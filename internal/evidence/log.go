package evidence

import "math"

// Each look takes a logarithm and an exponential for each multiplier, which is
// most of a test's time. ln and exp take half the time of those in package math:
// a table gives the answer for a number close by, a short series the rest.

// fraction is the part of a float64's bits below its exponent.
const fraction = 1<<52 - 1

// threeQuarters is the bits of 0.75: ln takes a number apart into a power of 2
// and a factor between 0.75 and 1.5, so that nothing cancels near 1.
const threeQuarters = 0x3fe8000000000000

// near is a factor with what ln needs to know of it.
type near struct{ factor, inverse, log float64 }

var nears = func() (all [257]near) {
	for i := range all {
		factor := math.Float64frombits(threeQuarters + uint64(i)<<44)
		all[i] = near{factor, 1 / factor, math.Log(factor)}
	}
	return all
}()

// ln returns the logarithm of a positive number that is neither infinite nor
// below the least normal float64, to 1e-15 of it or of 1.
func ln(x float64) float64 {
	bits := math.Float64bits(x) - threeQuarters
	at := &nears[(bits&fraction+1<<43)>>44]
	r := (math.Float64frombits(bits&fraction+threeQuarters) - at.factor) * at.inverse
	return float64(int64(bits)>>52)*math.Ln2 + at.log +
		(r + r*r*((r*(1./3)-1./2)+r*r*(r*(1./5)-1./4)))
}

// roots are the powers of 2 with exponents 0, 1/64, 2/64...
var roots = func() (all [64]float64) {
	for i := range all {
		all[i] = math.Exp2(float64(i) / 64)
	}
	return all
}()

// exp returns e^x for x between -700 and 700, to 1e-13 of it.
func exp(x float64) float64 {
	const round = 1.5 * (1 << 52) // to add it rounds to a whole number, which is then in the last bits
	n := x*(64/math.Ln2) + round
	bits := math.Float64bits(n)
	r := x - (n-round)*(math.Ln2/64)
	power := math.Float64frombits((bits>>6 + 1023) << 52)
	return power * roots[bits&63] * (1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120))))))
}
