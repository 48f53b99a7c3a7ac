package sequential

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// Tuning adjusts a [Judge]. The zero value of each field is its default.
type Tuning struct {
	// Strict is for arms that differ by nature, as a canary of a single pod does. It
	// needs more evidence for a fail (Alpha 0.01), and the zero Fail margins are 1.1
	// times the baseline.
	Strict bool
	// Alpha is the probability of failing a healthy canary, Beta of passing a bad one,
	// and SplitAlpha of doubting a division of the requests that is as planned, each over
	// the whole rollout. Zero is 0.05, 0.05 and 0.001.
	Alpha, Beta, SplitAlpha float64

	// Look is the length of a look: at least one scrape interval. Zero is 15 seconds.
	Look time.Duration
	// Lag is how long after the end of a look its counts are final: at least the scrape
	// timeout. Zero is a third of Look, and with a [Gauge] four thirds, because
	// Prometheus ends the series of a deleted pod more than one scrape interval late.
	Lag time.Duration
	// Warmup is how many looks are not judged at the beginning of the rollout, and of each step
	// in which the canary gets a larger share, or has its share back after a Retreat: one or two
	// for pods that start cold. What users get meanwhile is not seen.
	Warmup int

	// MaxBad is how many bad live requests the canary may answer in the whole rollout, in
	// any one [Rate] that has to pass, whatever the baseline does. Zero is no limit.
	MaxBad float64
	// IgnoreSplit accepts a division of the requests that is not as planned. Set it if
	// requests are not routed one by one at random, but by headers or sessions.
	IgnoreSplit bool
	// AllCopied: copies are of all requests, as with mirror.Every, or as the service is only read, so
	// they are compared like live ones. Else they are of requests that do not write, beside all requests to the baseline,
	// and fail the canary by a wide margin only: three times the baseline plus 0.005, and for
	// latency 1.5 times plus 0.05. Copies pass nothing.
	AllCopied bool
	// BaselineName is the name of the baseline in reasons; "" is "stable".
	BaselineName string
	// Reporter is the side that counts the requests. Its zero value, metrics.Source,
	// gives way to metrics.Destination for copies, which no source counts.
	Reporter metrics.Reporter

	// EventsPerCause is how many bad requests one cause may make: 1 + retries if each
	// attempt is counted, 2 if both reporters are summed, the requests of a session if
	// sessions stay on a pod. Zero is 1.
	EventsPerCause float64
	// Noise is the difference between two healthy arms from block to block: a standard
	// deviation relative to the rate. Raise it if healthy canaries fail. Zero is 0.15,
	// and 0.05 for a [Latency]. None is no noise. The Judge raises Noise to what it
	// observes, unless FixedNoise.
	Noise      float64
	FixedNoise bool
	// Block is the length of a block in looks: the time for which noise lasts. In each
	// block a part of the evidence starts afresh, so that a canary that turns bad late is
	// found soon. Zero is 4.
	Block int
	// Blocks is in how many blocks evidence starts afresh: at least as many as the
	// rollout lasts. Later looks count as well, but start nothing afresh. Zero is 60: an
	// hour with the default Look and Block.
	Blocks int
	// FirstShare is the share of the evidence that starts with the first look. The other
	// blocks divide the rest. Zero is 0.8.
	FirstShare float64
	// LookCap is the most that one look adds to the logarithm of the evidence of a metric.
	// Zero is the greater of ln(1/Alpha)/2 and ln(3 M/Alpha)/3 with M metrics, and with Strict a
	// third and a fourth, so that an outage takes three looks, or four, whatever else is judged.
	LookCap float64
}

// None is a Weight without evidence for a fail, or a Noise of zero.
const None = evidence.None

// Margin is a limit for the canary's rate of bad requests: Factor times the baseline's
// rate plus Extra. Factor 1.02 accepts 2 % more bad requests than the baseline has: 0.102
// % beside 0.1 %. Extra 0.02 accepts two more bad ones of 100 requests: 2.1 % beside 0.1
// %.
//
// A zero Factor is the default of the metric. The zero Margin has the default Extra too.
// A Fail margin by default is never above the Pass margin.
type Margin struct {
	Factor float64 // at least 1
	Extra  float64 // a share of all requests, at least 0
}

// The limits of times: beyond them nobody waits for a verdict.
const (
	longest   = 24 * time.Hour // of a look, and of its lag
	maxWarmup = 1000
)

func (t Tuning) mistakes() (errs []error) {
	if t.Look < 0 || t.Lag < 0 {
		errs = append(errs, fmt.Errorf("looks of %v with a Lag of %v; want times above zero, or zero for the defaults", t.Look, t.Lag))
	}
	if t.Look > longest || t.Lag > longest {
		errs = append(errs, fmt.Errorf("looks of %v with a Lag of %v; want %v at most", t.Look, t.Lag, longest))
	}
	if t.Warmup < 0 || t.Warmup > maxWarmup {
		errs = append(errs, fmt.Errorf("the Warmup is %d; want a number of looks, %d at most", t.Warmup, maxWarmup))
	}
	if !(t.MaxBad >= 0) {
		errs = append(errs, fmt.Errorf("MaxBad is %v; want zero or more", t.MaxBad))
	}
	_, err := evidence.NewJudge(t.levels())
	return append(errs, err)
}

func (t Tuning) look() time.Duration { return cmp.Or(t.Look, 15*time.Second) }

func (t Tuning) baseline() string { return cmp.Or(t.BaselineName, "stable") }

// levels returns the levels in use.
func (t Tuning) levels() evidence.Levels {
	if t.Alpha == 0 && t.Strict {
		t.Alpha = 0.01
	}
	return evidence.Levels{Alpha: cmp.Or(t.Alpha, 0.05), Beta: cmp.Or(t.Beta, 0.05), Split: cmp.Or(t.SplitAlpha, 0.001)}
}

// failAt and passAt are the logarithms that the evidence must reach.
func (t Tuning) failAt() float64 { return -math.Log(t.levels().Alpha) }
func (t Tuning) passAt() float64 { return -math.Log(t.levels().Beta) }

// settings are those of a metric with the margins.
func (t Tuning) settings(fail, pass Margin) evidence.Settings {
	s := evidence.Settings{
		Alpha: t.levels().Alpha, Beta: t.levels().Beta, Fail: evidence.Margin(fail), Pass: evidence.Margin(pass),
		EventsPerCause: t.EventsPerCause, Noise: t.Noise, FixedNoise: t.FixedNoise,
		Block: t.Block, Blocks: t.Blocks, FirstShare: t.FirstShare, LookCap: t.LookCap, WholeStake: true,
	}
	if t.Strict {
		s.Preset = evidence.Strict
	}
	return s
}

// ofCopies are the settings of a comparison for copies: as wide as for a canary without a baseline.
func (t Tuning) ofCopies(s evidence.Settings, k evidence.Kind) (evidence.Settings, error) {
	all, err := s.For(k)
	if !t.AllCopied {
		s.Fail, s.Pass = widest(all.Fail, all.Alone), widest(all.Pass, all.Alone)
	}
	return s, err
}

func widest(a, b evidence.Margin) evidence.Margin {
	return evidence.Margin{Factor: max(a.Factor, b.Factor), Extra: max(a.Extra, b.Extra)}
}
