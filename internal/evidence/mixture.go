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

// shares returns the logarithms of the weights as shares of their sum.
func (b bets) shares() (logs [points]float64) {
	size, sum := b.grid.size(), 0.0
	for i := range size {
		sum += b.weights[i]
	}
	for i := range size {
		logs[i] = -math.Log(float64(size))
		if sum > 0 {
			logs[i] = math.Log(b.weights[i] / sum)
		}
	}
	return logs
}

// mixture is a process over a grid of multipliers and over starting times
// (section 2):
//
//	S_k(g) = e^l_k(g) (S_k-1(g) + v(g) w_k)    E_k = sum over g of S_k(g) + what has not started
//
// The sums are kept as logarithms: many looks neither overflow nor underflow.
type mixture struct {
	size      int
	grid      Grid
	logGrid   [points]float64
	shares    [points]float64 // ln v(g)
	sums      [points]float64 // ln S(g)
	unstarted float64         // the share that later blocks get
	cap       float64         // most that one look may add
}

// newMixture returns a mixture that has not begun.
func newMixture(b bets, limit float64) mixture {
	m := mixture{size: b.grid.size(), grid: b.grid, shares: b.shares(), unstarted: 1, cap: limit}
	for i := range m.size {
		m.logGrid[i], m.sums[i] = math.Log(b.grid[i]), math.Inf(-1)
	}
	return m
}

// begin starts a block with its share, of which rest is left afterwards.
func (m *mixture) begin(share, rest float64) {
	m.unstarted = rest
	if share == 0 {
		return
	}
	log := math.Log(share)
	for i := range m.size {
		m.sums[i] = logAdd(m.sums[i], m.shares[i]+log)
	}
}

// add multiplies the sum of multiplier i by e^l.
func (m *mixture) add(i int, l float64) {
	if l > m.cap {
		l = m.cap
	}
	m.sums[i] += l
}

// logE returns ln E.
func (m *mixture) logE() float64 {
	if m.size == 0 {
		return 0
	}
	top := math.Inf(-1)
	for _, s := range m.sums[:m.size] {
		if s > top {
			top = s
		}
	}
	if m.unstarted > 0 && top < 0 {
		top = 0
	}
	sum := 0.0
	for _, s := range m.sums[:m.size] {
		if s -= top; s > -40 { // less than that is lost in the sum
			sum += exp(s)
		}
	}
	if m.unstarted > 0 {
		sum += m.unstarted * exp(max(-top, -700))
	}
	return top + ln(sum)
}

// logAdd returns ln(e^a + e^b) for a finite b.
func logAdd(a, b float64) float64 {
	top, low := max(a, b), min(a, b)
	if low-top < -40 {
		return top
	}
	return top + math.Log1p(math.Exp(low-top))
}

// clock counts looks into blocks and says what share of the evidence starts.
type clock struct {
	length  int     // looks of a block
	planned int     // blocks among which the shares are divided
	first   float64 // share of the first block
	looks   int     // of the present block
	blocks  int     // begun
}

// tick counts a look; step begins a new block early. If a block begins, it has
// a share, and rest is what is left for later ones.
func (c *clock) tick(step bool) (begins bool, share, rest float64) {
	if c.blocks > 0 && c.looks < c.length && !step {
		c.looks++
		return false, 0, 0
	}
	before := c.left()
	c.looks = 1
	c.blocks++
	rest = c.left()
	return true, max(before-rest, 0), rest
}

// left returns the share of the blocks that have not begun.
func (c *clock) left() float64 {
	switch {
	case c.blocks == 0:
		return 1
	case c.blocks >= c.planned:
		return 0
	}
	return (1 - c.first) * float64(c.planned-c.blocks) / float64(c.planned-1)
}
