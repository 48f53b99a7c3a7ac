package evidence

import "math"

// Looks is what looks add to the log evidence in all: on average, and the second and third moment
// around that. The zero value is of none.
type Looks struct{ Mean, Square, Third float64 }

// Add adds so many looks of a Pace.
func (l Looks) Add(looks float64, p Pace) Looks {
	return Looks{l.Mean + looks*p.Mean, l.Square + looks*p.Deviation*p.Deviation, l.Third + looks*p.Third}
}

// Chance is that of the function [Chance], corrected for what few bad requests do: most rollouts have
// more evidence than the mean, and none has much more (the first term of Edgeworth's series).
//
//	Chance + T/(6 V^3/2) (z^2-1) phi(z)    z = (a-M)/sqrt V
func (l Looks) Chance(nats float64) float64 {
	chance, deviation := Chance(nats, l.Mean, math.Sqrt(l.Square)), math.Sqrt(l.Square)
	if chance == 0 || chance == 1 || deviation == 0 {
		return chance
	}
	z := (nats - l.Mean) / deviation
	density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	return min(1, max(0, chance+l.Third/(6*l.Square*deviation)*(z*z-1)*density))
}

// MostOpen is how many looks a look waits for until both arms have been read.
const MostOpen = 5

// Thin is the part of a [Pace] that is left if the looks have so many requests on average only, n of the
// canary and m of the baseline. What a look says grows with nm/(rho n + m), of which the mean is less
// than that of the means. An arm without requests says nothing; a look waits for it.
func (m Margin) Thin(canary, baseline float64) (part float64) {
	if !(canary > 0 && baseline > 0) {
		return 1
	}
	looks := 0.0 // until both arms have requests
	for k := range MostOpen {
		without, alone := math.Exp(-float64(k)*canary), math.Exp(-float64(k)*baseline)
		looks += without + alone - without*alone
	}
	says := func(x, y float64) float64 { return x * y / (m.Factor*x + y) }
	canary, baseline = looks*canary, looks*baseline
	for _, x := range poisson(canary) {
		for _, y := range poisson(baseline) {
			if x.count > 0 && y.count > 0 {
				part += x.chance * y.chance * says(x.count, y.count)
			}
		}
	}
	return part / says(canary, baseline)
}

// counted is a number of requests, and how probable it is.
type counted struct{ count, chance float64 }

// poisson lists the numbers of requests that are so many on average. Of many it is the average alone.
func poisson(mean float64) []counted {
	if mean > 40 {
		return []counted{{mean, 1}}
	}
	all := []counted{{0, math.Exp(-mean)}}
	for i := 1.0; i < 100; i++ {
		all = append(all, counted{i, all[len(all)-1].chance * mean / i})
	}
	return all
}
