package evidence

import (
	"errors"
	"fmt"
	"math"
)

// None in the place of Settings.Noise means no noise at all, since 0 means the
// default.
const None = -1

// Preset is a set of defaults.
type Preset uint8

// The presets.
const (
	// Default rolls a healthy canary back with probability of at most 5 % over
	// its whole rollout, and in practice less than 1 %.
	Default Preset = iota
	// Strict demands more evidence, 1 %, and leaves more room, a factor of 1.1:
	// for arms that differ by nature, as a canary of a single pod does.
	Strict
)

// Kind is a kind of test. It chooses the defaults of Settings.
type Kind uint8

// The tests.
const (
	Errors  Kind = iota // [ErrorTest]: bad requests against the baseline
	SLO                 // [SLOTest] and [QuantileTest]: against a constant
	Latency             // [LatencyTest]: slow requests against the baseline
	Gauge               // [GaugeTest]: a measured value against the baseline
	Traffic             // [TrafficTest]: the split of the requests
)

// Settings are what a test may be told; a zero field takes the default of its
// preset and test, so that the zero value is the default as a whole. [Settings.For]
// fills the defaults in.
type Settings struct {
	Preset Preset

	// Alpha is the probability of rolling back a healthy canary, Beta of passing
	// a bad one, each over the whole rollout. Zero: 0.05 and 0.05; Strict 0.01
	// and 0.05; of the traffic split 0.001. Alpha is here for LookCap; the levels of
	// a verdict are those of [Levels].
	Alpha, Beta float64

	// Fail is how much worse a canary may be without a rollback, Pass what it
	// must stay below to pass. Fail is at most Pass in both numbers. Zero margins
	// are, for errors 1.05 and 1.5 + 0.005, for latency 1.05 + 0.001 and
	// 1.2 + 0.01, against a constant 1 and 1, for gauges 1.1 and 1.1 (without
	// Extra), for the traffic split 1.1 on the odds (Pass is unused). Strict: Fail
	// has 1.1 instead of 1.05, and Pass of errors 1.5 + 0.0005.
	Fail, Pass Margin
	// Alone is how much worse than what was learnt of the baseline a canary may be that has all
	// requests, without a rollback. Zero: 3 + 0.005 for errors, 1.5 + 0.05 for latency; the other
	// tests do not use it.
	Alone Margin
	// WholeStake: what a look of a canary alone makes good for is half of the whole stake, also where
	// some multipliers are more than certainty. It takes as many looks then as beside a baseline.
	WholeStake bool

	// FailGrid, above 1, and PassGrid, below 1, are by how much worse and better
	// than the margin a canary is looked for. Zero: 1.2 to 200, for latency 1.1 to
	// 15, and 0.05 to 0.9. Gauges and the traffic split have their own.
	FailGrid, PassGrid Grid
	// FailWeights and PassWeights say how much evidence is bet on each multiplier
	// of the grid: what is more likely, or harder to find, deserves more. Zero: equal
	// weights, or those of the default if the grid is zero as well.
	FailWeights, PassWeights Grid

	// The others are those of sequential.Tuning, but for these: Noise of a gauge and of
	// the traffic split is None, Block of a gauge is the looks of a batch, and the traffic
	// split has no LookCap (+Inf).
	EventsPerCause, Noise float64
	FixedNoise            bool
	Block, Blocks         int
	FirstShare, LookCap   float64
}

// defaults of a kind.
type defaults struct {
	fail, pass             Margin
	strictFail, strictPass Margin
	alone                  Margin
	tau                    float64
	fails                  bets
}

var (
	rateBets = bets{grid: Grid{1.2, 1.5, 2, 3, 5, 10, 30, 200}}
	slowBets = bets{Grid{1.1, 1.25, 1.5, 2, 3, 6, 15}, Grid{1, 2, 1.5, 1.5, 1, .8, .3}}
	passGrid = Grid{.05, .2, .4, .6, .75, .9}
)

var kinds = [...]defaults{
	Errors: {
		fail: Margin{Factor: 1.05}, pass: Margin{1.5, 0.005}, strictFail: Margin{Factor: 1.1}, strictPass: Margin{1.5, 0.0005},
		alone: Margin{3, 0.005}, tau: 0.15, fails: rateBets,
	},
	SLO: {fail: Margin{Factor: 1}, pass: Margin{Factor: 1}, tau: 0.15, fails: rateBets},
	Latency: {
		fail: Margin{1.05, 0.001}, pass: Margin{1.2, 0.01}, strictFail: Margin{1.1, 0.001},
		alone: Margin{1.5, 0.05}, tau: 0.05, fails: slowBets,
	},
	Gauge:   {fail: Margin{Factor: 1.1}, pass: Margin{Factor: 1.1}, tau: None, fails: rateBets},
	Traffic: {fail: Margin{Factor: 1.1}, pass: Margin{Factor: 1.1}, tau: None, fails: rateBets},
}

// For returns the settings with the defaults of a kind of test in the place of
// zero fields, and an error that names every mistake with what would be right.
func (s Settings) For(k Kind) (Settings, error) {
	if int(k) >= len(kinds) || s.Preset > Strict {
		return s, fmt.Errorf("kind %d with preset %d: there are kinds 0 to %d and presets 0 and 1", k, s.Preset, len(kinds)-1)
	}
	s = s.filled(k)
	return s, errors.Join(append(s.levels(), append(s.margins(k), s.process()...)...)...)
}

// Validate returns the error of [Settings.For].
func (s Settings) Validate(k Kind) error {
	_, err := s.For(k)
	return err
}

func (s Settings) filled(k Kind) Settings {
	d, alpha, looks := kinds[k], 0.05, 2.0
	if s.Preset == Strict {
		d.fail, d.pass, alpha, looks = d.strictFail.or(d.fail), d.strictPass.or(d.pass), 0.01, 3
	}
	if k == Traffic {
		alpha, looks = 0.001, 0
	}
	fill(&s.Alpha, alpha)
	fill(&s.Beta, 0.05)
	s.Pass = s.Pass.or(d.pass)
	s.Alone = s.Alone.or(d.alone)
	s.Fail = s.Fail.or(Margin{min(d.fail.Factor, s.Pass.Factor), min(d.fail.Extra, s.Pass.Extra)})
	if s.FailGrid == (Grid{}) {
		s.FailGrid = d.fails.grid
		fill(&s.FailWeights, d.fails.weights)
	}
	fill(&s.PassGrid, passGrid)
	fill(&s.EventsPerCause, 1)
	fill(&s.Noise, d.tau)
	fill(&s.Block, 4)
	fill(&s.Blocks, 60)
	fill(&s.FirstShare, 0.8)
	fill(&s.LookCap, -math.Log(s.Alpha)/looks)
	return s
}

// or is the margin, with the default if it is zero, or with the Factor of that if only
// its Factor is.
func (m Margin) or(other Margin) Margin {
	if m == (Margin{}) {
		return other
	}
	fill(&m.Factor, other.Factor)
	return m
}

// fill replaces a zero value.
func fill[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

func (s Settings) failBets() bets { return bets{s.FailGrid, s.FailWeights} }
func (s Settings) passBets() bets { return bets{s.PassGrid, s.PassWeights} }

// tau is Noise as a number.
func (s Settings) tau() float64 { return max(s.Noise, 0) }

func (s Settings) levels() (wrong []error) {
	for _, l := range [...]struct {
		name  string
		value float64
	}{{"alpha", s.Alpha}, {"beta", s.Beta}} {
		if !probability(l.value) {
			wrong = append(wrong, noProbability(l.name, l.value))
		}
	}
	return wrong
}

// maxFactor is that of a margin which no canary exceeds that was compared with anything.
const maxFactor = 1e6

// named is a margin and its field.
type named struct {
	name string
	Margin
}

func (s Settings) margins(k Kind) (wrong []error) {
	all := []named{{"Fail", s.Fail}, {"Pass", s.Pass}}
	if s.Alone != (Margin{}) {
		all = append(all, named{"Alone", s.Alone})
	}
	for _, m := range all {
		if !(m.Factor >= 1 && m.Factor <= maxFactor) {
			wrong = append(wrong, fmt.Errorf("the Factor of the %s margin is %v: use 1 (an absolute margin) or more, and %.0f at most", m.name, m.Factor, float64(maxFactor)))
		}
		if !(m.Extra >= 0 && m.Extra < 1) {
			wrong = append(wrong, fmt.Errorf("the Extra of the %s margin is %v: use a share of requests from 0 to below 1", m.name, m.Extra))
		}
		if k >= Gauge && m.Extra != 0 {
			wrong = append(wrong, fmt.Errorf("the Extra of the %s margin is %v: this test compares by a factor; use 0", m.name, m.Extra))
		}
	}
	if k != Traffic && s.Fail.Factor > s.Pass.Factor {
		wrong = append(wrong, fmt.Errorf("the Factor of the Fail margin is %v, above the %v of the Pass margin: lower it to %[2]v or less", s.Fail.Factor, s.Pass.Factor))
	}
	if k != Traffic && s.Fail.Extra > s.Pass.Extra {
		wrong = append(wrong, fmt.Errorf("the Extra of the Fail margin is %v, above the %v of the Pass margin: lower it to %[2]v or less", s.Fail.Extra, s.Pass.Extra))
	}
	return wrong
}

func (s Settings) process() (wrong []error) {
	say := func(bad bool, format string, value any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(""+format, value))
		}
	}
	say(!(s.EventsPerCause >= 1 && s.EventsPerCause <= 1e9), "EventsPerCause is %v: use the largest number of events with one cause, 1 or more, and 1e9 at most", s.EventsPerCause)
	say(!(s.Noise >= 0 && s.Noise <= 10) && s.Noise != None, "Noise is %v: use a relative noise such as 0.15, at most 10, or None", s.Noise)
	for _, g := range s.FailGrid[:s.FailGrid.size()] {
		say(!(g > 1) || math.IsInf(g, 1), "the fail grid has %v: use multipliers above 1", g)
	}
	for _, g := range s.PassGrid[:s.PassGrid.size()] {
		say(!(g > 0 && g < 1), "the pass grid has %v: use multipliers above 0 and below 1", g)
	}
	for _, b := range [...]bets{s.failBets(), s.passBets()} {
		say(b.weights != (Grid{}) && b.weights.size() != b.grid.size(), "the grid has %v multipliers: use as many weights, or none", b.grid.size())
		for _, w := range b.weights[:b.weights.size()] {
			say(!(w > 0) || math.IsInf(w, 1), "a multiplier has weight %v: use weights above 0", w)
		}
	}
	say(s.Block < 1, "Block is %v looks: use 1 or more", s.Block)
	say(s.Blocks < 1, "Blocks is %v: use 1 or more", s.Blocks)
	say(!(s.FirstShare > 0 && s.FirstShare <= 1), "FirstShare is %v: use more than 0, and at most 1, which is all at the first look", s.FirstShare)
	say(!(s.LookCap > 0), "LookCap is %v: use more than 0, or +Inf for none", s.LookCap)
	return wrong
}
