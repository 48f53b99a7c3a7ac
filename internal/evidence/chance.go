package evidence

import "math"

// Pace is what a usual look adds to the log evidence for a pass: on average, and with which
// standard deviation (section 10).
type Pace struct{ Mean, Deviation float64 }

// PassPace forecasts the looks of an [ErrorTest] with so many canary requests each, at the rates r. It
// is zero if such rates do not speak for a pass.
func (s Settings) PassPace(r Rates, requests float64) Pace {
	m := s.Pass
	growth, g := bestOf(s.PassGrid.Multipliers(), func(g float64) float64 { return splitGrowth(r, m, g) })
	if growth == 0 || !(requests > 0) {
		return Pace{}
	}
	theta := m.Factor / (m.Factor + r.Ratio)
	events := requests * (r.Canary + r.Ratio*r.Baseline)
	expected := events*theta + requests*m.Extra*(1-theta)
	phi := s.EventsPerCause + s.tau()*s.tau()*float64(s.Block)*expected*(1-theta)
	other := math.Log1p(theta * (g - 1))
	bad := math.Log(g) - other
	square := requests * (r.Canary*bad*bad + r.Ratio*r.Baseline*other*other)
	return Pace{requests * growth / phi, math.Sqrt(square) / phi}
}

// Chance returns how probable it is that looks with a mean and a standard deviation in all bring
// so many nats at some time: the first passage of a Brownian motion with drift.
//
//	Phi((M-a)/sqrt V) + exp(2 M a/V) Phi((-M-a)/sqrt V)
func Chance(nats, mean, deviation float64) float64 {
	switch {
	case !(mean > 0):
		return 0
	case deviation == 0 && mean >= nats:
		return 1
	case deviation == 0:
		return 0
	}
	later := -(mean + nats) / deviation
	return min(1, normal((mean-nats)/deviation)+math.Exp(2*mean*nats/(deviation*deviation)+logNormal(later)))
}

// normal is the distribution function of the normal distribution.
func normal(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// logNormal is its logarithm for z below 0, also where it underflows.
func logNormal(z float64) float64 {
	if z > -30 {
		return math.Log(normal(z))
	}
	s := z * z
	return -s/2 - math.Log(-z*math.Sqrt(2*math.Pi)) + math.Log1p(-1/s+3/(s*s)-15/(s*s*s))
}
