package evidence

import (
	"errors"
	"fmt"
	"math"
)

// Bounds is how many bounds of a histogram a [LatencyTest] has room for.
const Bounds = 8

// Slow is what one arm did in one look: Over[j] of Total requests were slower
// than bound j.
type Slow struct {
	Total float64
	Over  [Bounds]float64
}

// LatencyLook is what both arms did between two readings of their histograms.
type LatencyLook struct {
	Canary, Baseline Slow
	Step, Alone      bool // as in [Look]
}

// bound returns the look of one bound.
func (l *LatencyLook) bound(j int) Look {
	return Look{
		Canary:   Count{Bad: l.Canary.Over[j], Total: l.Canary.Total},
		Baseline: Count{Bad: l.Baseline.Over[j], Total: l.Baseline.Total},
		Step:     l.Step, Alone: l.Alone,
	}
}

// LatencyTest compares how many requests are slower than some bounds, canary
// with baseline (section 4). A fail is the mean over the bounds, a pass needs
// all of them. Like [ErrorTest] it is a value, and its zero value learns nothing.
type LatencyTest struct {
	settings Settings
	clock    clock
	size     int
	bounds   [Bounds]bound
}

// bound is the process of one bound.
type bound struct {
	past       Count // of the baseline, before this look
	recent     past  // the same, of the last hour
	sight      sight // of the step
	noise      noise
	fail, pass mixture
}

// NewLatencyTest returns a test of as many bounds as before has entries, which
// say how many requests of the baseline were slower before the rollout. They
// are the first guess of the rates; an entry may be zero if nothing is known.
// Which bounds are of use, [UsefulBounds] says. The error is that of
// [Settings.For], or that there is no bound or too many.
func NewLatencyTest(before []Count, s Settings) (LatencyTest, error) {
	s, err := s.For(Latency)
	if len(before) < 1 || len(before) > Bounds {
		err = errors.Join(err, fmt.Errorf("%d bounds: use 1 to %d", len(before), Bounds))
	}
	if err != nil {
		return LatencyTest{}, err
	}
	t := LatencyTest{settings: s, clock: s.clock(), size: len(before)}
	for j, c := range before {
		t.bounds[j] = bound{
			past: c.clean(), noise: newNoise(s),
			fail: newMixture(s.failBets(), s.LookCap, true), pass: newMixture(s.passBets(), s.LookCap, false),
		}
	}
	return t, nil
}

// UsefulBounds returns the indices of those bounds which between 0.1 and 90 % of
// the baseline's requests exceeded before the rollout, at most [Bounds] of them:
// of more, those that are spread evenly. They have to be chosen before the
// rollout and stay.
func UsefulBounds(before []Count) []int {
	var useful []int
	for j, c := range before {
		if c = c.clean(); c.Total > 0 && c.Bad >= 0.001*c.Total && c.Bad <= 0.9*c.Total {
			useful = append(useful, j)
		}
	}
	if len(useful) <= Bounds {
		return useful
	}
	spread := make([]int, Bounds)
	for i := range spread {
		spread[i] = useful[i*(len(useful)-1)/(Bounds-1)]
	}
	return spread
}

// Update counts the next look.
func (t *LatencyTest) Update(l LatencyLook) {
	begins, share, rest := t.clock.tick(l.Step)
	for j := range t.size {
		b := &t.bounds[j]
		if begins {
			b.noise.end()
		}
		b.fail.begin(share, rest)
		b.pass.begin(share, rest)
		b.update(l.bound(j).clean(), &t.settings)
	}
}

func (b *bound) update(l Look, s *Settings) {
	if l.Step {
		b.sight = sight{}
	}
	if l.Alone {
		b.alone(l.Canary, s)
		return
	}
	guess := b.guess()
	if !b.sight.clear() {
		b.see(l.allBad(), s, guess)
	}
	b.recent.add(l.Baseline)
	b.fail.project(l, s.Fail, guess, 1/b.dispersion(l, s.Fail.odds(guess), s))
	b.pass.project(l, s.Pass, guess, 1/b.dispersion(l, s.Pass.odds(guess), s))
	b.noise.add(l)
	b.past.Bad += l.Baseline.Bad
	b.past.Total += l.Baseline.Total
}

// alone counts a look without a baseline: against what was learnt of it, and for a fail only.
func (b *bound) alone(c Count, s *Settings) {
	q0, known := Allowed(b.recent.or(b.past), s.Alone, mostSlow)
	if !known {
		return
	}
	power := 1 / (s.EventsPerCause + b.noise.square*float64(s.Block)*c.Total*q0*(1-q0))
	slow := Count{c.Total, c.Total}
	b.sight.see(b.fail.size, func(i int) float64 { return aloneFactor(slow, b.fail.grid[i], q0, power, true) }, b.fail.cap)
	l := b.fail.aloneFactors(c, q0, power, true)
	b.fail.add(&l)
}

// see adds a look all of whose canary requests were slow to the sight of the step.
func (b *bound) see(l Look, s *Settings, guess float64) {
	if l.Canary.Total == 0 || l.Baseline.Total == 0 {
		return
	}
	edge, q := s.Fail.of(guess), s.Fail.odds(guess)
	power := 1 / b.dispersion(l, q, s)
	line := newLine(l.Canary.Total, l.Baseline.Total, s.Fail, guess)
	b.sight.see(b.fail.size, func(i int) float64 {
		p := line.nearest(b.fail.grid[i], q, edge, guess)
		return power * logRatio(&l, p.tc, guess, p.c0, p.b0)
	}, b.fail.cap)
}

// guess is the baseline's rate, from the past.
func (b *bound) guess() float64 { return (b.past.Bad + 0.5) / (b.past.Total + 1) }

// dispersion is phi of a look when the rate is q.
func (b *bound) dispersion(l Look, q float64, s *Settings) float64 {
	n, o := l.Canary.Total, l.Baseline.Total
	if n+o == 0 {
		return s.EventsPerCause
	}
	return s.EventsPerCause + b.noise.square*float64(s.Block)*q*(1-q)*n*o/(n+o)
}

// project adds a look of events that are not rare; guess is the baseline's rate,
// and the multipliers are of the canary's odds.
func (m *mixture) project(l Look, margin Margin, guess, power float64) {
	n, o := l.Canary.Total, l.Baseline.Total
	if n == 0 || o == 0 {
		return
	}
	edge, q := margin.of(guess), margin.odds(guess)
	line := newLine(n, o, margin, guess)
	var nearest [points]rates // all of them first, as the processor then overlaps their roots
	grid := m.grid[:m.size]
	for i, g := range grid {
		nearest[i] = line.nearest(g, q, edge, guess)
	}
	var logs [points]float64
	for i := range grid {
		p := &nearest[i]
		logs[i] = power * logRatio(&l, p.tc, guess, p.c0, p.b0)
	}
	m.add(&logs)
}

// rates are an alternative, and the point on the margin that is nearest to it.
type rates struct{ tc, c0, b0 float64 }

// nearest returns those of a multiplier of the odds of q, which the margin's edge gives the canary.
func (l *line) nearest(g, q, edge, guess float64) (p rates) {
	p.tc = g * q / (1 - q + g*q)
	ok := (p.tc > edge) == (g > 1)
	if ok {
		p.c0, p.b0, ok = l.project(p.tc)
	}
	if !ok { // no alternative to the margin
		p.c0, p.b0 = p.tc, guess
	}
	return p
}

// Evidence returns what was seen so far: the mean over the bounds for a fail and
// the least of them for a pass.
func (t *LatencyTest) Evidence() Evidence {
	if t.size == 0 {
		return Evidence{}
	}
	var fail [Bounds]float64
	e := t.Bound(0)
	for j := range t.size {
		b := t.Bound(j)
		fail[j] = b.Fail
		e.Pass = min(e.Pass, b.Pass)
	}
	e.Fail = LogMean(fail[:t.size], nil)
	return e
}

// Resume is that of [ErrorTest.Resume].
func (t *LatencyTest) Resume(looks int) {
	rest := t.clock.resume(looks)
	for j := range t.size {
		t.bounds[j].fail.resume(rest)
		t.bounds[j].pass.resume(rest)
	}
}

// Sight returns in nats how well the present step was looked at, as [ErrorTest.Sight] does: at the
// bound that saw the least or, with its share of the mean, at the one that saw the most. A bound
// that nearly all requests of the baseline exceed sees nothing.
func (t *LatencyTest) Sight() float64 {
	if t.size == 0 {
		return 0
	}
	least, most := math.Inf(1), 0.0
	for j := range t.size {
		nats := t.bounds[j].sight.nats
		least, most = min(least, nats), max(most, nats)
	}
	return max(least, most-math.Log(float64(t.size)))
}

// Bound returns the evidence of one bound; none if there is no such bound.
func (t *LatencyTest) Bound(j int) Evidence {
	if j < 0 || j >= t.size {
		return Evidence{}
	}
	return Evidence{Fail: t.bounds[j].fail.logE(), Pass: t.bounds[j].pass.logE()}
}
