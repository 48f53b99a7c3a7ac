package evidence

import "fmt"

// SLOTest compares the canary's rate of bad requests with a constant (section
// 3). Like [ErrorTest] it is a value, and its zero value learns nothing.
type SLOTest struct {
	settings   Settings
	clock      clock
	fail, pass constant
	sight      sight // of the step
}

// constant is one side of a test against a constant.
type constant struct {
	mixture
	p0   float64
	logs [points]absolute
}

// NewSLOTest returns a test of an objective such as 0.999, the share of requests
// that shall be good. Margins count from there: a canary may have
// Factor (1-objective) + Extra bad requests.
func NewSLOTest(objective float64, s Settings) (SLOTest, error) {
	s, err := s.For(SLO)
	if err != nil {
		return SLOTest{}, err
	}
	fail, pass := s.Fail.of(1-objective), s.Pass.of(1-objective)
	if !(objective > 0 && objective < 1 && pass < 1) {
		return SLOTest{}, fmt.Errorf("objective is %v, so that %v of the requests may be bad: use an objective above 0 and below 1, such as 0.999, and margins that leave less than 1", objective, pass)
	}
	return SLOTest{
		settings: s, clock: s.clock(),
		fail: newConstant(s.failBets(), fail, s.LookCap, true), pass: newConstant(s.passBets(), pass, s.LookCap, false),
	}, nil
}

// newConstant leaves out the multipliers that would exceed certainty; should
// none remain, nothing is ever learned.
func newConstant(b bets, p0, limit float64, repays bool) constant {
	c := constant{mixture: newMixture(b.below(1/p0), limit, repays), p0: p0}
	for i := range c.size {
		c.logs[i] = newAbsolute(p0, c.grid[i])
	}
	return c
}

// dispersion is phi of a look.
func (c *constant) dispersion(count Count, s Settings) float64 {
	return s.EventsPerCause + s.tau()*s.tau()*float64(s.Block)*count.Total*c.p0
}

// update counts the canary of a look.
func (c *constant) update(count Count, s Settings) {
	l := c.factors(count, s)
	c.add(&l)
}

// factors are the log factors of a look, tempered.
func (c *constant) factors(count Count, s Settings) (l [points]float64) {
	phi := c.dispersion(count, s)
	for i := range c.size {
		l[i] = c.logs[i].factor(count) / phi
	}
	return l
}

// Update counts the next look; its baseline is not looked at.
func (t *SLOTest) Update(l Look) { t.update(l.Canary.clean(), l.Canary.clean(), l.Step) }

// update counts the bad requests of either side.
func (t *SLOTest) update(fail, pass Count, step bool) {
	_, share, rest := t.clock.tick(step)
	t.fail.begin(share, rest)
	t.pass.begin(share, rest)
	if step {
		t.sight = sight{}
	}
	if bad := (Count{Bad: fail.Total, Total: fail.Total}); !t.sight.clear() {
		phi := t.fail.dispersion(bad, t.settings)
		t.sight.see(t.fail.size, func(i int) float64 { return t.fail.logs[i].factor(bad) / phi }, t.fail.cap)
	}
	t.fail.update(fail, t.settings)
	t.pass.update(pass, t.settings)
}

// Sight returns in nats how well the present step was looked at, as [ErrorTest.Sight] does.
func (t *SLOTest) Sight() float64 { return t.sight.nats }

// Resume is that of [ErrorTest.Resume].
func (t *SLOTest) Resume(looks int) {
	rest := t.clock.resume(looks)
	t.fail.resume(rest)
	t.pass.resume(rest)
}

// Evidence returns what was seen so far.
func (t *SLOTest) Evidence() Evidence {
	return Evidence{Fail: t.fail.logE(), Pass: t.pass.logE()}
}

// QuantileTest holds a latency quantile against a target, such as "99 % of the
// requests take at most 700 ms", where the target lies between two bounds of a
// histogram (section 5). A fail is judged on the requests above the upper
// bound, a pass on those above the lower one, so that nothing is interpolated.
// Like [ErrorTest] it is a value, and its zero value learns nothing.
type QuantileTest struct {
	slo       SLOTest
	allowed   float64
	total     float64
	low, high float64 // requests so far above the bounds
}

// QuantileLook is what the canary did between two readings. If the target is a
// bound, AboveLow and AboveHigh are the same number.
type QuantileLook struct {
	Total     float64
	AboveLow  float64 // requests slower than the last bound at or below the target
	AboveHigh float64 // requests slower than the first bound at or above the target
	Step      bool    // as in [Look]
}

// NewQuantileTest returns a test of a quantile, such as 0.99.
func NewQuantileTest(quantile float64, s Settings) (QuantileTest, error) {
	slo, err := NewSLOTest(quantile, s)
	return QuantileTest{slo: slo, allowed: 1 - quantile}, err
}

// Update counts the next look.
func (t *QuantileTest) Update(l QuantileLook) {
	high := Count{Bad: l.AboveHigh, Total: l.Total}.clean()
	low := Count{Bad: l.AboveLow, Total: l.Total}.clean()
	t.slo.update(high, low, l.Step)
	t.total += low.Total
	t.low += low.Bad
	t.high += high.Bad
}

// Evidence returns what was seen so far.
func (t *QuantileTest) Evidence() Evidence { return t.slo.Evidence() }

// Sight returns in nats how well the present step was looked at, as [ErrorTest.Sight] does.
func (t *QuantileTest) Sight() float64 { return t.slo.Sight() }

// Resume is that of [ErrorTest.Resume].
func (t *QuantileTest) Resume(looks int) { t.slo.Resume(looks) }

// Coarse reports whether the bounds are too far apart for the target: by the
// requests so far the quantile lies between them, so that neither a fail nor a
// pass will come.
func (t *QuantileTest) Coarse() bool {
	return t.low > t.allowed*t.total && t.high <= t.allowed*t.total
}
