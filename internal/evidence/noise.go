package evidence

import "math"

// memory is how many closed blocks the noise is estimated from: the last hour,
// if a block is a minute.
const memory = 60

// mostNoise is the most noise that evidence is tempered for. What a block's rate is further off
// than that is harm.
const mostNoise = 0.6

// noise estimates how much the arms' rates differ from block to block for
// reasons of their own. What it says during a block is known before the block
// begins, so that it may temper the evidence of the block.
//
// A regression must not pass for noise. So no block counts for more than a quiet one with many
// events does, none for a difference above mostNoise and what chance adds, and the usual ratio
// is at most the margin's.
type noise struct {
	square      float64 // tau^2 at present
	floor       float64 // tau0^2: never less
	limit       float64 // never more
	phi, rho    float64
	fixed       bool
	open        Look
	closed      [memory]table
	count       int     // closed ever
	over, under float64 // sums of the Mantel-Haenszel ratio
}

// table is a closed block, as far as it is needed: w (r^2 - v Phi) and w v^2.
type table struct{ excess, weight float64 }

func newNoise(s Settings) noise {
	floor := s.tau() * s.tau()
	return noise{
		square: floor, floor: floor, limit: max(floor, mostNoise*mostNoise),
		phi: s.EventsPerCause, rho: s.Fail.Factor, fixed: s.FixedNoise,
	}
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
	q := 1 / (o.phi + o.floor*(x+y)*n/(n+m)*m/(n+m))
	o.over += q * x * m / (n + m)
	o.under += q * y * n / (n + m)
	o.closed[o.count%memory] = o.table(x, x+y, n/m, 1-(x+y)/(n+m))
	o.count++
	o.square = min(max(o.floor, o.estimate(o.closed[:min(o.count, memory)])), o.limit)
}

// table is what a block says of the noise (section 2). Odds is n/m, and good is 1 - e/N.
func (o *noise) table(bad, events, odds, good float64) table {
	k := o.rho * odds
	if o.over < o.rho*o.under {
		k = o.over / o.under * odds
	}
	e := events * k / (k + 1)
	v := e / (k + 1) * good
	chance := v * o.phi
	r := min(math.Abs(bad-e), math.Sqrt(o.limit)*v+2*math.Sqrt(chance))
	usual := 4 * max(o.floor, 1e-4)
	w := usual / (o.phi + usual*v)
	return table{excess: w * w * (r*r - chance), weight: w * w * v * v}
}

// estimate is the moment estimate of tau^2, with tau0^2 counting as much as three blocks that say
// all they can (section 2).
func (o *noise) estimate(blocks []table) float64 {
	if len(blocks) < 2 {
		return o.floor
	}
	excess, weight := 0.0, 0.0
	for _, b := range blocks {
		excess += b.excess
		weight += b.weight
	}
	c := float64(len(blocks))
	return (3*o.floor + excess*c/(c-1)) / (3 + weight)
}

// tau returns the noise at present.
func (o *noise) tau() float64 { return math.Sqrt(o.square) }
