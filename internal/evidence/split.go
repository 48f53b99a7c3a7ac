package evidence

import "math"

// LogSplit returns the log factor of one look of the Poisson-split process
// (section 2 of the package documentation): x bad of n in the canary against y
// of m in the baseline,
//
//	theta = rho n / (rho n + m)    d = theta (g-1)    a-1 = (g-1)(1-theta)/(1+d)
//	ln L  = x ln g - (x+y) ln(1+d) - n delta (a-1)
//
// With g > 1 its expectation is at most 1 while the canary keeps the margin,
// with 0 < g < 1 while it does not. It is the rare-event limit of Turner and
// Grünwald's e-variable (arXiv 2203.09785).
func LogSplit(l Look, m Margin, g float64) float64 {
	s := newSplit(l.clean(), m)
	return s.factor(g, math.Log(g))
}

// split is what the log factors of one look have in common.
type split struct {
	bad    float64 // x
	events float64 // x+y
	theta  float64 // the canary's share of the events, on the margin
	slack  float64 // n delta (1-theta): of the bad requests that delta allows
}

func newSplit(l Look, m Margin) split {
	weight := m.Factor * l.Canary.Total
	if weight == 0 {
		return split{}
	}
	theta := weight / (weight + l.Baseline.Total)
	return split{
		bad:    l.Canary.Bad,
		events: l.Canary.Bad + l.Baseline.Bad,
		theta:  theta,
		slack:  l.Canary.Total * m.Extra * (1 - theta),
	}
}

// tempered returns the look with log factors multiplied by a power.
func (s split) tempered(power float64) split {
	return split{bad: s.bad * power, events: s.events * power, theta: s.theta, slack: s.slack * power}
}

// factors puts the log factors of multipliers into l. It wants the logarithms of the multipliers
// too.
func (s *split) factors(grid, logs, l []float64) {
	logs, l = logs[:len(grid)], l[:len(grid)]
	for i, g := range grid {
		l[i] = s.factor(g, logs[i])
	}
}

// factor is the log factor of a multiplier with its logarithm.
func (s *split) factor(g, log float64) float64 {
	d := s.theta * (g - 1)
	l := s.bad*log - s.events*ln(1+d)
	if s.slack != 0 {
		l -= s.slack * (g - 1) / (1 + d)
	}
	return l
}

// expected returns how many bad requests the margin gives to the canary when
// both arms have this many.
func (s split) expected(events float64) float64 {
	return events*s.theta + s.slack
}
