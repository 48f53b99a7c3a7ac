package evidence

import (
	"math"
	"slices"
)

// LogMean returns the logarithm of the weighted mean of several E (section 8),
// which is evidence again however they depend on each other (Vovk and Wang,
// arXiv 1912.06116). Weights need not sum to 1; one that is not positive leaves
// its E out, and without weights all are equal. The mean of none is 1, with
// logarithm 0.
func LogMean(logE, weights []float64) float64 {
	var m mean
	for i, l := range logE {
		w := 1.0
		if i < len(weights) {
			w = weights[i]
		}
		m.add(l, w)
	}
	return m.log()
}

// mean sums up w e^l without overflow, as sum e^top.
type mean struct{ sum, top, whole float64 }

func (m *mean) add(l, w float64) {
	if !(w > 0) {
		return
	}
	m.whole += w
	switch {
	case math.IsInf(l, -1) || math.IsNaN(l): // an E of 0
	case m.sum == 0:
		m.sum, m.top = w, l
	case l > m.top:
		m.sum, m.top = m.sum*math.Exp(m.top-l)+w, l
	case l == m.top:
		m.sum += w
	default:
		m.sum += w * math.Exp(l-m.top)
	}
}

func (m *mean) log() float64 {
	if m.whole == 0 {
		return 0
	}
	return m.top + math.Log(m.sum/m.whole)
}

// Metric is a metric's part in a verdict.
type Metric struct {
	Evidence
	// Weight is its share of the evidence for a fail, beside those of the others.
	// Zero: 1. [None], as every negative number: it never fails the canary, but
	// still has to pass.
	Weight float64
	// FailOnly: it may fail the canary, and does not have to pass.
	FailOnly bool
}

func (m Metric) weight() float64 {
	if m.Weight == 0 {
		return 1
	}
	return max(m.Weight, 0)
}

// LogFail returns the logarithm of the evidence of all metrics for a fail, the
// weighted mean.
func LogFail(metrics []Metric) float64 {
	var all mean
	for _, m := range metrics {
		all.add(m.Fail, m.weight())
	}
	return all.log()
}

// Standing is what can be said about one metric among several.
type Standing uint8

// The standings.
const (
	Clear   Standing = iota
	Suspect          // enough evidence, were it the only metric
	Culprit          // enough evidence beside the others
)

var standings = [...]string{"clear", "suspect", "culprit"}

// String returns the standing in lower case.
func (s Standing) String() string { return name(standings[:], int(s)) }

// Standings names those metrics that are worse than their margin, such that with
// probability of at least 1-alpha none is named wrongly over the whole rollout:
// Holm's procedure with evidence (section 8). Metric i is a culprit if E_i is at
// least the weights of all metrics but the culprits found before, divided by
// alpha w_i.
func Standings(metrics []Metric, alpha float64) []Standing {
	found := make([]Standing, len(metrics))
	rest := 0.0
	for i, m := range metrics {
		rest += m.weight()
		if m.weight() > 0 && m.Fail >= -math.Log(alpha) {
			found[i] = Suspect
		}
	}
	for {
		next, named := rest, slices.Clone(found)
		for i, m := range metrics {
			if found[i] == Suspect && m.Fail >= math.Log(rest/(alpha*m.weight())) {
				named[i] = Culprit
				next -= m.weight()
			}
		}
		if next == rest {
			return found
		}
		found, rest = named, next
	}
}
