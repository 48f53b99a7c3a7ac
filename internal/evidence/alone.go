package evidence

import "math"

// recall is how many looks the baseline is remembered for: an hour.
const recall = 240

// past is what the baseline did in about the last hour in which it had requests.
type past struct{ Count }

func (p *past) add(c Count) {
	if c.Total == 0 {
		return
	}
	const keep = 1 - 1./recall
	p.Bad, p.Total = keep*p.Bad+c.Bad, keep*p.Total+c.Total
}

// or returns the past, or another count if there is none.
func (p *past) or(other Count) Count {
	if p.Total == 0 {
		return other
	}
	return p.Count
}

// Allowed returns the share of bad requests that a canary may have which is alone: the margin
// from an upper confidence limit of 99 % of the baseline's rate, as c has it, at most the given
// one. It is false if the baseline is not known, or may itself have more than that.
//
//	upper = (sqrt(y+1) + 1.2)^2 / m    p0 = min(rho upper + delta, most)
func Allowed(c Count, m Margin, most float64) (p0 float64, known bool) {
	if c = c.clean(); c.Total == 0 {
		return 0, false
	}
	root := math.Sqrt(c.Bad+1) + 1.2
	upper := root * root / c.Total
	return min(m.of(upper), most), upper < most
}

// The most that may be allowed: of errors, and of slow requests, which are not rare.
const (
	mostBad  = 0.5
	mostSlow = 0.95
)

// aloneFactors are the log factors of a look of the canary by itself against p0, to a power. The
// multipliers are those of its rate or, with odds, of its odds.
func (m *mixture) aloneFactors(c Count, p0, power float64, odds bool) (l [points]float64) {
	for i, g := range m.grid[:m.size] {
		l[i] = aloneFactor(c, g, p0, power, odds)
	}
	return l
}

// possible is the part of the stake on multipliers of p0 that are no more than certainty.
func (m *mixture) possible(p0 float64) (part float64) {
	for i, g := range m.grid[:m.size] {
		if g*p0 < 1 {
			part += m.shares[i]
		}
	}
	return part
}

// aloneFactor is that of one multiplier; 0 if it is more than certainty.
func aloneFactor(c Count, g, p0, power float64, odds bool) float64 {
	t := g * p0
	if odds {
		t /= 1 - p0 + t
	}
	if t >= 1 {
		return 0
	}
	return power * (c.Bad*math.Log(t/p0) + (c.Total-c.Bad)*(math.Log1p(-t)-math.Log1p(-p0)))
}
