package peers

import (
	"cmp"
	"context"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// Kayenta is an Analyzer that compares series of values of two arms by the Mann-Whitney
// test and scores them as Kayenta's NetflixACAJudge does, for teams that have canary
// configs for Kayenta. Use it as a value, not as a pointer.
//
// The window is cut into checks of the length Every. Each check gives one value for each
// metric and arm. A metric is high (or low) under two conditions: the 98 % interval of
// the canary's shift is beyond a quarter of the shift itself, and the effect size is
// beyond the allowed one. The package documentation has the formulas. The score of a
// group is the percentage of its metrics that are neither high nor low. The total score
// is the weighted mean of the groups:
//
//	a critical metric high or low  -> Fail, score 0
//	score >= PassScore             -> Pass
//	score >= MarginalScore         -> Inconclusive: marginal, a person decides
//	else                           -> Fail
//
// The verdict is given at the end of Lifetime. It uses the checks within Lifetime only,
// so it does not change afterwards. With JudgeEvery, the score is also calculated before,
// and a score below MarginalScore is a Fail at once.
//
// Kayenta guarantees no error rate. The interval is valid for one look at one metric.
// Every further metric, and every look of JudgeEvery, adds its own chance to find a
// healthy canary high or low. With ten metrics, judged in both directions, and a look
// every minute for an hour, this happens in about every tenth rollout. The test compares
// ranks and ignores the number of requests: a check of 10 requests counts like a check of
// 10 000. A canary passes with 7 of 10 values a hundred times as high as the baseline's,
// because the interval then begins at zero. Package analysis/sequential counts requests
// and is made for looking often.
//
// Differences from Kayenta:
//   - Missing evidence is not bad evidence. Kayenta fails a canary if half of its
//     metrics, or a critical one, have no data. Here the verdict is Blind.
//   - A metric with too few values for the interval has no data. Kayenta uses the
//     smallest difference as the end of the interval, and so finds two values high that
//     are above two others.
//   - Nothing is random. Kayenta adds noise to arms that do not vary.
//   - A metric is in one group, and muted metrics are left out. There are no rules for
//     outliers and no mustHaveData.
type Kayenta struct {
	Provider metrics.Provider
	Canary   metrics.Arm
	// Baseline is the arm to compare with. It should have the size and the age of the
	// canary.
	Baseline metrics.Arm
	// BaselineName is the name of Baseline in Values; "" means "baseline".
	BaselineName string
	// Reporter is the proxy that counts, for both arms. The zero value means Source, or
	// Destination while the canary gets mirrored requests only.
	Reporter metrics.Reporter
	// Every is the period of one value: Kayenta's step. Lifetime is when the verdict is
	// given. It must be at least 5 values; 50 are often recommended.
	Every, Lifetime time.Duration
	// JudgeEvery is the interval of the looks before Lifetime. Zero means no such looks.
	JudgeEvery time.Duration
	// Groups are the metrics and their weights. At least one must be set.
	Groups []KayentaGroup
	// PassScore and MarginalScore are from 0 to 100; zero means 95 and 75.
	PassScore, MarginalScore float64
}

// KayentaGroup is a group of metrics with a common score.
type KayentaGroup struct {
	Name string
	// Weight is the group's percentage of the total score. Groups with weight zero share
	// what the others leave of 100.
	Weight  float64
	Metrics []KayentaMetric
}

// KayentaMetric is a metric and how to compare it between the arms. The zero value
// compares the share of requests with a status of 500 to 599, in both directions.
type KayentaMetric struct {
	// Signal says which requests are bad.
	Signal metrics.Signal
	// Measure is the value of a check.
	Measure Measure
	// Direction is the direction of a difference that counts.
	Direction Direction
	// Missing says what happens to a check without a value.
	Missing Missing
	// Critical says that the canary fails if this metric is high or low and its effect
	// size is beyond the critical one.
	Critical bool
	// Effect is how large a difference must be to count.
	Effect EffectSize
}

// String names the metric: "server errors", "requests".
func (m KayentaMetric) String() string {
	if m.Measure == Requests {
		return "requests"
	}
	return m.Signal.String()
}

// Measure is the kind of value that a check gives.
type Measure uint8

// The values of Measure.
const (
	// BadShare is the share of bad requests. It is missing if there were no requests.
	BadShare Measure = iota
	// Requests is the number of requests. It is zero if there was no traffic, and missing
	// if nothing was read.
	Requests
)

// Direction is the direction of a difference from the baseline that counts.
type Direction uint8

// The values of Direction.
const (
	Either Direction = iota
	Increase
	Decrease
)

// Missing says what happens to a check without a value: Kayenta's nanStrategy.
type Missing uint8

// The values of Missing.
const (
	RemoveMissing Missing = iota // the arm has one value less
	ZeroMissing                  // the value is 0
)

// EffectSize is how large a difference must be to count. The size is the ratio of the
// means, canary to baseline. With CLES, it is the probability that a value of the canary
// is greater than one of the baseline. If there is no ratio because a mean is zero, every
// difference counts.
//
// The zero value of each number means no change: 1, or 0.5 with CLES.
type EffectSize struct {
	// CLES selects the common language effect size instead of the ratio of the means.
	CLES bool
	// AllowedIncrease is the size that a metric must reach to be high, and
	// AllowedDecrease the size to be low: 1.1 is 10 % more, 0.9 is 10 % less.
	AllowedIncrease, AllowedDecrease float64
	// CriticalIncrease and CriticalDecrease are the sizes that a critical metric must
	// also reach to fail the canary.
	CriticalIncrease, CriticalDecrease float64
}

// Analyze implements [analysis.Analyzer]. It returns an error of the Provider, unless the
// error only means that there is nothing to count.
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
