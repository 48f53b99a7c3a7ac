package sequential

import "math"

// memory is how many closed blocks the noise is estimated from: the last hour,
// if a block is a minute.
const memory = 60

// noise estimates how much the arms' rates differ from block to block for
// reasons of their own. What it says during a block is known before the block
// begins, so that it may temper the evidence of the block.
type noise struct {
	square float64 // tau^2 at present
	floor  float64 // tau0^2: never less
	phi    float64
	fixed  bool
	open   Look
	closed [memory]table
	count  int // closed ever
}

// table is a closed block, as far as it is needed.
type table struct {
	bad    float64 // x
	events float64 // e = x+y
	n, m   float64
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
	l := o.open
	o.open = Look{}
	e := l.Canary.Bad + l.Baseline.Bad
	if e == 0 || l.Canary.Total == 0 || l.Baseline.Total == 0 {
		return
	}
	o.closed[o.count%memory] = table{bad: l.Canary.Bad, events: e, n: l.Canary.Total, m: l.Baseline.Total}
	o.count++
	o.square = max(o.floor, o.estimate(o.closed[:min(o.count, memory)]))
}

// estimate is the moment estimate of tau^2 around the Mantel-Haenszel ratio,
// with tau0^2 counting as much as three blocks (section 2):
//
//	r = x - e theta    v = e theta (1-theta) (1 - e/N)    theta = ratio n / (ratio n + m)
//	tau^2 = (3 tau0^2 + c sum(r^2 - v Phi)/sum(v^2) c/(c-1)) / (3 + c)
func (o *noise) estimate(blocks []table) float64 {
	ratio := mantelHaenszel(blocks)
	if len(blocks) < 2 || ratio == 0 {
		return o.floor
	}
	excess, scale := 0.0, 0.0
	for _, b := range blocks {
		theta := ratio * b.n / (ratio*b.n + b.m)
		r := b.bad - b.events*theta
		v := b.events * theta * (1 - theta) * (1 - b.events/(b.n+b.m))
		excess += r*r - v*o.phi
		scale += v * v
	}
	if !(scale > 0) {
		return o.floor
	}
	c := float64(len(blocks))
	return (3*o.floor + c*excess/scale*c/(c-1)) / (3 + c)
}

// mantelHaenszel returns the ratio of the rates, canary to baseline, over all
// blocks; 0 if an arm has no events.
func mantelHaenszel(blocks []table) float64 {
	over, under := 0.0, 0.0
	for _, b := range blocks {
		over += b.bad * b.m / (b.n + b.m)
		under += (b.events - b.bad) * b.n / (b.n + b.m)
	}
	if over == 0 || under == 0 {
		return 0
	}
	return over / under
}

// tau returns the noise at present.
func (o *noise) tau() float64 { return math.Sqrt(o.square) }
