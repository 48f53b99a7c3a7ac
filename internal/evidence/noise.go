package evidence

import "math"

// memory is how many closed blocks the noise is estimated from: the last hour,
// if a block is a minute.
const memory = 60

// noise estimates how much the arms' rates differ from block to block for
// reasons of their own. What it says during a block is known before the block
// begins, so that it may temper the evidence of the block.
type noise struct {
	square      float64 // tau^2 at present
	floor       float64 // tau0^2: never less
	phi         float64
	fixed       bool
	open        Look
	closed      [memory]table
	count       int     // closed ever
	over, under float64 // sums of the Mantel-Haenszel ratio
}

// table is a closed block, as far as it is needed.
type table struct {
	bad, events float64 // x and e = x+y
	odds        float64 // n/m
	good        float64 // 1 - e/N
}

func newNoise(tau, phi float64, fixed bool) noise {
	return noise{square: tau * tau, floor: tau * tau, phi: phi, fixed: fixed}
}

// add counts a look into the open block.
func (o *noise) add(l Look) {
	if o.fixed {
		return
	}
	o.open.Canary.Bad += l.Canary.Bad
	o.open.Canary.Total += l.Canary.Total
	o.open.Baseline.Bad += l.Baseline.Bad
	o.open.Baseline.Total += l.Baseline.Total
}

// end closes the block. A block without events, or without one of the arms,
// says nothing and is not kept.
func (o *noise) end() {
	x, y, n, m := o.open.Canary.Bad, o.open.Baseline.Bad, o.open.Canary.Total, o.open.Baseline.Total
	o.open = Look{}
	if x+y == 0 || n == 0 || m == 0 {
		return
	}
	o.over += x * m / (n + m)
	o.under += y * n / (n + m)
	o.closed[o.count%memory] = table{bad: x, events: x + y, odds: n / m, good: 1 - (x+y)/(n+m)}
	o.count++
	o.square = max(o.floor, o.estimate(o.closed[:min(o.count, memory)]))
}

// estimate is the moment estimate of tau^2 around the Mantel-Haenszel ratio,
// with tau0^2 counting as much as three blocks (section 2):
//
//	r = x - e theta    v = e theta (1-theta) (1 - e/N)    theta = ratio n / (ratio n + m)
//	tau^2 = (3 tau0^2 + c sum(r^2 - v Phi)/sum(v^2) c/(c-1)) / (3 + c)
func (o *noise) estimate(blocks []table) float64 {
	if len(blocks) < 2 || o.over == 0 || o.under == 0 {
		return o.floor
	}
	ratio := o.over / o.under
	square, usual, scale := 0.0, 0.0, 0.0
	for i := range blocks {
		b := &blocks[i]
		k := ratio * b.odds
		theta := k / (k + 1)
		e := b.events * theta
		r := b.bad - e
		v := e * (1 - theta) * b.good
		square += r * r
		usual += v
		scale += v * v
	}
	excess := square - usual*o.phi
	if !(scale > 0) {
		return o.floor
	}
	c := float64(len(blocks))
	return (3*o.floor + c*excess/scale*c/(c-1)) / (3 + c)
}

// tau returns the noise at present.
func (o *noise) tau() float64 { return math.Sqrt(o.square) }
