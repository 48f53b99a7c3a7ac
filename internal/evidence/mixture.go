package evidence

import "math"

// points is how many multipliers a mixture has room for.
const points = 16

// Grid is the multipliers over which a mixture takes the mean; from the first 0
// on, nothing counts.
type Grid [points]float64

// Multipliers returns those that count.
func (g Grid) Multipliers() []float64 { return g[:g.size()] }

// size returns how many multipliers count.
func (g *Grid) size() int {
	for i, v := range g {
		if v == 0 {
			return i
		}
	}
	return points
}

// bets is a grid with its weights. The zero value of the weights is equal ones.
type bets struct{ grid, weights Grid }

// below returns the bets on multipliers below a limit.
func (b bets) below(limit float64) bets {
	var fit bets
	size := 0
	for i, g := range b.grid[:b.grid.size()] {
		if g < limit {
			fit.grid[size], fit.weights[size] = g, b.weights[i]
			size++
		}
	}
	return fit
}

// shares returns the weights as shares of their sum.
func (b bets) shares() (shares [points]float64) {
	size, sum := b.grid.size(), 0.0
	for i := range size {
		sum += b.weights[i]
	}
	for i := range size {
		shares[i] = 1 / float64(size)
		if sum > 0 {
			shares[i] = b.weights[i] / sum
		}
	}
	return shares
}

// mixture is a process over a grid of multipliers and over starting times
// (section 2):
//
//	B(g) = S_k-1(g) + v(g) w_k
//	S_k(g) = min(e^l_k(g) B(g), e^C max(B(g), v(g)/2))    E_k = sum over g of S_k(g) + what has not started
//
// The v(g)/2 is there for a fail only (repays): a look may make good for earlier losses.
// Sums are in units of e^scale, so that they do not overflow; what underflows is nothing. E is
// at most 1e300: less evidence is evidence as well, and the unit never underflows, or shares that
// start later would be nothing.
type mixture struct {
	size        int
	grid        Grid
	logGrid     [points]float64
	shares      [points]float64 // v(g)
	sums        [points]float64 // S(g)
	unstarted   float64         // the share that later looks get
	cap, factor float64         // C, and e^C
	unit, scale float64         // unit is e^-scale
	repays      bool
}

// deepest is the nats of a look beyond which nothing is left, or more than any cap.
const deepest = 400

// leastUnit is where a unit gets no smaller.
const leastUnit = 1e-150

// newMixture returns a mixture that has not begun.
func newMixture(b bets, limit float64, repays bool) mixture {
	m := mixture{
		size: b.grid.size(), grid: b.grid, shares: b.shares(), unstarted: 1,
		cap: limit, factor: math.Exp(min(limit, deepest)), unit: 1, repays: repays,
	}
	for i := range m.size {
		m.logGrid[i] = math.Log(b.grid[i])
	}
	return m
}

// begin starts a look with its share, of which rest is left afterwards.
func (m *mixture) begin(share, rest float64) {
	m.unstarted = rest
	share *= m.unit
	for i := range m.size {
		m.sums[i] += m.shares[i] * share
	}
}

// resume loses the evidence of earlier looks, which had all but the rest of the shares.
func (m *mixture) resume(rest float64) { m.unstarted = rest }

// add multiplies the sums by e^l, as far as a look may.
func (m *mixture) add(l *[points]float64) { m.addUpTo(l, 0.5) }

// addUpTo is add for a look that may make good for so much of each stake: more than half of it where only
// a part of the bets counts.
func (m *mixture) addUpTo(l *[points]float64, stake float64) {
	sum, whole, most := 0.0, stake*m.unit*m.factor, min(m.cap, deepest)
	for i, s := range m.sums[:m.size] {
		switch l := l[i]; {
		case l < -deepest:
			s = 0
		case l <= most:
			s *= exp(l)
		default:
			limit := s * m.factor
			if half := m.shares[i] * whole; m.repays && limit < half {
				limit = min(half, s*exp(min(l, deepest)))
			}
			s = limit
		}
		m.sums[i] = s
		sum += s
	}
	for ; sum > 1e100; sum *= 1e-100 {
		if m.unit > leastUnit {
			m.unit *= 1e-100
			m.scale += 100 * math.Ln10
		}
		for i := range m.size {
			m.sums[i] *= 1e-100
		}
	}
}

// logE returns ln E.
func (m *mixture) logE() float64 {
	if m.size == 0 {
		return 0
	}
	sum := m.unstarted * m.unit
	for _, s := range m.sums[:m.size] {
		sum += s
	}
	return m.scale + ln(max(sum, 1e-300))
}

// clock counts looks into blocks and says what share of the evidence starts with each look. After
// k looks there is left for all later ones
//
//	(1 - first) / (1 + (k-1)/planned)
type clock struct {
	length  int     // looks of a block
	planned float64 // looks until half of the rest has started
	first   float64 // share of the first look
	looks   int     // of the present block
	all     float64 // looks
}

// tick counts a look; step begins a new block early. It tells whether a block begins, what share
// of the evidence starts, and what is left for later looks.
func (c *clock) tick(step bool) (begins bool, share, rest float64) {
	begins = c.all == 0 || c.looks >= c.length || step
	if begins {
		c.looks = 0
	}
	c.looks++
	before := c.left()
	c.all++
	rest = c.left()
	return begins, before - rest, rest
}

// resume counts looks that nobody has any more.
func (c *clock) resume(looks int) float64 {
	c.all = float64(max(0, looks))
	return c.left()
}

// left returns the share of the looks to come.
func (c *clock) left() float64 {
	if c.all == 0 {
		return 1
	}
	return (1 - c.first) / (1 + (c.all-1)/c.planned)
}
