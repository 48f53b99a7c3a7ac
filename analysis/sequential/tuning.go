package sequential

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/metrics"
)

// Tuning adjusts a [Judge]. The default of each field is its zero value.
type Tuning struct {
	// Strict demands more evidence for a fail (Alpha 1 %) and leaves more room (margins of
	// at least 1.1 times the baseline). It is for arms that differ by nature, as a canary
	// of a single pod does.
	Strict bool
	// Alpha is the probability of failing a healthy canary, Beta that of passing a bad
	// one, and SplitAlpha that of calling a division of the requests wrong that is as
	// planned. Each is over the whole rollout. Zero is 0.05, 0.05 and 0.001; Alpha is
	// 0.01 if Strict.
	Alpha, Beta, SplitAlpha float64

	// Look is the length of a look, at least one scrape interval. Zero is 15 seconds.
	Look time.Duration
	// Lag is how long the Judge waits after the end of a look, until its counts are
	// final: at least the scrape timeout. Zero is a third of Look. With a [Gauge] it is
	// four thirds of Look, because Prometheus marks the series of a deleted pod as ended
	// more than one scrape interval late.
	Lag time.Duration
	// Warmup is how many looks are left out at the beginning of the rollout: one or two
	// for a canary that starts cold.
	Warmup int

	// MaxBad is how many bad live requests the canary may answer in the whole rollout, by
	// any one [Rate], whatever the baseline does. Zero is no limit.
	MaxBad float64
	// AnySplit: the canary may get another share of the requests than planned. Set it
	// where requests are not routed one by one at random: by headers or by sessions.
	AnySplit bool
	// BaselineName is how reasons name the baseline; "" is "stable".
	BaselineName string
	// Reporter is the side that counts the requests. Its zero value, metrics.Source, gives
	// way to metrics.Destination for copies, which no source counts.
	Reporter metrics.Reporter

	// EventsPerCause is how many bad requests one cause may make: 1 + retries if each
	// attempt is counted, 2 if both reporters are summed, the requests of a session if
	// sessions stick to a pod. Zero is 1.
	EventsPerCause float64
	// Noise is by how much two healthy arms differ from block to block: a standard
	// deviation, relative to the rate. Zero is 0.15, and 0.05 for a Latency; [None] is no
	// noise. The Judge raises it to what it observes, unless FixedNoise.
	Noise      float64
	FixedNoise bool
	// Block is the length of a block in looks: for how long noise lasts, and how often
	// evidence starts afresh. Zero is 4.
	Block int
	// Blocks is how many blocks the rollout is planned to last. Zero is 60.
	Blocks int
	// FirstShare is the share of the evidence that starts with the first look; the other
	// blocks divide the rest. Zero is 0.8.
	FirstShare float64
	// LookCap is the most that one look adds to the logarithm of the evidence. Zero is
	// ln(1/Alpha)/2, and ln(1/Alpha)/3 if Strict: no single look fails a canary.
	LookCap float64
}

// None is a Weight of no evidence for a fail, and a Noise of zero.
const None = evidence.None

// Margin is how bad the canary may be: its rate of bad requests is at most Factor times
// the baseline's plus Extra. The zero value is the default of its metric.
type Margin struct {
	Factor float64 // at least 1
	Extra  float64 // a share of all requests, at least 0
}

func (t Tuning) mistakes() (errs []error) {
	if t.Look < 0 || t.Lag < 0 {
		errs = append(errs, fmt.Errorf("looks of %v with a Lag of %v; want times above zero, or zero for the defaults", t.Look, t.Lag))
	}
	if t.Warmup < 0 {
		errs = append(errs, fmt.Errorf("Warmup is %d; want a number of looks", t.Warmup))
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
		Block: t.Block, Blocks: t.Blocks, FirstShare: t.FirstShare, LookCap: t.LookCap,
	}
	if t.Strict {
		s.Preset = evidence.Strict
	}
	return s
}
