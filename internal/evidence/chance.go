package evidence

import "math"

// Pace is what a usual look adds to the log evidence for a verdict: on average, with which
// standard deviation, and the third moment around the average (section 10), zero if it is not known.
type Pace struct{ Mean, Deviation, Third float64 }

// PassPace forecasts the looks of an [ErrorTest] with so many canary requests each, at the rates r. It
// is zero if such rates do not speak for a pass.
func (s Settings) PassPace(r Rates, requests float64) Pace {
	return s.pace(s.Pass, s.PassGrid, r, requests)
}

// FailPace is PassPace for a fail, at the rates of a bad canary. A look adds [Settings.LookCap] at
// most, however great the Pace is.
func (s Settings) FailPace(r Rates, requests float64) Pace {
	return s.pace(s.Fail, s.FailGrid, r, requests)
}

func (s Settings) pace(m Margin, grid Grid, r Rates, requests float64) Pace {
	growth, g := bestOf(grid.Multipliers(), func(g float64) float64 { return splitGrowth(r, m, g) })
	theta := m.Factor / (m.Factor + r.Ratio)
	other := math.Log1p(theta * (g - 1))
	bad := math.Log(g) - other
	square := r.Canary*bad*bad + r.Ratio*r.Baseline*other*other
	third := r.Canary*bad*bad*bad - r.Ratio*r.Baseline*other*other*other
	events := requests * (r.Canary + r.Ratio*r.Baseline)
	expected := events*theta + requests*m.Extra*(1-theta)
	return s.paced(requests, growth, square, third, expected*(1-theta))
}

// ConstantPass and ConstantFail are PassPace and FailPace against a constant p0, at the canary's rate p:
// for an [SLOTest], and for a canary without a baseline beside it ([Allowed]).
func (s Settings) ConstantPass(p, p0, requests float64) Pace {
	return s.constant(s.PassGrid, p, p0, requests)
}

// ConstantFail is ConstantPass for a fail.
func (s Settings) ConstantFail(p, p0, requests float64) Pace {
	return s.constant(s.FailGrid, p, p0, requests)
}

func (s Settings) constant(grid Grid, p, p0, requests float64) Pace {
	growth, g := bestOf(grid.Multipliers(), func(g float64) float64 { return objectiveGrowth(p, p0, g) })
	a := newAbsolute(p0, g)
	return s.paced(requests, growth, p*(1-p)*(a.bad-a.good)*(a.bad-a.good), 0, requests*p0)
}

// LatencyPass is PassPace for one bound of a [LatencyTest], which a share p of the requests to both arms
// exceeds. The square of the deviation is twice the growth, as of any likelihood ratio of two close rates.
func (s Settings) LatencyPass(p, ratio, requests float64) Pace {
	growth := projectionGrowth(Rates{p, p, ratio}, s.Pass, s.PassGrid.Multipliers())
	q := s.Pass.odds(p)
	return s.paced(requests, growth, 2*growth, 0, q*(1-q)*requests*ratio/(1+ratio))
}

// paced is the Pace of looks whose requests add the growth with the square of its deviation and its
// third moment, tempered for the noise of so many events.
func (s Settings) paced(requests, growth, square, third, events float64) Pace {
	if growth == 0 || !(requests > 0) {
		return Pace{}
	}
	phi := s.EventsPerCause + s.tau()*s.tau()*float64(s.Block)*events
	return Pace{requests * growth / phi, math.Sqrt(requests*square) / phi, requests * third / (phi * phi * phi)}
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
