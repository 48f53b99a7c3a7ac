package evidence

// Evidence is what a test has seen so far, as natural logarithms of E. The zero
// value is none.
type Evidence struct {
	Fail float64 // that the canary does not keep the margin of a fail
	Pass float64 // that the canary keeps the margin of a pass
}

// ErrorTest compares the canary's rate of bad requests with the baseline's
// (section 2). It is a value: a copy goes its own way, and two of them that saw
// the same looks are equal. The zero value learns nothing. It is not safe for
// concurrent use.
type ErrorTest struct {
	settings   Settings
	clock      clock
	noise      noise
	fail, pass mixture
	sight      sight // of the step
	past       past
	before     Count   // of the baseline, until the past has requests
	events     float64 // of the past
	requests   float64
}

// NewErrorTest returns a test that has seen nothing. The error is that of
// [Settings.For].
func NewErrorTest(s Settings) (ErrorTest, error) {
	s, err := s.For(Errors)
	if err != nil {
		return ErrorTest{}, err
	}
	return ErrorTest{
		settings: s, clock: s.clock(),
		noise: newNoise(s),
		fail:  newMixture(s.failBets(), s.LookCap, true), pass: newMixture(s.passBets(), s.LookCap, false),
	}, nil
}

func (s Settings) clock() clock {
	return clock{length: s.Block, planned: float64(s.Block) * float64(s.Blocks), first: s.FirstShare}
}

// Update counts the next look. Numbers that are no counts make it an empty look.
func (t *ErrorTest) Update(l Look) {
	l = l.clean()
	begins, share, rest := t.clock.tick(l.Step)
	if begins {
		t.noise.end()
	}
	t.fail.begin(share, rest)
	t.pass.begin(share, rest)
	if l.Step {
		t.sight = sight{}
	}
	if l.Alone {
		t.alone(l.Canary)
		return
	}
	t.past.add(l.Baseline)
	s := newSplit(l, t.settings.Fail)
	if !t.sight.clear() {
		t.see(s, l)
	}
	events, requests := l.Canary.Bad+l.Baseline.Bad, l.Canary.Total+l.Baseline.Total
	t.weigh(&t.fail, s, events)
	past := 0.0
	if t.requests > 0 {
		past = t.events / t.requests * requests
	}
	t.weigh(&t.pass, newSplit(l, t.settings.Pass), past)
	t.noise.add(l)
	t.events += events
	t.requests += requests
}

// Before says what the baseline did before the first look. A canary alone that never had a baseline
// beside it is compared with that.
func (t *ErrorTest) Before(c Count) { t.before = c.clean() }

// alone counts a look without a baseline: against what was learnt of it, and for a fail only.
func (t *ErrorTest) alone(c Count) {
	p0, known := Allowed(t.past.or(t.before), t.settings.Alone, mostBad)
	if !known {
		return
	}
	power := 1 / (t.settings.EventsPerCause + t.noise.square*float64(t.settings.Block)*c.Total*p0)
	bad := Count{Bad: c.Total, Total: c.Total}
	t.sight.see(t.fail.size, func(i int) float64 { return aloneFactor(bad, t.fail.grid[i], p0, power, false) }, t.fail.cap)
	l, stake := t.fail.aloneFactors(c, p0, power, false), 0.5
	if t.settings.WholeStake {
		stake /= t.fail.possible(p0)
	}
	t.fail.addUpTo(&l, stake)
}

// see adds a look all of whose canary requests were bad to the sight of the step.
func (t *ErrorTest) see(s split, l Look) {
	s.bad, s.events = l.Canary.Total, l.Canary.Total+l.Baseline.Bad
	power := 1 / t.dispersion(s, s.events)
	t.sight.see(t.fail.size, func(i int) float64 { return power * s.factor(t.fail.grid[i], t.fail.logGrid[i]) }, t.fail.cap)
}

// Sight returns in nats how well the present step was looked at; [Sighted] says what suffices.
func (t *ErrorTest) Sight() float64 { return t.sight.nats }

// weigh adds a look, tempered by the noise that this many events carry.
func (t *ErrorTest) weigh(m *mixture, s split, events float64) {
	l := t.factors(m, s, events)
	m.add(&l)
}

// factors are the log factors of a look, tempered by the noise that this many events carry.
func (t *ErrorTest) factors(m *mixture, s split, events float64) (l [points]float64) {
	s = s.tempered(1 / t.dispersion(s, events))
	s.factors(m.grid[:m.size], m.logGrid[:], l[:])
	return l
}

// dispersion is phi of a look.
func (t *ErrorTest) dispersion(s split, events float64) float64 {
	return t.settings.EventsPerCause + t.noise.square*float64(t.settings.Block)*s.expected(events)*(1-s.theta)
}

// Resume makes a test that has seen nothing one that has seen so many looks, whose evidence is
// lost: later looks start what they would have started.
func (t *ErrorTest) Resume(looks int) {
	rest := t.clock.resume(looks)
	t.fail.resume(rest)
	t.pass.resume(rest)
}

// Evidence returns what was seen so far.
func (t *ErrorTest) Evidence() Evidence {
	return Evidence{Fail: t.fail.logE(), Pass: t.pass.logE()}
}

// Tau returns the noise between the arms that the next look is tempered with.
func (t *ErrorTest) Tau() float64 { return t.noise.tau() }
