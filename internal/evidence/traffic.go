package evidence

// TrafficTest compares the split of the requests with the plan (section 7). It
// has one side: evidence that the split is not as planned. Like [ErrorTest] it
// is a value, and its zero value learns nothing.
//
// It holds for requests that are routed one by one at random. Leave it out while
// mirroring, with session affinity and for routes by header.
type TrafficTest struct {
	settings Settings
	clock    clock
	odds     mixture // multipliers above 1: too much; as many below: too little
}

// TrafficLook is how many requests went where between two readings.
type TrafficLook struct {
	Share  float64 // planned for the canary; not above 0 or not below 1: an empty look
	Canary float64 // requests
	Others float64 // requests of all other arms
	Step   bool    // as in [Look]
}

var oddsGrid = Grid{
	1.02, 1.05, 1.1, 1.2, 1.5, 2, 4, 10,
	1 / 1.02, 1 / 1.05, 1 / 1.1, 1 / 1.2, 1 / 1.5, 1. / 2, 1. / 4, 1. / 10,
}

// NewTrafficTest returns a test that has seen nothing. Of the settings, Fail.Factor
// is the tolerance, a factor on the odds in either direction, and EventsPerCause the
// requests of a session.
func NewTrafficTest(s Settings) (TrafficTest, error) {
	s, err := s.For(Traffic)
	if err != nil {
		return TrafficTest{}, err
	}
	return TrafficTest{settings: s, clock: s.clock(), odds: newMixture(bets{grid: oddsGrid}, s.LookCap, false)}, nil
}

// Update counts the next look.
func (t *TrafficTest) Update(l TrafficLook) {
	_, share, rest := t.clock.tick(l.Step)
	t.odds.begin(share, rest)
	if !(l.Share > 0 && l.Share < 1) || !sound(l.Canary) || !sound(l.Others) {
		return
	}
	odds, half := l.Share/(1-l.Share), t.odds.size/2
	var logs [points]float64
	t.weigh(l, odds*t.settings.Fail.Factor, logs[:], 0, half)
	t.weigh(l, odds/t.settings.Fail.Factor, logs[:], half, t.odds.size)
	t.odds.add(&logs)
}

// weigh computes the log factors of the multipliers of one direction, whose odds are at the
// edge of the tolerance.
func (t *TrafficTest) weigh(l TrafficLook, odds float64, logs []float64, from, to int) {
	s := split{bad: l.Canary, events: l.Canary + l.Others, theta: odds / (1 + odds)}
	m := &t.odds
	s = s.tempered(1 / t.settings.EventsPerCause)
	s.factors(m.grid[from:to], m.logGrid[from:to], logs[from:to])
}

// Resume is that of [ErrorTest.Resume].
func (t *TrafficTest) Resume(looks int) { t.odds.resume(t.clock.resume(looks)) }

// LogE returns the evidence so far that the split is not as planned.
func (t *TrafficTest) LogE() float64 { return t.odds.logE() }
