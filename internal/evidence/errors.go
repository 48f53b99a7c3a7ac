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
		noise: newNoise(s.tau(), s.EventsPerCause, s.FixedNoise),
		fail:  newMixture(s.failBets(), s.LookCap), pass: newMixture(s.passBets(), s.LookCap),
	}, nil
}

func (s Settings) clock() clock {
	return clock{length: s.Block, planned: s.Blocks, first: s.FirstShare}
}

// Update counts the next look. Numbers that are no counts make it an empty look.
func (t *ErrorTest) Update(l Look) {
	l = l.clean()
	if begins, share, rest := t.clock.tick(l.Step); begins {
		t.noise.end()
		t.fail.begin(share, rest)
		t.pass.begin(share, rest)
	}
	events, requests := l.Canary.Bad+l.Baseline.Bad, l.Canary.Total+l.Baseline.Total
	t.weigh(&t.fail, newSplit(l, t.settings.Fail), events)
	past := 0.0
	if t.requests > 0 {
		past = t.events / t.requests * requests
	}
	t.weigh(&t.pass, newSplit(l, t.settings.Pass), past)
	t.noise.add(l)
	t.events += events
	t.requests += requests
}

// weigh adds a look, tempered by the noise that this many events carry.
func (t *ErrorTest) weigh(m *mixture, s split, events float64) {
	s.tempered(1/t.dispersion(s, events)).weigh(m.grid[:m.size], m.logGrid[:], m.sums[:], m.cap)
}

// dispersion is phi of a look.
func (t *ErrorTest) dispersion(s split, events float64) float64 {
	return t.settings.EventsPerCause + t.noise.square*float64(t.settings.Block)*s.expected(events)*(1-s.theta)
}

// Evidence returns what was seen so far.
func (t *ErrorTest) Evidence() Evidence {
	return Evidence{Fail: t.fail.logE(), Pass: t.pass.logE()}
}

// Tau returns the noise between the arms that the next look is tempered with.
func (t *ErrorTest) Tau() float64 { return t.noise.tau() }
