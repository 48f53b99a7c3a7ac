package evidence

import "math"

// LogAbsolute returns the log factor of one look against a constant (section 3
// of the package documentation): x bad of n where p0 are allowed,
//
//	ln L = x ln g + (n-x) (ln(1 - g p0) - ln(1-p0))
//
// It is a likelihood ratio, so its expectation is at most 1 while the rate of
// bad requests keeps p0 (g > 1) or does not (g < 1). It is 0 if g p0 is not
// below 1.
func LogAbsolute(c Count, p0, g float64) float64 {
	if p0 <= 0 || p0 >= 1 || g*p0 >= 1 {
		return 0
	}
	return newAbsolute(p0, g).factor(c.clean())
}

// absolute holds the logs of a multiplier: of a bad and of a good request.
type absolute struct{ bad, good float64 }

func newAbsolute(p0, g float64) absolute {
	return absolute{bad: math.Log(g), good: math.Log1p(-g*p0) - math.Log1p(-p0)}
}

func (a absolute) factor(c Count) float64 {
	return c.Bad*a.bad + (c.Total-c.Bad)*a.good
}
