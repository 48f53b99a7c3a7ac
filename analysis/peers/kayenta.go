package peers

import (
	"cmp"
	"context"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// Kayenta is an Analyzer that compares series of values of two arms by the
// Mann-Whitney test and scores them, as Kayenta's NetflixACAJudge does, for those
// who bring their canary configs from there. Give it by value.
//
// The window is cut into checks of the length Every, and each gives every metric
// one value of each arm. A metric is high (or low) if the 98 % interval of the
// canary's shift is beyond a quarter of the shift itself, and the size of the
// effect beyond what is allowed; the package documentation has the formulas. A group
// scores the percentage of its metrics that are neither, and the score is the
// weighted mean of the groups:
//
//	a critical metric high or low  -> Fail, score 0
//	score >= PassScore             -> Pass
//	score >= MarginalScore         -> Inconclusive: marginal, a person decides
//	else                           -> Fail
//
// A verdict is given when Lifetime is over, from its checks alone, so that it
// stands. With JudgeEvery the score is taken before, too, and Fails at once below
// MarginalScore.
//
// It gives no guarantee about errors. The interval is that of one look at one
// metric: every further metric and every look of JudgeEvery adds its own chance to
// find a healthy canary high or low. With ten metrics, minded in both directions,
// and a look every minute for an hour, one of them is found so in about every
// tenth rollout. A test of ranks also knows nothing of requests: a check of
// ten requests counts like one of ten thousand, and 7 of 10 values a hundred times
// as high as the baseline's pass, as the interval then begins at zero. Package
// analysis/sequential counts requests and is made for looking often.
//
// What differs from Kayenta:
//   - No evidence is not bad evidence: where Kayenta fails a canary because half
//     of its metrics or a critical one have no data, the verdict is Blind.
//   - A metric with too few values for the interval has no data. Kayenta takes
//     the smallest difference for the end of the interval, and calls two values
//     that are above two others high.
//   - Nothing is random: Kayenta adds noise to arms that do not vary.
//   - A metric is in one group, and a muted one is left out. There are no rules
//     for outliers and no mustHaveData.
type Kayenta struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Baseline is the arm to compare with; it should be of the canary's size and
	// age.
	Baseline metrics.Arm
	// BaselineName is how Values name that arm; "" is "baseline".
	BaselineName string
	// Reporter is who counts, for both arms. Its zero value, Source, gives way to
	// Destination while the canary is only mirrored to.
	Reporter metrics.Reporter
	// Every is the time that one value is made of: Kayenta's step. Lifetime is
	// when the verdict is given: after at least 5 values; 50 are a usual advice.
	Every, Lifetime time.Duration
	// JudgeEvery is when to look before: at its multiples. Zero is not before
	// Lifetime.
	JudgeEvery time.Duration
	// Groups are the metrics and their weights.
	Groups []KayentaGroup
	// PassScore and MarginalScore are from 0 to 100; zero is 95 and 75.
	PassScore, MarginalScore float64
}

// KayentaGroup is metrics that are scored together.
type KayentaGroup struct {
	Name string
	// Weight is percent of the score. Groups without one share what is missing
	// to 100.
	Weight  float64
	Metrics []KayentaMetric
}

// KayentaMetric is a metric of two arms and how to compare it. The zero value
// compares the share of 5xx answers, and minds any difference.
type KayentaMetric struct {
	// Signal is what makes a request bad.
	Signal metrics.Signal
	// Measure is the value that a check gives.
	Measure Measure
	// Direction is the difference that is minded.
	Direction Direction
	// Missing is what happens to a check without a value.
	Missing Missing
	// Critical: the canary fails if this metric does, and if the effect is
	// beyond what is critical.
	Critical bool
	Effect   EffectSize
}

// String names the metric: "5xx answers", "requests".
func (m KayentaMetric) String() string {
	if m.Measure == Requests {
		return "requests"
	}
	return m.Signal.String()
}

// Measure is the value that a check gives.
type Measure uint8

// The measures.
const (
	// BadShare is the share of bad requests. Without requests there is none.
	BadShare Measure = iota
	// Requests is the number of requests. It is zero if there was no traffic,
	// and missing if nothing was read.
	Requests
)

// Direction is which difference from the baseline is minded.
type Direction uint8

// The directions.
const (
	Either Direction = iota
	Increase
	Decrease
)

// Missing is what happens to a check without a value: Kayenta's nanStrategy.
type Missing uint8

// The strategies.
const (
	RemoveMissing Missing = iota // the arm has one value less
	ZeroMissing                  // the value is 0
)

// EffectSize is how large a difference must be to count. The size is the ratio of
// the means, canary to baseline; or, with CLES, the chance that a value of the
// canary is above one of the baseline. If there is no ratio, since a mean is zero,
// every size counts.
//
// The zero value of each field is no change: 1, or 0.5 with CLES.
type EffectSize struct {
	CLES bool
	// AllowedIncrease and AllowedDecrease must be reached by a metric that is
	// high or low: 1.1 is 10 % more, 0.9 is 10 % less.
	AllowedIncrease, AllowedDecrease float64
	// CriticalIncrease and CriticalDecrease must be reached as well for a
	// critical metric to fail the canary.
	CriticalIncrease, CriticalDecrease float64
}

// Analyze implements [Analyzer]. Whatever keeps the Provider from answering, but
// having nothing to count, is an error.
func (k Kayenta) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	if err := k.Validate(); err != nil {
		return analysis.Result{}, err
	}
	w := r.Window
	if end := w.From.Add(k.Lifetime); w.To.After(end) {
		w.To = end
	}
	var all []series
	for i, g := range k.Groups {
		for _, m := range g.Metrics {
			s := series{metric: m, group: i}
			for a, arm := range []metrics.Arm{k.Canary, k.Baseline} {
				var err error
				if s.arms[a], err = checks(ctx, k.Provider, k.query(arm, m, r), w, k.Every); err != nil {
					return analysis.Result{}, err
				}
			}
			all = append(all, s)
		}
	}
	return k.replay(all, w.Length()), nil
}

func (k Kayenta) query(arm metrics.Arm, m KayentaMetric, r analysis.Request) metrics.Query {
	return metrics.Query{Arm: arm, Reporter: judging.Reporter(k.Reporter, r.Mirrored), Signal: m.Signal}
}

func (k Kayenta) baseline() string { return cmp.Or(k.BaselineName, "baseline") }

func (k Kayenta) passScore() float64 { return cmp.Or(k.PassScore, 95) }

func (k Kayenta) marginalScore() float64 { return cmp.Or(k.MarginalScore, 75) }
