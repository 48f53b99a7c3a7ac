package evidence

// ReachTest finds a canary that users cannot reach (section 7a): requests are missing from its
// share, and as many fail before a pod is chosen. It has one side, for a fail. Like [ErrorTest] it
// is a value, and its zero value learns nothing. Leave it out where [TrafficTest] is left out.
type ReachTest struct {
	clock          clock
	before         Count
	tolerance      float64
	few, unreached mixture
}

// ReachLook is where the requests were between two readings.
type ReachLook struct {
	Share            float64 // planned for the canary; not above 0 or not below 1: an empty look
	Canary, Baseline float64 // requests that were answered
	Unreached        float64 // requests of the service that failed before a pod was chosen
	Step             bool    // as in [Look]
}

var fewBets = bets{grid: Grid{1 / 1.2, 1 / 1.5, 1. / 2, 1. / 4, 1. / 10, 1. / 100}}

// unreachedPart is how much of the canary's share may be unreached without being its fault.
const unreachedPart = 0.1

// NewReachTest returns a test that has seen nothing. Before the rollout, Bad of Total requests of
// the service failed before a pod was chosen. Of the settings, those of [TrafficTest] count, and
// the Alpha that LookCap is for.
func NewReachTest(before Count, s Settings) (ReachTest, error) {
	tolerance, err := Settings{Fail: s.Fail}.For(Traffic)
	if err != nil {
		return ReachTest{}, err
	}
	s, err = Settings{Alpha: s.Alpha, LookCap: s.LookCap, Block: s.Block, Blocks: s.Blocks, FirstShare: s.FirstShare}.For(Errors)
	if err != nil {
		return ReachTest{}, err
	}
	return ReachTest{
		clock: s.clock(), before: before.clean(), tolerance: tolerance.Fail.Factor,
		few: newMixture(fewBets, s.LookCap, true), unreached: newMixture(rateBets, s.LookCap, true),
	}, nil
}

// Resume is that of [ErrorTest.Resume].
func (t *ReachTest) Resume(looks int) {
	rest := t.clock.resume(looks)
	t.few.resume(rest)
	t.unreached.resume(rest)
}

// Update counts the next look.
func (t *ReachTest) Update(l ReachLook) {
	_, share, rest := t.clock.tick(l.Step)
	t.few.begin(share, rest)
	t.unreached.begin(share, rest)
	p0, known := t.allowed(l.Share)
	if !(l.Share > 0 && l.Share < 1) || !sound(l.Canary) || !sound(l.Baseline) || !sound(l.Unreached) || !known {
		return
	}
	odds := l.Share / (1 - l.Share) / t.tolerance
	answered := l.Canary + l.Baseline
	var few [points]float64
	s := split{bad: l.Canary, events: answered, theta: odds / (1 + odds)}
	s.factors(t.few.grid[:t.few.size], t.few.logGrid[:], few[:])
	t.few.add(&few)
	unreached := t.unreached.aloneFactors(Count{Bad: l.Unreached, Total: answered + l.Unreached}, p0, 1, false)
	t.unreached.add(&unreached)
}

// allowed is the share of requests that may be unreached at a planned share.
func (t *ReachTest) allowed(share float64) (p0 float64, known bool) {
	return Allowed(t.before, Margin{Factor: 3, Extra: unreachedPart * share}, mostBad)
}

// LogE returns the evidence so far that the canary cannot be reached: the lesser of that it has too
// few requests, and that too many are unreached.
func (t *ReachTest) LogE() float64 { return min(t.Halves()) }

// Halves returns the evidence of both: that the canary has too few requests, and that too many are
// unreached.
func (t *ReachTest) Halves() (few, unreached float64) { return t.few.logE(), t.unreached.logE() }
