package evidence

import (
	"fmt"
	"math"
	"time"
)

// gridPrice is what mixing a grid of multipliers costs, compared with knowing the
// best one: 0.5 to 1 nat by measurement, so forecasts add 1.
const gridPrice = 1

// Need is how much is missing until a verdict. The zero value means that it cannot
// be decided.
type Need struct {
	// Growth is what a canary request adds to the log evidence, on average, in
	// nats. Zero: the rates as they are do not speak for this verdict.
	Growth float64
	// Requests is how many more canary requests are needed, a whole number. About:
	// half of the rollouts need more.
	Requests float64
}

// Forecast returns how many requests it takes to gain the nats (Missing) at a
// growth (SplitGrowth, ObjectiveGrowth):
//
//	N = ceil(nats / growth)
//
// Where a dispersion tempers the evidence, the growth is to be divided by it. A
// growth of zero or less, or one so small that no traffic is enough (1e15
// requests), gives the zero Need.
func Forecast(growth, nats float64) Need {
	requests := math.Ceil(max(nats, 0) / growth)
	if !(growth > 0) || !(requests <= 1e15) {
		return Need{}
	}
	return Need{Growth: growth, Requests: requests}
}

// Missing returns how many nats separate the log evidence from its threshold
// ln(1/level), with 1 nat for the price of the grid, or 0 if the threshold is
// reached. Share is the part of the evidence that bets on the start of the rollout
// (or of a single start: 1); before anything is known, only it grows, which costs
// -ln share.
//
//	ln(1/level) + 1 - ln share - ln E
func Missing(level, share, logE float64) float64 {
	if logE >= -math.Log(level) {
		return 0
	}
	return -math.Log(level) + gridPrice - math.Log(share) - logE
}

// Decidable tells whether the verdict comes at all if the rates stay as they are.
func (n Need) Decidable() bool { return n.Growth > 0 }

// After returns the time until the verdict at a number of canary requests per
// second, and false when there is no such time: not decidable, no traffic, or
// longer than a Duration holds (292 years). Where every look is capped at C nats,
// at least (missing nats)/C looks pass, whatever the traffic.
func (n Need) After(perSecond float64) (time.Duration, bool) {
	nanoseconds := n.Requests / perSecond * float64(time.Second)
	if !n.Decidable() || !(perSecond > 0) || !(nanoseconds < math.MaxInt64) {
		return 0, false
	}
	return time.Duration(nanoseconds), true
}

// String says "about 13400 more requests" or "cannot be decided at this margin".
func (n Need) String() string {
	switch {
	case !n.Decidable():
		return "cannot be decided at this margin"
	case n.Requests == 1:
		return "about 1 more request"
	}
	return fmt.Sprintf("about %.0f more requests", rounded(n.Requests))
}

// rounded keeps three digits: a forecast is not more exact.
func rounded(v float64) float64 {
	if v < 1000 {
		return v
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-2)
	return math.Round(v/unit) * unit
}

// Sooner returns the Need that is met first: of FAIL and PASS, whichever comes.
func Sooner(a, b Need) Need {
	if !b.Decidable() || a.Decidable() && a.Requests <= b.Requests {
		return a
	}
	return b
}

// Rates is what a forecast assumes of the requests to come: the error rates of
// both arms, and Ratio baseline requests for each canary request.
type Rates struct{ Canary, Baseline, Ratio float64 }

// FailRates returns the rates to forecast FAIL with, from the sum of looks: each
// arm's own as it was seen. They are not smoothed: half an error added to both
// arms would foretell a FAIL to a small canary without any. An arm without requests
// has rate 0; without canary requests the Ratio is 0 too, and nothing can be
// forecast unless it is set to that of the planned split.
func FailRates(total Look) Rates {
	c, b := total.clean().Canary, total.clean().Baseline
	return Rates{over(c.Bad, c.Total), over(b.Bad, b.Total), over(b.Total, c.Total)}
}

// PassRates returns the rates to forecast PASS with: those of FailRates, but the
// canary is taken to be as good as both arms together.
func PassRates(total Look) Rates {
	r := FailRates(total)
	c, b := total.clean().Canary, total.clean().Baseline
	r.Canary = over(c.Bad+b.Bad, c.Total+b.Total)
	return r
}

func over(count, n float64) float64 {
	if n == 0 {
		return 0
	}
	return count / n
}

// SplitGrowth is what a canary request adds to the log evidence of the test of
// errors against a baseline (section 2), on average, at the best multiplier g of the grid
// (all above 1: FAIL, all below 1: PASS):
//
//	growth(g) = p_c ln g - (p_c + R p_b) ln(1+d) - delta (a-1)
//
// with the rates p_c, p_b, R baseline requests per canary request, theta = rho/(rho+R),
// d = theta (g-1), a-1 = (g-1)(1-theta)/(1+d). It is zero or less if the rates do
// not contradict p_c <= rho p_b + delta (for PASS: p_c >= rho p_b + delta).
func SplitGrowth(r Rates, m Margin, grid []float64) float64 {
	return best(grid, func(g float64) float64 { return splitGrowth(r, m, g) })
}

func splitGrowth(r Rates, m Margin, g float64) float64 {
	theta := m.Factor / (m.Factor + r.Ratio)
	d := theta * (g - 1)
	a1 := (g - 1) * (1 - theta) / (1 + d)
	return r.Canary*math.Log(g) - (r.Canary+r.Ratio*r.Baseline)*math.Log1p(d) - m.Extra*a1
}

// ObjectiveGrowth is what a request adds to the log evidence of the test of errors
// against a constant (section 3), on average, if a share p of the requests is bad
// and p0 is accepted, at the best multiplier of the grid:
//
//	growth(g) = p ln g + (1-p) (ln(1 - g p0) - ln(1 - p0))
//
// Multipliers with g p0 >= 1 are left out. The best g is p/p0, where growth is the
// Kullback-Leibler divergence of p from p0.
func ObjectiveGrowth(p, p0 float64, grid []float64) float64 {
	return best(grid, func(g float64) float64 { return objectiveGrowth(p, p0, g) })
}

func objectiveGrowth(p, p0, g float64) float64 {
	if !(g*p0 < 1) {
		return math.Inf(-1)
	}
	return p*math.Log(g) + (1-p)*(math.Log1p(-g*p0)-math.Log1p(-p0))
}

// best is the largest growth of the grid, and 0 if none is positive.
func best(grid []float64, growth func(g float64) float64) float64 {
	most, _ := bestOf(grid, growth)
	return most
}

// bestOf is best, with its multiplier.
func bestOf(grid []float64, growth func(g float64) float64) (most, of float64) {
	for _, g := range grid {
		if v := growth(g); v > most {
			most, of = v, g
		}
	}
	return most, of
}
