package peers

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

// The constants of Kayenta's judge.
const (
	kayentaConfidence = 0.98
	kayentaTolerance  = 0.25 // of the shift
	kayentaNoData     = 0.5  // of the metrics
)

// series is the checks of one metric: those of the canary and of the baseline.
type series struct {
	metric KayentaMetric
	group  int
	arms   [2][]check
}

// finding is the result of the comparison of one metric.
type finding uint8

const (
	alike finding = iota
	high
	low
	noData
)

var findings = [...]string{"alike", "high", "low", "without data"}

// judged is a metric with its finding.
type judged struct {
	series
	found    finding
	critical bool // this metric alone fails the canary
}

// replay is the pure part of Analyze. It calculates the score at each look, until one
// fails or Lifetime is over.
func (k Kayenta) replay(all []series, length time.Duration) analysis.Result {
	every := cmp.Or(k.JudgeEvery, k.Lifetime)
	var result analysis.Result
	for at := every; at < k.Lifetime && at <= length; at += every {
		result = k.judge(all, int(at/k.Every))
		if result.Verdict == analysis.Fail {
			return result
		}
	}
	if length >= k.Lifetime {
		return k.judge(all, int(k.Lifetime/k.Every))
	}
	wait := fmt.Sprintf("judged in %v", (k.Lifetime - max(0, length)).Round(time.Second))
	if result.Reason != "" {
		wait = fmt.Sprintf("%s; so far %s", wait, result.Reason)
	}
	return analysis.Result{Verdict: min(result.Verdict, analysis.Inconclusive), Reason: wait, Values: result.Values}
}

// judge calculates the score of the first n checks.
func (k Kayenta) judge(all []series, n int) analysis.Result {
	var metrics []judged
	var values []analysis.Value
	var criticals, silent []string
	for _, s := range all {
		s.arms = [2][]check{s.arms[0][:n], s.arms[1][:n]}
		j := s.judge()
		metrics = append(metrics, j)
		values = append(values, k.values(s)...)
		switch {
		case j.critical:
			criticals = append(criticals, j.String())
		case j.found == noData:
			silent = append(silent, j.String())
		}
	}
	if criticals != nil {
		return k.scored(analysis.Fail, 0, values, strings.Join(criticals, ", "))
	}
	criticalSilence := slices.ContainsFunc(metrics, func(j judged) bool { return j.found == noData && j.metric.Critical })
	if criticalSilence || float64(len(silent)) >= kayentaNoData*float64(len(metrics)) {
		return analysis.Result{Reason: "too little data for a score: " + strings.Join(silent, ", "), Values: values}
	}
	score, verdict := k.score(metrics), analysis.Fail
	switch {
	case score >= k.passScore():
		verdict = analysis.Pass
	case score >= k.marginalScore():
		verdict = analysis.Inconclusive
	}
	return k.scored(verdict, score, values, listed(metrics))
}

// score is the weighted mean of the groups' scores, rounded to two decimals. A group
// without any data scores 100.
func (k Kayenta) scored(v analysis.Verdict, score float64, values []analysis.Value, words string) analysis.Result {
	reason := fmt.Sprintf("score %v of 100, %v to pass", score, k.passScore())
	if v == analysis.Inconclusive {
		reason += fmt.Sprintf(", marginal from %v: a person must decide", k.marginalScore())
	}
	if words != "" {
		reason += ": " + words
	}
	return analysis.Result{Verdict: v, Reason: reason, Values: append(values, analysis.Value{Name: "score", Number: score, Unit: "of 100"})}
}

// listed names the metrics that are not alike.
func listed(metrics []judged) string {
	var words []string
	for _, j := range metrics {
		if j.found != alike {
			words = append(words, j.String())
		}
	}
	return strings.Join(words, ", ")
}

func (j judged) String() string {
	if j.critical {
		return fmt.Sprintf("%v %s (critical)", j.metric, findings[j.found])
	}
	return fmt.Sprintf("%v %s", j.metric, findings[j.found])
}

// judge compares the canary's values with the baseline's.
func (s series) judge() judged {
	j := judged{series: s, found: noData}
	x, y := s.metric.numbers(s.arms[0]), s.metric.numbers(s.arms[1])
	shift, err := Shift(x, y, kayentaConfidence)
	if err != nil || !shift.Bounded { // an arm has no values, or too few
		return j
	}
	beyond := kayentaTolerance * math.Abs(shift.Estimate.Mid())
	size, e := s.metric.Effect.of(x, y), s.metric.Effect.filled()
	switch d := s.metric.Direction; {
	case d != Decrease && shift.Lower.Mid() > beyond && !(size < e.AllowedIncrease):
		j.found, j.critical = high, s.metric.Critical && !(size < e.CriticalIncrease)
	case d != Increase && shift.Upper.Mid() < -beyond && !(size > e.AllowedDecrease):
		j.found, j.critical = low, s.metric.Critical && !(size > e.CriticalDecrease)
	default:
		j.found = alike
	}
	return j
}

// numbers returns the values of the checks.
func (m KayentaMetric) numbers(all []check) []float64 {
	var numbers []float64
	for _, c := range all {
		switch {
		case m.Measure == Requests && (c.silence == nil || errors.Is(c.silence, metrics.ErrNoTraffic)):
			numbers = append(numbers, c.counts.Total)
		case c.silence == nil:
			numbers = append(numbers, c.counts.Ratio())
		case m.Missing == ZeroMissing:
			numbers = append(numbers, 0)
		}
	}
	return numbers
}

// of returns the effect size. It returns NaN, which is neither above nor below any
// number, if there is none.
func (e EffectSize) of(x, y []float64) float64 {
	if e.CLES {
		size, _ := CLES(x, y) // Shift has ranked the values before
		return size
	}
	ratio, ok, _ := MeanRatio(x, y)
	if !ok {
		return math.NaN()
	}
	return ratio
}

// filled returns the effective numbers.
func (e EffectSize) filled() EffectSize {
	none := 1.0
	if e.CLES {
		none = 0.5
	}
	return EffectSize{e.CLES,
		cmp.Or(e.AllowedIncrease, none), cmp.Or(e.AllowedDecrease, none),
		cmp.Or(e.CriticalIncrease, none), cmp.Or(e.CriticalDecrease, none)}
}

// score is the weighted mean of the groups, to two decimals. A group without any
// data scores 100.
func (k Kayenta) score(metrics []judged) float64 {
	sum := 0.0
	for i, weight := range k.weights() {
		good, all := 0.0, 0.0
		for _, j := range metrics {
			if j.group == i && j.found != noData {
				all++
				if j.found == alike {
					good++
				}
			}
		}
		if all == 0 {
			good, all = 1, 1
		}
		sum += weight * good / all
	}
	return math.Round(100*sum) / 100
}

// weights returns the weights of the groups. Groups with weight zero share the rest of
// 100.
func (k Kayenta) weights() []float64 {
	rest, without := 100.0, 0.0
	for _, g := range k.Groups {
		rest -= g.Weight
		if g.Weight == 0 {
			without++
		}
	}
	var weights []float64
	for _, g := range k.Groups {
		weights = append(weights, cmp.Or(g.Weight, rest/without))
	}
	return weights
}

// values are the counts of both arms.
func (k Kayenta) values(s series) []analysis.Value {
	var values []analysis.Value
	for i, arm := range []string{canary, k.baseline()} {
		v := analysis.Value{Name: s.metric.String(), Arm: arm}
		for _, c := range s.arms[i] {
			v.Counts = v.Counts.Add(c.counts)
		}
		values = append(values, v)
	}
	return values
}
